#!/usr/bin/env python3
"""No row of an input is lost without a word, whatever the input is like.

    rows_test.py --replay PATH --collector PATH [--only TEXT] [--rows N]

--rows: how many rows of six shapes go through the collector.
"""
import argparse
import collections
import gzip
import http.server
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import SECRET, Collector, expect, keep_promises, promise  # noqa: E402

SECONDS = {"app_id": "t", "time": {"value": "{ts}", "unit": "s"}, "user": {"id": "{user}"}, "content": {"id": "{item}"},
           "action": {"type": "A"}}


# Starts a program and writes down what it cost. A child's memory is counted from its parent's on; this one is small.
LAUNCHER = """
import os, subprocess, sys, threading
child = subprocess.Popen(sys.argv[2:])
ending = threading.Timer(1800, child.kill)
ending.start()
_, status, usage = os.wait4(child.pid, 0)
with open(sys.argv[1], "w") as file:
    print(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=file)
ending.cancel()
"""


class Ran:
    """What a run of yukha-replay printed, and what it cost."""

    def __init__(self, arguments, stdin=None, stdin_file=subprocess.DEVNULL):
        # Files: what is told may be more than a pipe holds.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as told, tempfile.NamedTemporaryFile() as cost:
            subprocess.run([sys.executable, "-S", "-c", LAUNCHER, cost.name, options.replay, *map(str, arguments)],
                           input=stdin, stdin=stdin_file if stdin is None else None, stdout=out, stderr=told,
                           check=True)
            code, cpu_s, memory_kib = cost.read().split()
            self.code, self.cpu_s, self.memory_kib = int(code), float(cpu_s), int(memory_kib)
            out.seek(0)
            told.seek(0)
            self.lines = out.read().decode().splitlines()
            self.told = told.read().decode()
        self.counts = {}
        if "--json" in arguments and self.lines and '"read":' in self.lines[-1]:
            self.counts = json.loads(self.lines.pop())
            self.expect_sums()

    def __getitem__(self, name):
        return self.counts[name]

    def expect_sums(self):
        counts = self.counts
        waits = self.code in (3, 130, 143)
        expect(waits or counts["read"] == counts["mapped"] + counts["unmapped"] + counts["skipped"], counts)
        expect(counts["accepted"] + counts["waiting_before"] == sum(
            counts[name] for name in ("delivered", "waiting", "quarantined", "evicted", "erased", "lost")), counts)
        if "lines" in counts and self.code in (0, 2):
            expect(counts["lines"] == counts["header_lines"] + counts["blank_lines"] + counts["further_lines"]
                   + counts["read"], "lines:", counts)

    def sentences(self):
        return [json.loads(line) for line in self.lines]


