#!/usr/bin/env python3
"""The app's signals are its own, and it never gets one of ours.

signals_test.py --program PROGRAM --collector COLLECTOR [--in-full] [--only TEXT]
"""
import argparse
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import PATIENCE_S, Collector, expect, keep_promises, promise  # noqa: E402


def host(folder, shape, number, *more):
    done = subprocess.run([options.program, shape, str(folder / "queue"), str(number), *more], capture_output=True,
                          text=True, timeout=PATIENCE_S * 10)
    expect(done.returncode == 0, shape, number, "ended with", done.returncode, done.stdout, done.stderr)
    return done.stdout.strip()


@promise("the worker is named yukha and takes no signal but those of a fault of its own")
def _(folder):
    return host(folder, "sent", 1000 if options.in_full else 100)


@promise("the app's handler of SIGPIPE stays where it is, whatever trackers come, send and go")
def _(folder):
    with Collector(options.collector, folder) as collector:
        return host(folder, "disposition", 2000 if options.in_full else 100, collector.url)


@promise("where files may not grow, no SIGXFSZ reaches the app, and a signal that waited before goes on waiting")
def _(folder):
    limits = [0, 1000, 70_000, 300_000, 600_000, 1_100_000, 4_000_000]
    limits += range(50_000, 4_000_000, 97_000) if options.in_full else []
    for number, limit in enumerate(limits):
        for shape in ("limit", "pending", "limit_threadless"):
            place = folder / f"{number}-{shape}"
            place.mkdir()
            host(place, shape, limit)
    return f"{len(limits)} limits"


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", required=True)
parser.add_argument("--library")
parser.add_argument("--collector", required=True)
parser.add_argument("--in-full", action="store_true")
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
