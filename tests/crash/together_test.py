#!/usr/bin/env python3
"""Several processes on one directory, killed, forked and stopped, lose nothing and double nothing.

    together_test.py --tracker PATH --collector PATH [--seed S] [--seconds N] [--stopped N] [--only TEXT]
"""
import argparse
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import (Account, LastingCollector, Tracker, expect, expect_balanced, keep_promises, promise,  # noqa: E402
                     wait_until)

PROCESSES = 6
REFUSED = ",".join(["-5 forked_child"] * 6) + ",0,exit 0"


def lanes_of(folder):
    return sorted(path.stem for path in (folder / "queue").glob("*.queue"))


def ledgers(folder):
    """What each lane says of itself. Nothing is sent: there is no endpoint."""
    found = {}
    for lane in lanes_of(folder):
        with Tracker(options.tracker, Account()) as reader:
            reader.open(folder, "", lane=lane)
            found[lane] = reader.stats()
            reader.close()
        expect_balanced(found[lane])
        expect(found[lane]["lost"] == found[lane]["evicted"] == found[lane]["quarantined"] == 0, lane, found[lane])
    return found


@promise("six processes track into one directory and are killed: each dead lane is adopted and sent once")
def _(folder):
    dice = random.Random(options.seed)
    account = Account()
    kills = 0

    def start(number):
        tracker = Tracker(options.tracker, account)
        tracker.open(folder, collector.url, upload_interval_ms=dice.choice([100, 1000]),
                     sync_interval_ms=dice.choice([10, 200]), ring_bytes=65536)
        tracker.run(f"p{number}", 2, dice.choice([200, 500]))
        return tracker

    with LastingCollector(options.collector, folder, "--fault", "cut=after,rate=0.1") as collector:
        running = [start(number) for number in range(PROCESSES)]
        begun = PROCESSES
        until = time.monotonic() + options.seconds
        while time.monotonic() < until:
            time.sleep(dice.uniform(0, 0.4))
            running.pop(dice.randrange(len(running))).kill()
            running.append(start(begun))
            begun += 1
            kills += 1
        # The last ones leave what no process of theirs will send.
        collector.fault("status=503")
        time.sleep(0.5)
        for tracker in running:
            tracker.kill()
        left = {lane: stats["waiting"] for lane, stats in ledgers(folder).items() if stats["waiting"] > 0}
        expect(len(left) >= 3, "only the lanes", left, "are left to adopt")
        collector.fault("")
        # A worker looks for one dead lane at its beginning, and not again for a minute. Three adopters at a time race
        # for them; their own lanes have names, and so take none of the others'. What six processes were refused lets
        # the endpoint rest for up to a minute first.
        rounds = 0
        until = time.monotonic() + 180
        while any(stats["waiting"] > 0 for stats in ledgers(folder).values()):
            rounds += 1
            expect(time.monotonic() < until, "still not adopted:", ledgers(folder))
            adopters = [Tracker(options.tracker, account) for _ in range(3)]
            for number, adopter in enumerate(adopters):
                # One that looks for dead lanes holds this one for a moment, to see that it is empty.
                settings = adopter.settings(folder, collector.url, lane=f"adopter-{number}")
                wait_until(lambda: adopter.ask("open", *settings).startswith("0 "), 60, "the adopter's lane is free:")
            before = -1
            while (good := collector.counts()["good"]) != before and time.monotonic() < until:
                before = good
                time.sleep(0.5)
            for adopter in adopters:
                adopter.close(["0 ok", "3 cut_short"])
                adopter.end()
        collector.expect_sane()
        accepted = sum(stats["accepted"] for stats in ledgers(folder).values())
        delivered = sum(stats["delivered"] for stats in ledgers(folder).values())
        arrived = account.expect_in(collector.lines())
    expect(accepted == delivered == arrived, accepted, "accepted", delivered, "delivered", arrived, "arrived")
    return (f"{kills} kills, {len(left)} lanes with {sum(left.values())} sentences adopted in {rounds} rounds, "
            f"{arrived} arrived once")


