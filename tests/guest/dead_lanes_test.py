#!/usr/bin/env python3
"""What killed processes left in their lanes is delivered by a tracker that lives, and its flush waits for it."""
import argparse
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import Collector, PATIENCE_S, expect, keep_promises, promise, wait_until

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--program", required=True)
parser.add_argument("--library")
parser.add_argument("--collector", required=True)
parser.add_argument("--in-full", action="store_true")
parser.add_argument("--only", default="")
options = parser.parse_args()
LANES, EACH = (15, 20_000) if options.in_full else (6, 2_000)


def start(*arguments):
    command = [options.program, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def leave_dead_lanes(folder):
    """Their content ids; every process that tracked them was killed."""
    fillers = [start("fill", folder / "queue", f"dead-{i}", EACH) for i in range(LANES)]
    for filler in fillers:
        said = filler.stdout.readline()
        filler.kill()
        filler.wait()
        expect(said == "ready\n", said)
    return [f"dead-{i}_{j}" for i in range(LANES) for j in range(EACH)]


@promise("a flush of a tracker with nothing of its own brings what dead lanes hold, once each")
def flush_brings_all(folder):
    ids = leave_dead_lanes(folder)
    with Collector(options.collector, folder) as collector:
        began = time.monotonic()
        flusher = start("flush", folder / "queue", collector.port)
        said = flusher.communicate(timeout=2 * PATIENCE_S)[0].strip()
        took = time.monotonic() - began
        collector.expect_sane()
        collector.expect_once(ids)
        expect(said == "ok", "flush answered", said)
    return f"{LANES} lanes of {EACH:,}, all in {took:.1f} s"


@promise("a flush is not done while the endpoint does not take what dead lanes hold")
def flush_says_so(folder):
    leave_dead_lanes(folder)
    with Collector(options.collector, folder) as collector:
        collector.fault("status=503")
        flusher = start("flush", folder / "queue", collector.port)
        time.sleep(0.5)
        expect(flusher.poll() is None, "flush answered before anything had left")
        flusher.kill()
        flusher.communicate()


@promise("an idle tracker delivers dead lanes without being told")
def idle_delivers(folder):
    ids = leave_dead_lanes(folder)
    with Collector(options.collector, folder) as collector:
        idle = start("idle", folder / "queue", collector.port)
        try:
            def apps_lines():
                counts = collector.counts()
                return counts["good"] - counts["ledger"]
            wait_until(lambda: apps_lines() >= len(ids), PATIENCE_S, "all lanes are delivered:")
        finally:
            idle.communicate()
        collector.expect_once(ids)


keep_promises(options.only)