def write(folder, name, content):
    path = folder / name
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_pieces(folder, name, *pieces):
    """Each piece so many times."""
    path = folder / name
    with gzip.open(path, "wb", 1) if name.endswith(".gz") else open(path, "wb") as file:
        for piece, times in pieces:
            for _ in range(times // 100_000):
                file.write(piece * 100_000)
            file.write(piece * (times % 100_000))
    return path


def dry(folder, mapping, *inputs, stdin=None, sentences=100):
    return Ran(["--dry-run", sentences, "--json", "--map", write(folder, "map.json", mapping), *inputs], stdin)


def in_time(run, is_good, what, first_s=1):
    """A run that is to reach something before its deadline, which a slow machine may need more of."""
    for deadline_s in (first_s, 5 * first_s, 60):
        ran = run(deadline_s)
        if is_good(ran):
            return ran
    expect(False, what, ran.code, ran.counts, ran.told)
    return ran


@promise("a stray quote among good rows costs its own line, and is told with how many it took")
def _(folder):
    rows = [f"{1700000000 + i},u{i},item {i}" for i in range(1000)]
    rows[2] = '1700000002,u2,"12 inch record'
    ran = dry(folder, SECONDS, write(folder, "unclosed.csv", "ts,user,item\n" + "\n".join(rows) + "\n"), sentences=2000)
    expect((ran.code, ran["read"], ran["mapped"], ran["unmapped"]) == (2, 1000, 999, 1), ran.counts)
    expect("unclosed.csv:4: unmapped: a quote is opened in column 3 and not closed within 200 lines" in ran.told, ran.told)
    expect("took 201 lines" in ran.told, ran.told)
    expect([one["user"]["id"] for one in ran.sentences()] == [f"u{i}" for i in range(1000) if i != 2])


@promise("two stray quotes that make one good row of many are told, and with --strict their lines are rows")
def _(folder):
    rows = [f"{1700000000 + i},u{i},item {i}" for i in range(20)]
    rows[3], rows[9] = '1700000003,u3,"12 inch', '1700000009,u9,12"'
    path = write(folder, "pair.csv", "ts,user,item\n" + "\n".join(rows) + '\n1700000020,u20,"two\nlines, or\nthree"\n')
    ran = dry(folder, SECONDS, path)
    expect((ran.code, ran["mapped"], ran["suspect"], ran["further_lines"]) == (0, 15, 1, 8), ran.counts, ran.told)
    expect("pair.csv:5: the row has 7 lines, and those between" in ran.told, ran.told)
    ran = dry(folder, SECONDS, path, "--strict")
    expect((ran.code, ran["read"], ran["mapped"], ran["unmapped"], ran["further_lines"]) == (2, 21, 20, 1, 2), ran.counts,
           ran.told)


@promise("a TSV that does not quote, and a log with a damaged line, lose no good row")
def _(folder):
    mapping = {"app_id": "t", "null": "\\N", "time": {"value": "{year}", "format": "%Y"}, "content": {"id": "{title}"},
               "action": {"type": "A"}}
    tsv = 'id\ttitle\tyear\n1\t"Rome" the series\t2005\n2\t"Giliap\t1975\n3\tFoo\t1999\n4\t\\N\t\\N\n5\t"Bar" baz\t2001\n'
    ran = dry(folder, mapping, write(folder, "imdb.tsv", tsv))
    expect((ran["read"], ran["mapped"], ran["unmapped"]) == (5, 4, 1), ran.counts)
    expect("imdb.tsv:5: unmapped: the time is missing" in ran.told, ran.told)
    log = ('1 - - [20/May/2015:12:05:17 +0000] "GET /a" "agent without its quote\n'
           '2 - - [20/May/2015:12:05:25 +0000] "GET /b" "good"\n3 - - [20/May/2015:12:05:26 +0000] "GET /c" "good"\n')
    mapping = {"app_id": "t", "format": "csv", "delimiter": " ", "columns": ["ip", "a", "b", "t", "z", "request", "ua"],
               "time": {"value": "{t} {z}", "format": "[%d/%b/%Y:%H:%M:%S %z]"}, "user": {"ip": "{ip}"},
               "action": {"type": "HIT"}}
    ran = dry(folder, mapping, write(folder, "clf.log", log))
    expect((ran["mapped"], ran["unmapped"]) == (2, 1) and "clf.log:1: unmapped" in ran.told, ran.counts, ran.told)
    expect([one["user"]["ip"] for one in ran.sentences()] == ["2", "3"])


@promise("bytes that are no text are told and counted, left out with --strict, and read with their encoding")
def _(folder):
    latin = write(folder, "latin1.csv", b"ts;user;item\n1700000000;M\xfcller;Caf\xe9\n1700000001;x;y\n")
    mapping = {**SECONDS, "delimiter": ";"}
    ran = dry(folder, mapping, latin)
    expect((ran.code, ran["mapped"], ran["repaired"]) == (0, 2, 1) and "latin1.csv:2: repaired" in ran.told, ran.told)
    ran = dry(folder, mapping, latin, "--strict")
    expect((ran.code, ran["mapped"], ran["unmapped"]) == (2, 1, 1), ran.counts)
    ran = dry(folder, {**mapping, "encoding": "latin1"}, latin, "--strict")
    expect((ran.code, ran["repaired"], ran.sentences()[0]["user"]["id"]) == (0, 0, "Müller"), ran.counts)


@promise("a member that stands twice is told and counted: the last counts, in every place alike")
def _(folder):
    good = '{"ts":1700000000,"user":"u","item":"i"}\n'
    mapping = {**SECONDS, "action": {"type": "A", "data": "{d}", "one": "{d.x}", "*": "d"}}
    rows = write(folder, "rows.jsonl", good + '{"ts":1,"user":"a","item":"i","ts":1700000001,"user":"b"}\n'
                 '{"ts":1700000002,"user":"c","item":"i","d":{"x":1,"y":2,"x":3}}\n'
                 + json.dumps({"ts": 1700000003, "user": "d", "item": "i", "d": "!"}).replace("!", '{\\"x\\":1,\\"x\\":3}') + "\n")
    ran = dry(folder, mapping, rows)
    expect((ran.code, ran["mapped"], ran["repeated"]) == (0, 4, 3), ran.counts, ran.told)
    expect('rows.jsonl:2: the member "ts" stands twice; the last counts' in ran.told, ran.told)
    expect('rows.jsonl:3: the member "x" stands twice; the last counts' in ran.told and "rows.jsonl:4:" in ran.told, ran.told)
    found = [(one["user"]["id"], {**one["action"]}) for one in ran.sentences()]
    expect([name for name, _ in found] == ["u", "b", "c", "d"], found)
    expect(found[2][1] == {"type": "A", "data": '{"x":3,"y":2}', "one": "3", "x": "3", "y": "2"}, found)
    ran = dry(folder, mapping, rows, "--strict", "--complaints", "0")
    expect((ran.code, ran["mapped"], ran["unmapped"], ran["repeated"]) == (2, 1, 3, 3), ran.counts, ran.told)
    expect('3 more rows like this: unmapped: the member "ts" stands twice (the first: ' in ran.told
           and "rows.jsonl:2)" in ran.told, ran.told)
    # JSON in a column of a CSV, and the rule that skips.
    columns = write(folder, "rows.csv", 'ts,user,item,d\n1700000000,u,i,"{""x"":1,""x"":3}"\n1700000000,u,i,"{""x"":3,""x"":1}"\n')
    ran = dry(folder, {**mapping, "skip": {"column": "d.x", "equals": "1"}}, columns)
    expect((ran.code, ran["mapped"], ran["skipped"], ran["repeated"]) == (0, 1, 1, 2), ran.counts, ran.told)
    # Around the rows, and where the array of the rows stands twice.
    mapping = {**SECONDS, "rows": "p[].r[]", "content": {"id": "{^id}"}}
    row = '{"ts":1700000000,"user":"u"}'
    for name in ("pages.json", "pages.jsonl"):
        pages = write(folder, name, '{"p":[{"id":"a","id":"b","r":[%s,%s]},{"id":"c","r":[%s]},{"r":[%s],"id":"d","r":[]}]}\n'
                      % ((row,) * 4))
        ran = dry(folder, mapping, pages)
        expect((ran.code, ran["mapped"], ran["unmapped"], ran["repeated"]) == (2, 3, 1, 2), ran.counts, ran.told)
        expect([one["content"]["id"] for one in ran.sentences()] == ["b", "b", "c"], ran.lines)
        expect('unmapped: the member "r" stands twice, and the last has no rows' in ran.told, ran.told)


@promise("half of a character, as \\ud800 is one, is told and counted like bytes that are no text")
def _(folder):
    rows = write(folder, "rows.jsonl", '{"ts":1700000000,"user":"\\ud800x","item":"\\udc00"}\n{"ts":1700000001,"user":"\\ud83d\\ude00"}\n')
    ran = dry(folder, SECONDS, rows)
    expect((ran.code, ran["mapped"], ran["repaired"]) == (0, 2, 1), ran.counts, ran.told)
    expect("rows.jsonl:1: repaired with U+FFFD: 2 escapes such as \\ud800 are half of a character" in ran.told, ran.told)
    expect([one["user"]["id"] for one in ran.sentences()] == ["\ufffdx", "\U0001f600"], ran.lines)
    ran = dry(folder, SECONDS, rows, "--strict")
    expect((ran.code, ran["mapped"], ran["unmapped"]) == (2, 1, 1), ran.counts, ran.told)
    columns = write(folder, "rows.csv", 'ts,user,item\n1700000000,"{""n"":""\\ud800""}",i\n')
    ran = dry(folder, {**SECONDS, "user": {"id": "{user.n}"}}, columns)
    expect((ran.code, ran["mapped"], ran["repaired"]) == (0, 1, 1) and "rows.csv:2: repaired" in ran.told, ran.counts, ran.told)


@promise("a column that no row has is told with the nearest name, and an error with --strict")
def _(folder):
    rows = write(folder, "one.jsonl", '{"ts":1700000000,"user":"a","item":"x"}\n')
    mapping = {**SECONDS, "user": {"id": "{usr}"}}
    ran = dry(folder, mapping, rows)
    expect(ran.code == 0 and 'map.json: no row has a column "usr"; did you mean "user"?' in ran.told, ran.code, ran.told)
    expect(dry(folder, mapping, rows, "--strict").code == 2)
    expect(dry(folder, SECONDS, rows, "--strict").code == 0)


@promise("a document where lines were meant is one sentence")
def _(folder):
    rows = [{"ts": 1700000000 + i, "user": f"u{i}", "item": i} for i in range(1000)]
    document = write(folder, "document.json", json.dumps({"statuses": rows}, indent=1))
    ran = dry(folder, SECONDS, document)
    expect(ran.code == 64 and len(ran.told.splitlines()) == 1 and '"rows": "statuses[]"' in ran.told, ran.code, ran.told)
    ran = dry(folder, {**SECONDS, "rows": "statuses[]"}, document)
    expect((ran.code, ran["mapped"]) == (0, 1000), ran.code, ran.counts)
    ran = dry(folder, SECONDS, write(folder, "line.json", json.dumps({"statuses": rows})))
    expect(ran.code == 2 and 'say "rows": "statuses[]"' in ran.told, ran.code, ran.told)
    ran = dry(folder, SECONDS, write(folder, "array.json", json.dumps(rows)))
    expect((ran.code, ran["mapped"]) == (0, 1000), ran.code, ran.counts)


@promise("a document without rows is told and counted, and reading goes on; where none has any the exit code is 2")
def _(folder):
    page = '{"statuses":[{"ts":1700000000,"user":"u","item":"i"}]}\n'
    mapping = {**SECONDS, "rows": "statuses[]"}
    for name in ("pages.json", "pages.jsonl"):
        ran = dry(folder, mapping, write(folder, name, page + '{}\n{"statuses":null}\n7\n{"error":1,"code":2}\n' + page))
        expect((ran.code, ran["read"], ran["mapped"], ran["without_rows"]) == (0, 2, 2, 4), ran.code, ran.counts, ran.told)
        expect(f'{name}:5: no rows: "rows" asks for a member "statuses", and here are error, code' in ran.told, ran.told)
        ran = dry(folder, mapping, write(folder, name, '{"status":[]}\n' * 30))
        expect((ran.code, ran["read"], ran["without_rows"]) == (2, 0, 30), ran.code, ran.counts, ran.told)
        expect('map.json: "rows" leads to no row in any input' in ran.told and "10 more" in ran.told, ran.told)
        ran = dry(folder, mapping, write(folder, name, '{"statuses":[]}\n'))
        expect((ran.code, ran["without_rows"]) == (0, 1) and "no rows" not in ran.told, ran.code, ran.counts, ran.told)


@promise("a member whose name a sentence cannot take is left out, counted, and told once with its name")
def _(folder):
    rows = "".join(json.dumps({"ts": 1700000000 + i, "user": "u", "item": "i", "유저": "김", "평점": i or None, "größe": 1,
                               "n" * 65: 2}, ensure_ascii=False) + "\n" for i in range(3))
    mapping = {**SECONDS, "action": {"type": "A", "*": {"from": "*", "except": ["ts", "user", "item"]}}}
    for name, text in (("rows.jsonl", rows),
                       ("rows.csv", f"ts,user,item,유저,평점,größe,{'n' * 65}\n" + "".join(
                           f"{1700000000 + i},u,i,김,{i or ''},1,2\n" for i in range(3)))):
        path = write(folder, name, text)
        ran = dry(folder, mapping, path)
        expect((ran.code, ran["mapped"], ran["left_out"]) == (0, 3, 3), ran.counts, ran.told)
        expect([one["action"] for one in ran.sentences()] == [{"type": "A", "gr__e": "1"}] * 3, ran.lines)
        for what in ('the member "유저" of action is left out of 3 rows, first of row 1: ',
                     'the member "평점" of action is left out of 2 rows, first of row 2: ', f'the member "{"n" * 65}" of action'):
            expect(ran.told.count(what) == 1, what, ran.told)
        ran = dry(folder, mapping, path, "--strict")
        expect((ran.code, ran["mapped"], ran["unmapped"]) == (2, 0, 3) and 'the member "유저" of action is left out' in ran.told,
               ran.counts, ran.told)
        named = {**mapping, "action": {"type": "A", "guest": "{유저}"}}
        ran = dry(folder, named, path)
        expect(ran["left_out"] == 0 and ran.sentences()[0]["action"]["guest"] == "김", ran.counts, ran.told)


@promise("several inputs and stdin are read in order, and --limit ends them")
def _(folder):
    header = "ts,user,item\n"
    one = write(folder, "one.csv", header + "1700000000,a,1\n")
    two = write(folder, "two.csv.gz", gzip.compress(b"item,user,ts\n2,b,1700000001\nx,x,x\n"))
    mapping = {**SECONDS, "format": "csv", "content": {"id": "{item}", "row": "{#}"}}
    ran = dry(folder, mapping, one, two, "-", stdin=(header + "1700000002,c,3\n").encode())
    expect([(line["user"]["id"], line["content"]["row"]) for line in ran.sentences()] == [("a", "1"), ("b", "2"), ("c", "4")],
           ran.lines)
    expect((ran["read"], ran["unmapped"], ran["lines"]) == (4, 1, 7) and "two.csv.gz:3: unmapped" in ran.told, ran.counts)
    both = write(folder, "quoted.csv", 'ts,user,item\n1700000000,a,"x\n1,b,y\nz"\n')
    lines = write(folder, "lines.jsonl", '{"ts":1700000000,"user":"c","item":"i"}\n')
    ran = dry(folder, SECONDS, lines, both, lines)
    expect((ran["mapped"], ran["suspect"], ran["further_lines"]) == (3, 1, 2), ran.counts, ran.told)
    ran = dry(folder, mapping, one, two, "--limit", "2")
    expect((ran.code, ran["read"], ran["mapped"]) == (0, 2, 2), ran.counts)
    other = write(folder, "three.csv", "ts,item\n1,2\n")
    missing = dry(folder, mapping, one, two, other)
    expect(missing.code == 64 and "three.csv: the mapping asks" in missing.told and not missing.lines, missing.told)
    missing = dry(folder, {**mapping, "user": {"id": "{User_id}"}}, one, two)
    expect(missing.code == 64 and "asks for a column" in missing.told, missing.told)


@promise("a mapping or a header that does not fit is one sentence with the cause")
def _(folder):
    rows = write(folder, "rows.csv", "ts,user,item\n1700000000,u,i\n")
    ran = Ran(["--dry-run", "1", "--map", folder, rows])
    expect(ran.code == 64 and f"{folder} cannot be read: Is a directory" in ran.told, ran.code, ran.told)
    for more, what in (({"rows": "a[]"}, '"rows" is for JSON, and this input is none'),
                       ({"quote": ","}, "the quote is the delimiter as well")):
        ran = dry(folder, {**SECONDS, **more}, rows)
        expect(ran.code == 64 and what in ran.told and "map.json" in ran.told and "rows.csv" in ran.told, ran.code, ran.told)
    ran = dry(folder, {**SECONDS, "quote": ""}, write(folder, "plain.csv", 'ts,user,item\n1700000000,"u,i\n'))
    expect(ran.code == 0 and ran.sentences()[0]["user"]["id"] == '"u', ran.code, ran.told)
    twice = write(folder, "twice.csv", "ts,user,item,user\n1700000000,u1,i,u2\n")
    ran = dry(folder, SECONDS, rows, twice)
    expect((ran.code, [one["user"]["id"] for one in ran.sentences()]) == (0, ["u", "u2"]), ran.code, ran.told)
    expect(ran.told.count('twice.csv:1: two columns have the name "user"; the last of them counts') == 1, ran.told)
    ran = dry(folder, SECONDS, rows, twice, "--strict")
    expect(ran.code == 64 and 'two columns have the name "user"' in ran.told and not ran.lines, ran.code, ran.told)


@promise("what an endpoint asks of its clients is not obeyed: every row was there before it was asked")
def _(folder):
    rows = [write(folder, f"{name}.csv", f"ts,user,item\n1700000000,u,{name}\n") for name in ("one", "two")]
    with Collector(options.collector, folder) as collector:
        collector.ask("/micro/policy", b'{"for_s":600,"stop":["*"],"pause_s":600}')
        for path in rows:
            ran = Ran(["--endpoint", collector.url, "--key", f"key:{SECRET}", "--queue", folder / "queue", "--map",
                       write(folder, "map.json", SECONDS), "--deadline", "120", "--json", path])
            expect((ran.code, ran["delivered"]) == (0, 1), ran.code, ran.counts, ran.told)
        collector.expect_once(["one", "two"])


@promise("SIGHUP ends a run in order, with its counts")
def _(folder):
    mapping = write(folder, "map.json", SECONDS)
    rows = write(folder, "rows.csv", "ts,user,item\n" + "1700000000,u,i\n" * 10_000)
    for stop in (signal.SIGHUP, signal.SIGTERM):
        # What outlives its terminal ignores the signal, and these tests may have been started so.
        hearing = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
        with subprocess.Popen([sys.executable, "-S", "-c", hearing, options.replay, "--dry-run", "0", "--json", "--rate", "10",
                               "--progress", "0.1", "--map", mapping, rows], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as run:
            expect(run.stderr.readline().startswith(b"progress: "), "the run ended by itself")
            run.send_signal(stop)
            counts = json.loads(run.stdout.read() or b"{}")
            expect(run.wait() == 128 + stop and 0 < counts["read"] < 10_000, stop, run.returncode, counts)


@promise("each kind of complaint is told so many times, and then counted")
def _(folder):
    rows = "".join(f"soon{i},u,i\n" if i % 2 else f"{i},u\n" for i in range(10_000))
    bad = write(folder, "bad.csv", "ts,user,item\n" + rows)
    ran = dry(folder, SECONDS, bad)
    expect(ran["unmapped"] == 10_000 and ran.told.count(": unmapped: ") == 42, ran.counts, ran.told.count(": unmapped: "))
    expect(ran.told.count("4980 more rows like this: unmapped: ") == 2 and "bad.csv:2)" in ran.told, ran.told)
    expect(dry(folder, SECONDS, bad, "--complaints", "0").told.count("5000 more rows like this") == 2)


@promise("a dry run shows what would be sent, in words and as JSON, and leaves nothing behind")
def _(folder):
    rows = write(folder, "rows.csv", "ts,user,item\n" + "".join(f"1700000000,u{i},i{i}\n" for i in range(1500)))
    before = {"TMPDIR": str(folder)}
    os.environ.update(before)
    try:
        ran = Ran(["--dry-run", "2", "--map", write(folder, "map.json", SECONDS), rows])
    finally:
        del os.environ["TMPDIR"]
    expect(ran.code == 0 and json.loads(ran.lines[0])["content"]["id"] == "i0" and ran.lines[1].strip() == "u0 did A i0",
           ran.lines[:4])
    expect(ran.lines[3].strip() == "u1 did A i1" and ran.lines[4].startswith("lines"), ran.lines[:6])
    expect(not list(folder.glob("yukha-dry-run*")), "the queue of the dry run is still there")


@promise("a row that is too long for a sentence is named with its largest member, or cut where the mapping says so")
def _(folder):
    texts = ["x" * 40_000, '"' * 20_000, "\x01" * 9_000, "é" * 20_000, "\U0001f600" * 10_000, "short"]
    rows = [{"ts": 1700000000, "user": "u" * 900, "item": "i", "text": text, "note": "n" * 5_000} for text in texts]
    rows.append({**rows[-1], "user": "u" * 40_000})
    mapping = {**SECONDS, "content": {"id": "{item}", "text": "{text}", "note": "{note}"}}
    path = write(folder, "long.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    ran = dry(folder, mapping, path)
    expect((ran["mapped"], ran["unmapped"], ran["refused"]) == (1, 6, 6), ran.counts, ran.told)
    expect("its largest member is content.text with 40000 bytes" in ran.told, ran.told)
    expect("its largest member is user.id with 40000 bytes" in ran.told, ran.told)
    ran = dry(folder, {**mapping, "too_long": "cut"}, path)
    expect((ran.code, ran["mapped"], ran["cut"]) == (0, 7, 6), ran.counts, ran.told)
    expect("long.jsonl:1: cut: content.text is too long" in ran.told, ran.told)
    for text, found in zip(texts[:5], ran.sentences()):
        kept = found["content"]["text"]
        expect(kept[-1] == "…" and text.startswith(kept[:-1]) and len(json.dumps(kept, ensure_ascii=False).encode()) > 22_000,
               len(kept))


@promise("what an input says cannot steer a terminal")
def _(folder):
    ran = dry(folder, SECONDS, write(folder, "rows.csv", "ts,user,item\n\x1b[31mred\x07,u,i\n"))
    expect('the time "\\x1B[31mred\\x07" is not' in ran.told and "\x1b" not in ran.told, ran.told)


@promise("a gzip bomb and a row of 100 MB cost little memory, are told with their length, and rows behind them are read")
def _(folder):
    header, good = (b"ts,user,item\n", 1), (b"1700000000,u,good\n", 1)
    most = 0
    for name, read, lines, *pieces in (
            ("bomb.csv.gz", 2, 3, (b"x", 200_000_000), (b"\n", 1)),
            ("blank.csv.gz", 1, 5_000_002, (b"\n", 5_000_000)),
            ("row.csv", 2, 3, (b'1700000000,"', 1), (b"y", 100_000_000), (b'",i\n', 1)),
            ("quote.csv", 200_002, 200_003, (b'1700000000,"u,i\n', 1), (b"1700000000,u,i\n", 200_000))):
        ran = dry(folder, SECONDS, write_pieces(folder, name, header, *pieces, good), sentences=1)
        expect((ran["read"], ran["mapped"], ran["lines"]) == (read, read - (name != "blank.csv.gz"), lines), name, ran.counts)
        if name in ("bomb.csv.gz", "row.csv"):
            expect(f"{name}:2: unmapped: the line has {200000001 if name.endswith('gz') else 100000016} bytes" in ran.told,
                   ran.told)
        most = max(most, ran.memory_kib)
    long, short = b'{"ts":1700000000,"user":"', b'{"ts":1700000000,"user":"u","item":"i"}'
    for name, *pieces in (
            ("row.jsonl", (long, 1), (b"y", 100_000_000), (b'"}\n' + short, 1)),
            ("row.json", (b"[" + long, 1), (b"y", 100_000_000), (b'"},' + short + b"]", 1))):
        ran = dry(folder, SECONDS, write_pieces(folder, name, *pieces))
        expect((ran.code, ran["read"], ran["mapped"]) == (2, 2, 1), name, ran.code, ran.counts, ran.told)
        expect("has 1000000" in ran.told and "16 MiB" in ran.told, ran.told)
        most = max(most, ran.memory_kib)
    # A sanitizer's shadow is several times what the program needs by itself.
    expect(most < 600_000, most, "KiB at the most")
    return f"{most / 1024:.0f} MiB at the most"


@promise("a mapping of 10 MB, or one without an end, is refused at once")
def _(folder):
    rows = write(folder, "rows.csv", "ts,user,item\n1700000000,u,i\n")
    mapping = write_pieces(folder, "map.json", (b'{"fields":{"f":{"value":"{user}","lookup":{"a":"b"', 1),
                           (b',"c":"d"', 1_200_000), (b"}}}}", 1))
    ran = Ran(["--dry-run", "1", "--map", mapping, rows])
    expect(ran.code == 64 and "at most 1 MiB" in ran.told, ran.code, ran.told[:300])
    ran = Ran(["--dry-run", "1", "--map", "/dev/zero", rows])
    expect(ran.code == 64 and "at most 1 MiB" in ran.told, ran.code, ran.told[:300])
    expect(ran.memory_kib < 300_000, ran.memory_kib)


@promise("the deadline holds while an input is hashed, has no line end, or is passed over")
def _(folder):
    mapping = write(folder, "map.json", SECONDS)
    huge = folder / "huge.csv"
    with open(huge, "wb") as file:
        file.truncate(200 << 30)
    where = ["--endpoint", "http://127.0.0.1:9", "--key", f"key:{SECRET}", "--map", mapping, "--json"]
    ran = Ran([*where, "--queue", folder / "one", "--deadline", "1", huge])
    expect(ran.code == 3 and "the deadline came before the first row" in ran.told, ran.code, ran.told)
    ran = Ran(["--dry-run", "1", "--deadline", "1", "--map", mapping, "--json", huge])
    expect(ran.code == 3, ran.code, ran.told)
    with open(huge, "r+b") as file:
        file.write(b"ts,user,item\n1700000000,u,i\n")
    in_time(lambda deadline_s: Ran(["--dry-run", "1", "--deadline", deadline_s, "--map", mapping, "--json", huge]),
            lambda ran: ran.code == 3 and ran.counts.get("read") == 1, "the row before the hole:")


@promise("rows that come through a pipe one by one are read as they come, and the deadline holds while none comes")
def _(folder):
    mapping = write(folder, "map.json", SECONDS)
    pieces = [b"\xef", b"\xbb\xbfts,us", b"er,item\n17000", b"00000,M\xc3", b"\xbcller,i\n1700000001,u,i\n", b"1700000002,cut"]
    for packed in (False, True):
        def run(deadline_s):
            packer = zlib.compressobj(wbits=31)
            read_end, write_end = os.pipe()
            with open(read_end, "rb") as stdin, open(write_end, "wb", 0) as feed:
                def write_all():
                    for piece in pieces:
                        feed.write(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) if packed else piece)
                        time.sleep(0.05)
                feeder = threading.Thread(target=write_all)
                feeder.start()
                # Nothing more comes then, and the pipe stays open.
                ran = Ran(["--dry-run", "9", "--deadline", deadline_s, "--map", mapping, "--format", "csv", "--json", "-"],
                          stdin_file=stdin)
                feeder.join()
            return ran
        ran = in_time(run, lambda ran: ran.code == 3 and ran.counts.get("delivered") == 2, "the rows of the pipe:", 3)
        expect([one["user"]["id"] for one in ran.sentences()] == ["Müller", "u"], ran.lines)
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    ran = Ran(["--dry-run", "9", "--deadline", "0.5", "--map", mapping, "--format", "csv", "--json", fifo])
    expect(ran.code == 3 and "the deadline came" in ran.told, ran.code, ran.told)
    whole = gzip.compress(b"ts,user,item\n1700000000,u,i\n")
    for tail, code, text in ((b"\0" * 1000, 0, ""), (b"rows", 1, "what follows is no gzip"), (whole[:20], 1, "unexpected end")):
        ran = dry(folder, {**SECONDS, "format": "csv"}, "-", stdin=whole + tail)
        expect(ran.code == code and text in ran.told, ran.code, ran.told)


@promise("a resumed run refuses another input, another mapping, a damaged journal and what it cannot read again")
def _(folder):
    one = write(folder, "one.csv", "ts,user,item\n1700000000,a,1\n")
    two = write(folder, "two.csv", "ts,user,item\n1700000000,b,2\n")
    mapping = write(folder, "map.json", SECONDS)
    where = ["--endpoint", "http://127.0.0.1:9", "--key", f"key:{SECRET}", "--queue", folder / "queue", "--json"]
    in_time(lambda deadline_s: Ran([*where, "--deadline", deadline_s, "--map", mapping, "--resume", one, two]),
            lambda ran: ran.code == 3 and ran.counts.get("accepted") == 2, "two rows are kept:")
    where += ["--deadline", "1"]
    again = in_time(lambda deadline_s: Ran([*where, "--deadline", deadline_s, "--map", mapping, "--resume", one, two]),
                    lambda ran: ran.code == 3 and ran.counts.get("read") == 2, "two rows are passed over:")
    expect(again["accepted"] == 2, again.counts)
    for inputs in ([one], [two, one], [one, two, two]):
        ran = Ran([*where, "--map", mapping, "--resume", *inputs])
        expect(ran.code == 64 and "has other bytes" in ran.told, ran.code, ran.told)
    expect("--strict or --format was changed" in Ran([*where, "--map", mapping, "--resume", "--strict", one, two]).told)
    expect(Ran([*where, "--map", mapping, "--resume", "--limit", "1", one, two]).code == 3)
    other = write(folder, "other.json", {**SECONDS, "comment": "changed"})
    expect(Ran([*where, "--map", other, "--resume", one, two]).code == 64)
    ran = Ran([*where, "--map", mapping, "--resume", "--format", "csv", "-"], stdin=b"ts,user,item\n")
    expect(ran.code == 64 and "read only once" in ran.told, ran.code, ran.told)
    journal = folder / "queue" / "replay.json"
    for damage in (journal.read_bytes()[:50], b"", b"[]", b'{"format":1}', b"\0" * 1000):
        journal.write_bytes(damage)
        ran = Ran([*where, "--map", mapping, "--resume", one, two])
        expect(ran.code == 64 and "no journal of yukha-replay" in ran.told, ran.code, ran.told)


@promise("what was read before an input breaks off is delivered, and the way on is told")
def _(folder):
    header, good = b"ts,user,item\n", b"1700000000,u,%d\n"
    rows = header + b"".join(good % i for i in range(3))
    packer = zlib.compressobj(wbits=31)
    cut = packer.compress(rows + good % 3) + packer.flush(zlib.Z_SYNC_FLUSH)
    mapping = write(folder, "map.json", {**SECONDS, "format": "csv"})
    one = write(folder, "one.csv", rows)
    broken = write(folder, "broken.csv.gz", cut)
    with Collector(options.collector, folder) as collector:
        def run(queue, *arguments, stdin=None):
            return Ran(["--endpoint", collector.url, "--key", f"key:{SECRET}", "--queue", folder / queue, "--map", mapping,
                        "--deadline", "120", "--json", *arguments], stdin=stdin)
        # A pipe: its queue is free for the next run at once.
        ran = run("pipe", "-", stdin=cut)
        expect((ran.code, ran["delivered"], ran["waiting"]) == (1, 4, 0), ran.code, ran.counts, ran.told)
        expect("stdin cannot be read on: unexpected end of file; what was read before is delivered first" in ran.told, ran.told)
        expect("taken up to row 4 (stdin, line 5)" in ran.told and "came through a pipe cannot be read again: give what stands behind that row to a new run"
               in ran.told, ran.told)
        ran = run("pipe", one, "-", stdin=b"")
        expect((ran.code, ran["delivered"], ran["waiting"]) == (64, 3, 0) and "the input is empty" in ran.told, ran.counts, ran.told)
        expect(run("pipe", "-", stdin=rows).code == 0)
        # Files: their journal stays, for they may be readable again.
        ran = run("files", one, broken)
        expect((ran.code, ran["delivered"], ran["waiting"]) == (1, 7, 0), ran.code, ran.counts, ran.told)
        expect("taken up to row 7 (" in ran.told and "the same command with --resume goes on behind it" in ran.told, ran.told)
        ran = run("files", one, broken)
        expect(ran.code == 64 and "go on with --resume" in ran.told, ran.code, ran.told)
        ran = run("files", "--resume", one, broken)
        expect((ran.code, ran["read"], ran["accepted"], ran["delivered"]) == (1, 7, 7, 7), ran.code, ran.counts, ran.told)
        expect(len(collector.lines()) == 4 + 3 + 3 + 7)
    # Where nobody takes them, what waits is told as well; the journal of a pipe says that it cannot be resumed.
    ran = in_time(lambda deadline_s: Ran(["--endpoint", "http://127.0.0.1:9", "--key", f"key:{SECRET}", "--queue",
                                          folder / f"down{deadline_s}", "--map", mapping, "--deadline", deadline_s, "--json", "-"],
                                         stdin=cut),
                  lambda ran: ran.code == 1 and ran.counts.get("waiting") == 4, "four rows wait:")
    expect("4 sentences wait in" in ran.told and "any run with this --queue and endpoint delivers them" in ran.told, ran.told)
    expect("not delivered: no answer: " in ran.told, ran.told)


@promise("one row that a pattern or far elements would keep for minutes is told, and the others go on")
def _(folder):
    long = "a" * 1_000_000
    rows = write(folder, "rows.jsonl", "".join(json.dumps({"ts": "1700000000", "user": "u", "item": item}) + "\n"
                                               for item in ("xb", long, "yb")))
    # 1,000 parts that may each be there or not: a text of a million characters takes some 3 * 10^9 steps.
    slow = {"value": "{item}", "capture": "((?:a?){1000})b"}
    cases = [{**SECONDS, "fields": {"slow": slow}, "content": {"id": "{slow.1}", "whole": "{item}"}},
             {**SECONDS, "skip": [{"column": "item", "matches": "(?:a?){1000}c"}], "content": {"id": "i"}}]
    for mapping in cases:
        ran = Ran(["--dry-run", "9", "--map", write(folder, "map.json", mapping), "--json", rows])
        expect(ran["mapped"] == 2 and ran["unmapped"] == 1 and "takes too long" in ran.told, ran.counts, ran.told)
    far = write(folder, "far.jsonl", json.dumps({"ts": "1700000000", "user": "u", "item": "i", "a": [0] * 900_000}) + "\n")
    value = "".join(f"{{a[{899_999 - i % 7}]}}" for i in range(3_000))
    ran = Ran(["--dry-run", "9", "--map", write(folder, "map.json", {**SECONDS, "content": {"id": value}}), "--json", far])
    expect(ran["unmapped"] == 1 and "takes too long" in ran.told, ran.counts, ran.told[:300])


@promise("a planted journal is neither waited for, nor read without an end, nor written through")
def _(folder):
    one = write(folder, "one.csv", "ts,user,item\n1700000000,a,1\n")
    mapping = write(folder, "map.json", SECONDS)

    def run(name, plant, *arguments):
        queue = folder / name
        queue.mkdir(mode=0o700)
        plant(queue / "replay.json")
        return Ran(["--endpoint", "http://127.0.0.1:9", "--key", f"key:{SECRET}", "--queue", queue, "--map", mapping,
                    "--deadline", "1", "--json", one, *arguments])
    for name, plant in (("pipe", os.mkfifo), ("zero", lambda path: path.symlink_to("/dev/zero")),
                        ("large", lambda path: path.write_bytes(b" " * 70_000)),
                        ("link", lambda path: path.symlink_to(one))):
        ran = run(name, plant)
        expect(ran.code == 64 and "replay.json" in ran.told, name, ran.code, ran.told)
    mine = write(folder, "mine", "precious")
    ran = run("beside", lambda path: path.with_name("replay.json.tmp").symlink_to(mine))
    expect(ran.code == 3 and mine.read_text() == "precious", ran.code, ran.told)
    expect((folder / "beside" / "replay.json").stat().st_mode & 0o777 == 0o600, "the journal is its owner's alone")


@promise("nothing that a terminal obeys is printed, whoever named it")
def _(folder):
    evil = "\x1b]0;evil\x07\u009b31m\u202e\u2066"
    mapping = write(folder, "map.json", {**SECONDS, "time": {"value": "{item}", "unit": "s"}})
    path = folder / f"rows{evil}.csv"
    path.write_text(f"ts,user,item\n1,u,{evil}\n", encoding="utf-8")
    ran = Ran(["--dry-run", "9", "--map", mapping, "--json", path])
    expect(ran["unmapped"] == 1 and "\\x1B]0;evil\\x07\\xC2\\x9B31m\\xE2\\x80\\xAE\\xE2\\x81\\xA6" in ran.told, ran.told)
    expect(not any(one in ran.told for one in evil if not one.isalnum() and one not in "];"), repr(ran.told))


@promise("why sentences were not delivered is told at the end, each reason once with its count")
def _(folder):
    class Endpoint(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            lines = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))).splitlines()
            status, answer = int(self.path[1:4]), {"error": "signature"}
            if status == 200:
                rejected = [{"line": i + 1, "reason": f"member {i} is odd" if i % 3 else "too old"} for i in range(len(lines))
                            if b'"item' in lines[i] and i % 2]
                answer = {"accepted": len(lines) - len(rejected), "rejected": rejected}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    rows = write(folder, "rows.csv", "ts,user,item\n" + "".join(f"1700000000,u,item{i}\n" for i in range(24)))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        def run(status):
            return lambda deadline_s: Ran(
                ["--endpoint", f"http://127.0.0.1:{server.server_port}/{status}", "--key", f"key:{SECRET}", "--queue",
                 folder / f"{status}-{deadline_s}", "--map", write(folder, "map.json", SECONDS), "--deadline", deadline_s, "--json",
                 rows])
        for status, words in ((404, "HTTP 404"), (401, "HTTP 401 (signature)")):
            ran = in_time(run(status), lambda ran: ran.code == 3 and "not delivered" in ran.told, "a request was refused:")
            expect(f"yukha-replay: not delivered: {words} (" in ran.told and ran.told.count("not delivered:") == 1, ran.told)
        ran = in_time(run(200), lambda ran: ran.code == 4, "some rows are in quarantine:")
        expect(ran["quarantined"] > 8 and ran["delivered"] + ran["quarantined"] == 24, ran.counts, ran.told)
        told = dict(re.findall(r"yukha-replay: in quarantine: (\D+)\d* ?.*\((\d+) sentences?\)", ran.told))
        expect(set(told) == {"member ", "too old "} and sum(map(int, told.values())) == ran["quarantined"], told, ran.told)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- a million rows of six shapes ------------------------------------------------------------------------------------

