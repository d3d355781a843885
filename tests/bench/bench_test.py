#!/usr/bin/env python3
"""What the library costs that does not depend on the machine's mood: counts, bytes, sizes, and ratios with a margin.

usage: bench_test.py BENCH
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("YUKHA_DATA", CHECKOUT.parent / "shared/data"))
# Times are the benchmark's business; these hold on any machine.
FIRM = {"idle_wake_ups", "idle_bytes_written", "trickle_fsyncs_to_sqlite", "trickle_bytes_to_sqlite",
        "trickle_wake_ups_to_sqlite", "trickle_requests_to_sqlite", "own_memory_mib"}
WITH_DATA = {"wire_percent_of_json", "disk_percent_of_json"}


def main(bench):
    parts = ["idle", "trickle", "memory"]
    command = [bench, "--json", "--idle-seconds", "10", "--trickle-seconds", "20"]
    wanted = set(FIRM)
    if DATA.is_dir():
        parts.append("delivery")
        command += ["--data", str(DATA)]
        wanted |= WITH_DATA
    for part in parts:
        command += ["--part", part]
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    rows = json.loads(told)
    faults = []
    for row in rows:
        if set(row) != {"name", "value", "unit", "goal", "holds"}:
            faults.append(f"a row of another form: {row}")
        name = row["name"].split("/")[0]
        if name in wanted:
            print(f"{row['name']}: {row['value']} {row['unit']}, the goal is {row['goal']}")
            if not row["holds"]:
                faults.append(f"{row['name']} does not hold")
    missing = wanted - {row["name"].split("/")[0] for row in rows}
    if missing:
        faults.append(f"not measured: {', '.join(sorted(missing))}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]))
