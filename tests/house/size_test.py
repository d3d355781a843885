#!/usr/bin/env python3
"""The shared library keeps its size and exports nothing but its own names.

usage: size_test.py LIBRARY, as a release builds it
"""
import os
import re
import subprocess
import sys
import tempfile

STRIPPED_BYTES_MAX = 384_000  # the goal of tests/bench/goals.hpp is the next whole KiB
EXPORTED_MAX = 150               # 140 when it was set: 56 of yukha.h, the others of the C++ headers
OURS = re.compile(r"^(yukha_\w+|((typeinfo|typeinfo name|vtable) for )?yukha::.+)$")


def main(library):
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped")
        subprocess.run(["strip", "-o", stripped, library], check=True)
        size = os.path.getsize(stripped)
    listed = subprocess.run(["nm", "-D", "--defined-only", "-C", library], check=True, capture_output=True, text=True)
    names = [line.split(None, 2)[2] for line in listed.stdout.splitlines()]
    strange = [name for name in names if not OURS.match(name)]
    print(f"{size / 1024:.0f} KiB stripped, {len(names)} names exported")
    faults = []
    if size > STRIPPED_BYTES_MAX:
        faults.append(f"the stripped library has {size} bytes, {STRIPPED_BYTES_MAX} are the most")
    if not 0 < len(names) <= EXPORTED_MAX:
        faults.append(f"{len(names)} names are exported, {EXPORTED_MAX} are the most")
    if strange:
        faults.append(f"these are not ours: {', '.join(strange)}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
