#!/usr/bin/env python3
"""Writes the table of legs in tests/README.md anew, from the last run of `tests/run.sh all` or `ci`.

usage: legs_table.py [LEGS.tsv]      build/legs.tsv unless it is named
"""
import datetime
import pathlib
import re
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
PAGE = CHECKOUT / "tests/README.md"
MARKED = re.compile(r"(<!-- legs -->\n).*?(<!-- end of legs -->)", re.DOTALL)


def table(legs, day):
    lines = [f"Measured on {day}.", "", "| leg | what it runs | minutes | of CPU |", "|---|---|---|---|"]
    clock = cpu = 0
    for number, (run, outcome, seconds, cpu_seconds, name, what) in enumerate(legs):
        if outcome != "passed":
            sys.exit(f"{name} did not pass; a table is made of a run that did")
        lines.append(f"| {name} | {what} | {int(seconds) / 60:.1f} | {int(cpu_seconds) / 60:.1f} |")
        clock, cpu = clock + int(seconds), cpu + int(cpu_seconds)
        if number + 1 == len(legs) or legs[number + 1][0] != run:
            lines.append(f"| **`{run}` together** | | **{clock / 60:.0f}** | **{cpu / 60:.0f}** |")
    return "\n".join(lines) + "\n"


def main(path):
    legs = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    day = datetime.date.fromtimestamp(path.stat().st_mtime).isoformat()
    page, count = MARKED.subn(lambda found: found[1] + table(legs, day) + found[2], PAGE.read_text(encoding="utf-8"))
    if count != 1 or not legs:
        sys.exit(f"{PAGE} has {count} places for the table, and {path} has {len(legs)} legs")
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT / "build/legs.tsv")
