#!/usr/bin/env python3
"""The built files carry the hardening that they are built for.

    hardening_test.py --library libyukha.so PROGRAM…

Programs: position independent, relocations done at start and read-only from then on, no executable stack, stack
protector, checked string functions, and on x86-64 marks where branches may go. The library: the same relocations and
stack, and no text relocations.
"""
import argparse
import pathlib
import re
import subprocess
import sys

CHECKED = re.compile(r"\b__(?!stack)\w+_chk\b")
# The smaller ones may call nothing that can be checked.
MUST_CALL_CHECKED = {"yukha-collector", "yukha-journey", "yukha-replay"}
BRANCH_TARGET = b"\xf3\x0f\x1e\xfa"  # endbr64


def readelf(option, path):
    return subprocess.run(["readelf", "--wide", option, str(path)], check=True, capture_output=True, text=True).stdout


def faults_of_any(path):
    dynamic, segments = readelf("--dynamic", path), readelf("--segments", path)
    flags = " ".join(line for line in dynamic.splitlines() if "FLAGS" in line or "BIND_NOW" in line)
    if "GNU_RELRO" not in segments or "NOW" not in flags:
        yield "its relocation tables can be written while it runs (no full RELRO)"
    stack = re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+)+ ([RWE ]{3}) ", segments)
    if not stack or "E" in stack[1]:
        yield "its stack is executable"
    if "TEXTREL" in dynamic:
        yield "its code is written to when it is loaded (text relocations)"


def faults_of_program(path):
    symbols = readelf("--dyn-syms", path)
    if "PIE" not in readelf("--dynamic", path):
        yield "it is not position independent (no PIE)"
    if "__stack_chk_fail" not in symbols:
        yield "nothing in it has a stack protector"
    if pathlib.Path(path).name in MUST_CALL_CHECKED and not CHECKED.search(symbols):
        yield "it calls no checked string function (_FORTIFY_SOURCE)"
    # Debian's own start files have no mark, so the note for the whole program says nothing; the code does.
    if "X86-64" in readelf("--file-header", path) and pathlib.Path(path).read_bytes().count(BRANCH_TARGET) < 2:
        yield "its functions are not marked as targets of branches (-fcf-protection)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("programs", nargs="+", metavar="PROGRAM")
    options = parser.parse_args()
    faults = [f"{options.library}: {fault}" for fault in faults_of_any(options.library)]
    for program in options.programs:
        faults += [f"{program}: {fault}" for fault in [*faults_of_any(program), *faults_of_program(program)]]
    for fault in faults:
        print(f"FAIL {fault}")
    print(f"looked at {len(options.programs)} programs and the library")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