def six_shapes(folder, rows):
    """Each shape's file and mapping, and what must come of it: rows, unmapped, skipped, the numbers of those that arrive."""
    dice = random.Random(1)
    each = rows // 6
    shapes = []

    def shape(name, mapping, text, kinds, first):
        encoding = {"euc-kr": "cp949"}.get(mapping.get("encoding"), mapping.get("encoding", "utf-8"))
        content = text.encode(encoding)
        path = write(folder, name, gzip.compress(content, 1) if name.endswith(".gz") else content)
        mapping_path = write(folder, name + ".map", {"app_id": "six", **mapping})
        arrive = [first + i for i, kind in enumerate(kinds) if kind == "good"]
        shapes.append((path, mapping_path, collections.Counter(kinds), arrive))

    def kinds():
        return [dice.choices(["good", "bad", "skip"], [98, 1, 1])[0] for _ in range(each)]

    skip = {"column": "kind", "equals": "skip"}
    some = kinds()
    text = "n,kind,ts,text\n" + "".join(
        f'{i},{kind},{"soon" if kind == "bad" else 1700000000 + i},"a, ""quoted"" text{chr(10) if i % 50 == 0 else ""}, {i}"\n'
        for i, kind in enumerate(some))
    shape("quoted.csv", {"time": {"value": "{ts}", "unit": "s"}, "content": {"id": "{n}", "text": "{text}"},
                         "action": {"type": "{kind}"}, "skip": skip}, text, some, 0)
    some = kinds()
    text = "n\tkind\tts\n" + "".join(
        f'{each + i}\t{kind}\t{"31.02.2024" if kind == "bad" else "28.02.2024"} 12:00\n' for i, kind in enumerate(some))
    shape("plain.tsv.gz", {"time": {"value": "{ts}", "format": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin"},
                           "content": {"id": "{n}"}, "action": {"type": "{kind}"}, "skip": skip}, text, some, each)
    some = kinds()
    text = "".join(json.dumps({"n": 2 * each + i, "kind": kind, "ts": 1700000000000 + i, "o": {"a": [1, {"b": i}], "c": "x"}})[
        :-1 if kind == "bad" else None] + "\n" for i, kind in enumerate(some))
    shape("events.jsonl", {"time": {"value": "{ts}", "unit": "ms"}, "content": {"id": "{n}"},
                           "action": {"type": "{kind}", "*": "o"}, "skip": skip}, text, some, 2 * each)
    some = kinds()
    groups = [some[at:at + 7] for at in range(0, len(some), 7)]
    text = json.dumps({"products": [{"id": f"p{at}", "reviews": [
        {"n": 3 * each + at * 7 + i, "kind": kind, "at": None if kind == "bad" else "2024-02-28T12:00:00Z"}
        for i, kind in enumerate(group)]} for at, group in enumerate(groups)]}, indent=0)
    shape("reviews.json", {"rows": "products[].reviews[]", "time": {"value": "{at}", "unit": "rfc3339"},
                           "content": {"id": "{n}", "of": "{^id}"}, "action": {"type": "{kind}"}, "skip": skip}, text, some,
          3 * each)
    some = kinds()
    text = "".join(
        f'192.0.2.{i % 250} - - [20/May/2015:12:05:17 +0000] "{"" if kind == "bad" else "GET "}/{kind}/{4 * each + i} HTTP/1.1" 200\n'
        for i, kind in enumerate(some))
    shape("access.log.gz", {
        "fields": {"hit": {"value": "{line}",
                           "capture": r"^(\S+) \S+ \S+ \[(?P<t>[^\]]+)\] \"(?P<verb>\w+) (?P<path>/(?P<kind>\w+)/(?P<n>\d+)) "}},
        "time": {"value": "{hit.t}", "format": "%d/%b/%Y:%H:%M:%S %z"}, "location": "https://x{+hit.path}",
        "content": {"id": "{hit.n}"}, "action": {"type": "{hit.verb}"},
        "skip": {"column": "hit.kind", "equals": "skip"}}, text, some, 4 * each)
    some = kinds()
    text = "".join(f'{5 * each + i};{kind};{"x" if kind == "bad" else 45000 + i % 1000},25;한글 {i}\r\n'
                   for i, kind in enumerate(some))
    shape("sheet.csv", {"encoding": "euc-kr", "delimiter": ";", "columns": ["n", "kind", "day", "text"],
                        "time": {"value": "{day}", "unit": "excel", "decimal": ",", "zone": "Asia/Seoul"},
                        "content": {"id": "{n}", "text": "{text}"}, "action": {"type": "{kind}"}, "skip": skip}, text, some,
          5 * each)
    return shapes


@promise("rows of six shapes arrive, each once, and the sum of what they carry is exact")
def _(folder):
    key_file = write(folder, "keys", f"key:{SECRET}\n")
    arrive, seconds, most, read = [], 0.0, 0, 0
    told = []
    with Collector(options.collector, folder) as collector:
        for path, mapping, kinds, numbers in six_shapes(folder, options.rows):
            ran = Ran(["--endpoint", collector.url, "--key-file", key_file, "--queue", folder / f"queue-{path.name}", "--map",
                       mapping, "--complaints", "1", "--json", path])
            expect(ran.code == (2 if kinds["bad"] else 0), path.name, ran.code, ran.told)
            found = (ran["read"], ran["mapped"], ran["unmapped"], ran["skipped"], ran["delivered"])
            wanted = (kinds.total(), kinds["good"], kinds["bad"], kinds["skip"], kinds["good"])
            expect(found == wanted, path.name, found, "not", wanted, ran.told)
            arrive += numbers
            told.append(f"{path.name} {kinds.total() / ran.cpu_s:,.0f} rows a CPU second, {ran.memory_kib / 1024:.0f} MiB")
            seconds, most, read = seconds + ran.cpu_s, max(most, ran.memory_kib), read + kinds.total()
        numbers = [int(line["content"]["id"]) for line in collector.lines()]
    expect(len(numbers) == len(arrive) and sum(numbers) == sum(arrive) and set(numbers) == set(arrive), len(numbers),
           "lines with the sum", sum(numbers), "for", len(arrive), "with", sum(arrive))
    return (f"{read:,} rows, {len(arrive):,} sentences, sum {sum(arrive):,}; {read / seconds:,.0f} rows a CPU second, "
            f"{most / 1024:.0f} MiB at the most; " + "; ".join(told))


parser = argparse.ArgumentParser()
parser.add_argument("--replay", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--only", default="")
parser.add_argument("--rows", type=int, default=12_000)
options = parser.parse_args()
options.replay = str(pathlib.Path(options.replay).resolve())
keep_promises(options.only)
