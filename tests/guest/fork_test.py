#!/usr/bin/env python3
"""Children of a busy host: refused at once, or well, and nothing they do is seen by their parent.

fork_test.py --program PROGRAM [--in-full] [--only TEXT]
"""
import argparse
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import PATIENCE_S, expect, keep_promises, promise  # noqa: E402


def fork(folder, where, times):
    done = subprocess.run([options.program, where, str(folder / "queue"), str(times)], capture_output=True, text=True,
                          timeout=PATIENCE_S * 10)
    expect(done.returncode == 0, "the host ended with", done.returncode, done.stdout, done.stderr)
    words = done.stdout.split()
    return dict(zip(words[::2], map(int, words[1::2])))


@promise("a child of a host with an open tracker is told at once to exec first, whatever the host's threads do")
def _(folder):
    told = []
    for where in ("same", "other"):
        place = folder / where
        place.mkdir()
        found = fork(place, where, options.times)
        expect(found["accepted"] == found["kept"] and found["lost"] == 0, where, found)
        told.append(f"{options.times} children in {'the same' if where == 'same' else 'another'} directory")
    return ", ".join(told)


@promise("a child of a host that closed its trackers before opens one of its own")
def _(folder):
    times = max(options.times // 10, 16)
    found = fork(folder, "closed", times)
    expect(found["lost"] == 0, found)
    return f"{times} children"


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", required=True)
parser.add_argument("--library")
parser.add_argument("--collector")
parser.add_argument("--in-full", action="store_true")
parser.add_argument("--times", type=int, help="children for each promise")
parser.add_argument("--only", default="")
options = parser.parse_args()
options.times = options.times or (2000 if options.in_full else 100)
keep_promises(options.only)
