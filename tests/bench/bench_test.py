#!/usr/bin/env python3
"""What the library costs that does not depend on the machine's mood: counts, bytes, sizes, and ratios with a margin.

usage: bench_test.py BENCH INPUTS
"""
import json
import os
import subprocess
import sys
import tempfile

# Times are the benchmark's business; these hold on any machine.
FIRM = {"idle_wake_ups", "idle_bytes_written", "trickle_fsyncs_to_sqlite", "trickle_bytes_to_sqlite",
        "trickle_wake_ups_to_sqlite", "trickle_requests_to_sqlite", "own_memory_mib", "wire_percent_of_json",
        "disk_percent_of_json"}


def main(bench, inputs):
    command = [bench, "--json", "--idle-seconds", "10", "--trickle-seconds", "20", "--data", inputs]
    for part in ("idle", "trickle", "memory", "delivery"):
        command += ["--part", part]
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    rows = json.loads(told)
    faults = []
    for row in rows:
        if set(row) != {"name", "value", "unit", "goal", "holds"}:
            faults.append(f"a row of another form: {row}")
        name = row["name"].split("/")[0]
        if name in FIRM:
            print(f"{row['name']}: {row['value']} {row['unit']}, the goal is {row['goal']}")
            if not row["holds"]:
                faults.append(f"{row['name']} does not hold")
    missing = FIRM - {row["name"].split("/")[0] for row in rows}
    if missing:
        faults.append(f"not measured: {', '.join(sorted(missing))}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
