#!/usr/bin/env python3
"""A host may load and unload the library as often as it likes; nothing of it stays behind.

    python3 tests/network/reload_test.py --reloader … --library libyukha.so --collector … --hung-resolver …
"""
import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import Collector, expect, keep_promises, preloading, promise  # noqa: E402

TIMES = 200
GROWTH_KIB_MAX = 256  # over the second half of the times; a leak of a tracker's buffers would be a hundred times that


def reload(folder, endpoint, *more, environment=None):
    done = subprocess.run([options.reloader, options.library, endpoint, str(folder / "queue"), *map(str, more)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=900,
                          env={**os.environ, **(environment or {})})
    return done, [[int(word) for word in line.split()] for line in done.stdout.splitlines()]


@promise("loaded, used and unloaded 200 times, the library leaves no mapping, thread, file or memory behind")
def _(folder):
    with Collector(options.collector, folder) as collector:
        done, rounds = reload(folder, collector.url, TIMES)
        expect(done.returncode == 0, "the host ended with", done.returncode, done.stderr)
        before = rounds[0]
        for number, (mappings, threads, files, _) in enumerate(rounds):
            expect(mappings == 0, "libyukha is still mapped after round", number)
            expect(threads == 1, threads, "threads after round", number)
            expect(files == before[2], files, "open files after round", number, "where", before[2], "were before")
        memory = [kibibytes for _, _, _, kibibytes in rounds]
        growth = memory[-1] - memory[TIMES // 2]
        expect(growth <= GROWTH_KIB_MAX, "memory grew by", growth, "KiB:", memory[::20])
        collector.expect_once(f"r-{number}" for number in range(TIMES))
    return (f"memory {memory[0]} KiB before, {memory[1]} after the first, {memory[TIMES // 2]} after half, "
            f"{memory[-1]} at the end")


@promise("a look-up that hangs while the library is unloaded does not end the host when it comes back")
def _(folder):
    done, rounds = reload(folder, "http://endpoint.invalid", 3, 4,
                          environment={**preloading(options.hung_resolver), "HANG_S": "2"})
    expect("looking up endpoint.invalid" in done.stderr, "nothing was looked up:", done.stderr)
    expect(len(rounds) == 4 and rounds[-1][0] == 0, "libyukha was not unloaded:", rounds)
    expect(done.returncode == 0, "the host ended with", done.returncode)


parser = argparse.ArgumentParser()
parser.add_argument("--reloader", required=True)
parser.add_argument("--library", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--hung-resolver", required=True)
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
