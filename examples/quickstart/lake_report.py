#!/usr/bin/env python3
"""Reads the lake of examples/quickstart.sh and says what became of every step. Exit 1 when one is missing.

It shares nothing with the library: plain Python, gzip and SQLite. `lost` is counted from two things that the library
cannot make look better than they are: the diary of yukha-journey, one line for each step that track() said it had kept,
and the numbers 1, 2, 3 … that the sentences of one run carry, where a missing number is a missing sentence.
"""
import argparse
import collections
import glob
import gzip
import json
import os
import sqlite3
import statistics
import sys


def lake_files(lake):
    return sorted(glob.glob(os.path.join(lake, "dt=*", "hour=*", "*.json.gz")))


def lines_of(path):
    with gzip.open(path, "rb") as file:
        return [line for line in file.read().split(b"\n") if line]


def gaps(sentences):
    """How many numbers are missing below the highest of each run."""
    numbers = collections.defaultdict(set)
    for sentence in sentences:
        numbers[sentence["device"]["run"]].add(int(sentence["device"]["seq"]))
    return sum(max(seen) - len(seen) for seen in numbers.values()), len(numbers)


class Median:
    def __init__(self):
        self.values = []

    def step(self, value):
        if value is not None:
            self.values.append(value)

    def finalize(self):
        return statistics.median(self.values) if self.values else None


def print_table(headings, rows):
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows)]
    for row in [headings, ["-" * width for width in widths], *rows]:
        cells = [cell.ljust(widths[0]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(row)]
        print("  " + "  ".join(cells).rstrip())


# A table as a query engine over the lake would show it. The view keeps one line per id, as every query over a lake
# behind an at-least-once stream must: the earliest, because whoever has seen an id may send another sentence under it.
QUERY = """
SELECT location, count(DISTINCT user) AS readers, count(*) AS reads, round(median(duration_ms / 1000.0), 1) AS median_s
  FROM sentence WHERE action = 'READ' GROUP BY location ORDER BY reads DESC, location"""


def query(sentences):
    database = sqlite3.connect(":memory:")
    database.create_aggregate("median", 1, Median)
    database.execute("CREATE TABLE line (id TEXT, received_at TEXT, user TEXT, location TEXT, action TEXT, duration_ms INTEGER)")
    # SQLite takes the other columns from the line that has the minimum.
    database.execute("CREATE VIEW sentence AS SELECT *, min(received_at) FROM line GROUP BY id")
    database.executemany("INSERT INTO line VALUES (?,?,?,?,?,?)",
                         [(s["id"], s["received_at"], s["user"]["id"], s["location"].partition("?")[0], s["action"]["type"],
                           s["action"].get("duration_ms")) for s in sentences])
    print(QUERY.strip("\n") + "\n")
    print_table(["location", "readers", "reads", "median s"], database.execute(QUERY).fetchall())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", required=True)
    parser.add_argument("--diary", required=True)
    parser.add_argument("--ledger", required=True, help="the last line yukha-journey printed")
    arguments = parser.parse_args()

    files = lake_files(arguments.lake)
    if not files:
        print("there is no file in the lake", file=sys.stderr)
        return 1
    everything = [json.loads(line) for path in files for line in lines_of(path)]
    sentences = [sentence for sentence in everything if sentence["action"]["type"] != "yukha_ledger"]
    with open(arguments.diary, encoding="ascii") as file:
        diary = file.read().split()
    with open(arguments.ledger, encoding="ascii") as file:
        ledger = json.load(file)

    arrived = {sentence["content"].get("step") for sentence in sentences}
    missing = [step for step in diary if step not in arrived]
    missing_numbers, runs = gaps(sentences)
    twice = len(sentences) - len({sentence["id"] for sentence in sentences})
    lost = max(len(missing), missing_numbers)
    # The process may die between track() and its diary: such a sentence is delivered and in no diary.
    print_table(["", "sentences", "who says so"], [
        ["steps in the diary", len(diary), "the app"],
        ["accepted", ledger["accepted"], "the library"],
        ["delivered", ledger["delivered"], "the library"],
        ["waiting", ledger["waiting"], "the library"],
        ["in the lake", len(sentences), f"{len(files)} lake files, {runs} runs"],
        ["twice in the lake", twice, "the lake"],
        ["lost", lost, "the diary and the numbers, against the lake"],
    ])

    shown = next((path for path in files if len(lines_of(path)) >= 3), files[0])
    print(f"\n==> 8. One file of the lake, {os.path.relpath(shown, arguments.lake)}, its first three sentences\n")
    for line in lines_of(shown)[:3]:
        print(line.decode())

    print("\n==> 9. A query over the lake\n")
    query(sentences)

    if lost or twice or ledger["waiting"] or len(sentences) != ledger["accepted"]:
        print(f"\nThis should not be: {missing[:5]} missing, {missing_numbers} numbers missing, {twice} twice, "
              f"{ledger['waiting']} waiting, {len(sentences)} of {ledger['accepted']} in the lake", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
