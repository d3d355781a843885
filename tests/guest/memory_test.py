#!/usr/bin/env python3
"""A host whose memory ends anywhere in a call gets an answer, and nothing thrown."""
import argparse
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import PATIENCE_S, expect, keep_promises, promise

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--program", required=True)
parser.add_argument("--library")
parser.add_argument("--collector")
parser.add_argument("--in-full", action="store_true")
parser.add_argument("--only", default="")
options = parser.parse_args()


@promise("no function of yukha.h lets anything thrown out when memory ends, at whichever request")
def nothing_gets_out(folder):
    # The first of the requests that fails is each one in turn, or each third.
    done = subprocess.run([options.program, folder / "queue", "1" if options.in_full else "3"], capture_output=True,
                          text=True, timeout=2 * PATIENCE_S, check=False)
    expect(done.returncode == 0, done.returncode, done.stdout, done.stderr[:2000])
    return done.stdout.strip()


keep_promises(options.only)
