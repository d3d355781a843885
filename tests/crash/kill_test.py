#!/usr/bin/env python3
"""A killed process loses nothing it was answered `kept` for, and doubles nothing.

    kill_test.py --tracker PATH --collector PATH [--kills N] [--seed S]

A process tracks from four threads and is SIGKILLed at random moments, also while it opens, then started again on its
directory: with another ring, another pace, other intervals, and every fourth time where no blocks can be reserved, so
that the ring is written instead of mapped. Before each answer nothing is noted, after it at once. The collector is
in good health for a third of the kills, answers 503 or cuts connections for a third, and dies in the last one.

Then all is drained. Every sentence that was noted as kept is in the lake once, with the text it was given; of the
others at most the one each thread was about to note. The ledger says the same, and that nothing was lost. At least half
of the kills must have hit a ring with lines in it; the ring's file is read after the kill to know.
"""
import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import Account, LastingCollector, Tracker, expect, expect_balanced, records, seed, wait_until  # noqa: E402

FAULTS = ["", "status=503,rate=0.2\ncut=after,rate=0.2\ncut=before,rate=0.1",
          "crash=before,rate=0.1\ncrash=between,rate=0.1\ncrash=after,rate=0.1\ncut=after,rate=0.1"]


def one_life(number, dice, folder, collector, account):
    """Returns how many lines were in the ring after the kill, and how the kill was timed."""
    tracker = Tracker(options.tracker, account)
    if number % 4 == 3:
        tracker.tell("deny", "fallocate", 95)
    tracker.tell("open", *tracker.settings(
        folder, collector.url, ring_bytes=dice.choice([65536, 65536, 131072, 524288]),
        sync_interval_ms=dice.choice([10, 50, 200, 1000]), upload_interval_ms=dice.choice([100, 200, 1000]),
        ring_full_wait_ms=dice.choice([0, 0, 1000]), queue_bytes_max=1 << 30))
    early = dice.random() < 0.1
    if early:
        time.sleep(dice.uniform(0, 0.02))
    else:
        answers = [tracker.answer() for _ in range(2 if number % 4 == 3 else 1)]
        expect(answers[-1].startswith("0 ok"), "open answered", answers)
        tracker.run(f"k{number}", 4, 0 if dice.random() < 0.05 else dice.choice([200, 500, 1000, 2000]))
        # After a failure the endpoint is left in peace for a second and more: some lives see the end of it.
        time.sleep(dice.uniform(0.001, 0.2) if dice.random() < 0.8 else dice.uniform(0.5, 2))
    tracker.kill()
    ring = folder / "queue" / "lane-00.ring"
    return len(records(ring.read_bytes())) if ring.exists() else 0


def kill_and_judge(folder):
    dice = random.Random(options.seed)
    account = Account()
    with LastingCollector(options.collector, folder) as collector:
        in_ring = []
        for number in range(options.kills):
            third = number * 3 // options.kills
            if FAULTS[third] != collector.faults:
                collector.fault(FAULTS[third])
            in_ring.append(one_life(number, dice, folder, collector, account))
        # What few requests did not bring about is brought about now: it stores, dies, and is sent the same again.
        collector.fault("crash=between")
        before = collector.deaths
        with Tracker(options.tracker, account) as tracker:
            tracker.open(folder, collector.url, upload_interval_ms=100)
            tracker.run("last", 4, 0, 10)
            tracker.finish_run()
            tracker.flush(1, ["0 ok", "2 still_waiting"])  # which ends a back-off
            wait_until(lambda: collector.deaths > before, 60, "the collector's death")
            collector.fault("")
            tracker.flush(400)  # the longest back-off is five minutes
            stats = tracker.stats()
            tracker.close()
        counts = collector.expect_sane()
        arrived = account.expect_in(collector.lines())
        deaths = collector.deaths
    with_lines = sum(1 for lines in in_ring if lines > 0)
    figures = (f"{options.kills} kills, {with_lines} with lines in the ring ({sum(in_ring)} lines), "
               f"{len(account.kept)} noted as kept, {arrived} arrived once, {account.refused} refused, "
               f"{counts['replayed_same_key']} lines sent again, the collector died {deaths} times")
    expect_balanced(stats)
    expect(stats["delivered"] == stats["accepted"] == arrived, stats, figures)
    most = account.refused + 4 * options.kills
    expect(account.refused <= stats["refused"] <= most, "refused is", stats["refused"], figures)
    expect(with_lines * 2 >= options.kills, "too few kills hit a ring with lines:", figures)
    expect(deaths > 0 and counts["replayed_same_key"] > 0, "the faults did not happen:", figures)
    return figures


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--tracker", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--kills", type=int, default=20)
parser.add_argument("--seed", type=seed, default=1, help="a number, or `new`")
parser.add_argument("--keep", action="store_true", help="leave the folder of a failed run")
options = parser.parse_args()
print(f"repeat it with --kills {options.kills} --seed {options.seed}", flush=True)
begin = time.monotonic()
work = pathlib.Path(tempfile.mkdtemp(prefix="yukha-kill-"))
try:
    told = kill_and_judge(work)
    print(f"seed {options.seed}: passed in {time.monotonic() - begin:.0f} s: {told}")
except AssertionError as fault:
    print(f"seed {options.seed}: FAILED in {time.monotonic() - begin:.0f} s: {fault}"
          + (f"; see {work}" if options.keep else ""))
    if not options.keep:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1)
shutil.rmtree(work, ignore_errors=True)
