#!/usr/bin/env python3
"""examples/life says what it does: sample_test.py PROGRAM"""
import subprocess
import sys
import tempfile

WANTED = ["did yukha_first_open", "u_1842", "did yukha_identify", "in FEED at y=3 did READ card_913 for 0.",
          "it was shown for less than it should", "did PAY order_7", "consent is denied, so nothing is kept",
          "waiting: 6, erased: 1", "waiting: 0, erased: 7", "close: done"]


def run(program, queue):
    done = subprocess.run([program, queue], capture_output=True, text=True, timeout=180)
    if done.returncode != 0 or done.stderr:
        sys.exit(f"it ended with {done.returncode}: {done.stderr}\n{done.stdout}")
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    said = run(sys.argv[1], folder + "/queue")
    again = run(sys.argv[1], folder + "/queue")
missing = [text for text in WANTED if text not in said]
if missing or "a@b.c" in said or "yukha_first_open" in again or "yukha_restart" in again:
    sys.exit(f"missing {missing} in\n{said}\nor too much in\n{again}")