@promise("a fork in the host: each call of the child is refused and touches nothing, and the parent goes on")
def _(folder):
    account = Account()
    with LastingCollector(options.collector, folder) as collector, Tracker(options.tracker, account) as tracker:
        tracker.open(folder, collector.url, upload_interval_ms=100, sync_interval_ms=10)
        tracker.run("parent", 4, 500)
        for _ in range(20):
            told = tracker.ask("fork")
            expect(told == REFUSED, "the child was told", told)
            time.sleep(0.02)
        kept, in_memory, _, why = tracker.finish_run("stop")
        tracker.flush()
        stats = tracker.stats()
        tracker.close()
        expect(in_memory == 0 and stats["accepted"] == stats["delivered"] == kept, stats, kept, why)
        expect_balanced(stats)
        arrived = account.expect_in(collector.lines())
    return f"20 forks, {arrived} arrived once"


@promise("a child that outlives its killed parent holds no lane")
def _(folder):
    account = Account()
    with LastingCollector(options.collector, folder) as collector:
        tracker = Tracker(options.tracker, account)
        tracker.open(folder, collector.url)
        tracker.run("parent", 4, 500)
        time.sleep(0.1)
        child = int(tracker.ask("leave_child", 60_000))
        time.sleep(0.1)
        tracker.process.kill()
        tracker.process.wait()
        with Tracker(options.tracker, account) as heir:
            heir.open(folder, collector.url, lane="lane-00")
            heir.flush()
            stats = heir.stats()
            heir.close()
        os.kill(child, signal.SIGKILL)  # it has the other end of the pipe
        tracker.kill()
        expect(stats["accepted"] == stats["delivered"] and stats["lost"] == 0, stats)
        arrived = account.expect_in(collector.lines())
        expect(arrived == stats["accepted"], arrived, stats)
    return f"{arrived} arrived once"


@promise("a process that is stopped while another one delivers goes on where it was")
def _(folder):
    dice = random.Random(options.seed)
    account, other = Account(), Account()
    with LastingCollector(options.collector, folder, "--fault", "slow=20ms") as collector, \
            Tracker(options.tracker, account) as stopped, Tracker(options.tracker, other) as running:
        stopped.open(folder, collector.url, upload_interval_ms=100, sync_interval_ms=10, ring_full_wait_ms=60000)
        running.open(folder, collector.url, upload_interval_ms=100, sync_interval_ms=10, ring_full_wait_ms=60000)
        stopped.run("stopped", 4, 100)
        running.run("running", 4, 100)
        stops = 0
        begin = time.monotonic()
        naps = [dice.uniform(0.05, 0.5) for _ in range(10)]
        for nap in [*naps, options.stopped]:
            time.sleep(dice.uniform(0.02, 0.2))
            stopped.process.send_signal(signal.SIGSTOP)
            try:
                before = running.stats()
                time.sleep(nap)
                if nap > 1:
                    during = running.stats()["delivered"] - before["delivered"]
            finally:
                stopped.process.send_signal(signal.SIGCONT)
            stops += 1
        seconds = time.monotonic() - begin
        every = []
        for tracker in (stopped, running):
            kept, in_memory, refused, why = tracker.finish_run("stop")
            expect(in_memory == refused == 0, kept, in_memory, refused, why)
            tracker.flush()
            stats = tracker.stats()
            expect_balanced(stats)
            expect(stats["accepted"] == stats["delivered"] == kept, stats, kept)
            every.append(kept)
            tracker.close()
        expect(during >= 100, "the other one delivered only", during, "meanwhile")
        collector.expect_sane()
        account.kept |= other.kept
        arrived = account.expect_in(collector.lines())
        expect(arrived == sum(every), arrived, every)
    return (f"{stops} stops, one of {options.stopped} s with {during} delivered by the other, in {seconds:.0f} s; "
            f"{arrived} arrived once")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--tracker", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--seconds", type=float, default=5, help="for how long processes are killed")
parser.add_argument("--stopped", type=float, default=5, help="for how long one is stopped, in seconds")
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
