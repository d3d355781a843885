#!/usr/bin/env python3
"""Much of everything: a queue at its limit, a queue of a million, and millions through one tracker.

    limits_test.py --tracker PATH --collector PATH [--million N] [--only TEXT]
"""
import argparse
import gzip
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import Account, Collector, Tracker, expect, expect_balanced, keep_promises, promise  # noqa: E402

NOWHERE = "http://127.0.0.1:9"  # nobody listens there
THREADS = 4
IDS = re.compile(rb'"content":\{"id":"s(\d+)-(\d+)-(\d+)"')


def is_critical(number):
    return number % 16 == 5


def arrivals(collector, runs, per_thread):
    """How often each sentence is in the lake, as a byte each: [(run * THREADS + thread) * per_thread + number]."""
    collector.stop()
    times = bytearray(runs * THREADS * per_thread)
    for path in collector.lake.glob("dt=*/hour=*/*.gz"):
        for run, thread, number in IDS.findall(gzip.decompress(path.read_bytes())):
            times[(int(run) * THREADS + int(thread)) * per_thread + int(number)] += 1
    return times


def bytes_on_disk(folder):
    return sum(path.stat().st_blocks * 512 for path in (folder / "queue").iterdir())


def handles(tracker):
    return len(list(pathlib.Path(f"/proc/{tracker.process.pid}/fd").iterdir()))


def track_all(tracker, run, count, seconds=600):
    tracker.run(f"s{run}", THREADS, 0, count, notes="short")
    answered = tracker.finish_run(seconds=seconds)
    expect(answered == (THREADS * count, 0, 0, "none"), answered)


@promise("a queue at its limit gives up normal sentences before critical ones, and counts each")
def _(folder):
    limit, per_thread = 8 << 20, 150_000
    with Collector(options.collector, folder) as collector, Tracker(options.tracker, Account()) as tracker:
        with Tracker(options.tracker, Account()) as before:
            before.open(folder, NOWHERE, queue_bytes_max=limit, ring_full_wait_ms=60000, sync_interval_ms=10)
            track_all(before, 0, per_thread)
            before.close()
        most = bytes_on_disk(folder)
        tracker.open(folder, collector.url, queue_bytes_max=limit)
        tracker.flush(300)
        stats = tracker.stats()
        tracker.close()
        collector.expect_sane()
        times = arrivals(collector, 1, per_thread)
    expect_balanced(stats)
    evicted = [number for number, count in enumerate(times) if count == 0]
    critical = sum(1 for number in evicted if is_critical(number % per_thread))
    quarters = [0] * 4
    for number in evicted:
        quarters[number % per_thread * 4 // per_thread] += 1
    figures = (f"of {len(times)} {len(evicted)} given up, by age {quarters}, {critical} critical among them, "
               f"{most >> 10} KiB on disk")
    expect(max(times) == 1 and stats["evicted"] == len(evicted) and stats["delivered"] == sum(times), stats, figures)
    expect(stats["evicted"] > 0 and critical == 0 and stats["lost"] == 0, stats, figures)
    # What an empty lane takes, its log and reserve, does not count towards the limit.
    expect(most <= limit + (4 << 20), figures)
    return figures


@promise("critical sentences are given up only when no normal one is left")
def _(folder):
    limit, per_thread = 8 << 20, 25_000
    with Collector(options.collector, folder) as collector, Tracker(options.tracker, Account()) as tracker:
        runs = 0
        with Tracker(options.tracker, Account()) as before:
            before.open(folder, NOWHERE, queue_bytes_max=limit, ring_full_wait_ms=60000, sync_interval_ms=10)
            while before.stats()["evicted"] == 0 and runs < 100:
                track_all(before, runs, per_thread)
                runs += 1
            first = before.stats()
            # Critical ones alone from here on, until they are given up themselves.
            while before.stats()["evicted"] <= first["accepted"] * 15 // 16 and runs < 100:
                before.run(f"s{runs}", THREADS, 0, per_thread, notes="critical")
                expect(before.finish_run(seconds=600)[0] == THREADS * per_thread)
                runs += 1
            before.close()
        tracker.open(folder, collector.url, queue_bytes_max=limit)
        tracker.flush(300)
        stats = tracker.stats()
        tracker.close()
        times = arrivals(collector, runs, per_thread)
    expect_balanced(stats)
    expect(stats["evicted"] == times.count(0) and max(times) == 1 and stats["lost"] == 0, stats, times.count(0))
    normal_runs = first["accepted"] // (THREADS * per_thread)
    normal = sum(1 for number in range(normal_runs * THREADS * per_thread)
                 if times[number] and not is_critical(number % per_thread))
    critical_gone = times.count(0) - (first["accepted"] - first["accepted"] // 16 - normal)
    figures = f"{stats['accepted']} accepted, {stats['evicted']} given up, {normal} normal ones left"
    expect(normal == 0 or critical_gone <= 0, figures, critical_gone, "critical ones gone")
    return figures


@promise("a million wait: opening is quick, memory is small, all of it arrives")
def _(folder):
    per_thread = options.million // THREADS
    with Collector(options.collector, folder) as collector:
        tracker = Tracker(options.tracker, Account())
        tracker.open(folder, NOWHERE, queue_bytes_max=4 << 30, ring_full_wait_ms=60000)
        begin = time.monotonic()
        track_all(tracker, 0, per_thread)
        tracking = time.monotonic() - begin
        held = tracker.kilobytes()
        tracker.kill()
        with Tracker(options.tracker, Account()) as second:
            empty = second.kilobytes()
            begin = time.monotonic()
            second.open(folder, collector.url, queue_bytes_max=4 << 30)
            opening = time.monotonic() - begin
            opened = second.kilobytes()
            begin = time.monotonic()
            second.flush(1200)
            sending = time.monotonic() - begin
            sent = second.kilobytes()
            stats = second.stats()
            second.close()
        collector.expect_sane()
        times = arrivals(collector, 1, per_thread)
    expect_balanced(stats)
    expect(min(times) == max(times) == 1, times.count(0), "are missing of", len(times))
    expect(stats["delivered"] == stats["accepted"] == len(times), stats)
    figures = (f"{len(times)} tracked in {tracking:.1f} s, {held} KiB RssAnon while held; opened in "
               f"{opening * 1000:.0f} ms with {opened - empty} KiB more; sent in {sending:.1f} s, "
               f"{sent - empty} KiB more at its end")
    expect(opened - empty <= 16384 and sent - empty <= 32768, figures)
    return figures


@promise("a million through one tracker: memory, handles and files stay as they are")
def _(folder):
    runs = 20
    per_thread = options.million // runs // THREADS
    figures = []
    with Collector(options.collector, folder) as collector, Tracker(options.tracker, Account()) as tracker:
        tracker.open(folder, collector.url, ring_full_wait_ms=60000, upload_interval_ms=1000)
        for run in range(runs):
            track_all(tracker, run, per_thread)
            tracker.flush(600)
            files = sorted(path.name for path in (folder / "queue").iterdir())
            figures.append((tracker.kilobytes(), handles(tracker), len(files), bytes_on_disk(folder)))
        stats = tracker.stats()
        tracker.close()
        collector.expect_sane()
        times = arrivals(collector, runs, per_thread)
    expect_balanced(stats)
    expect(min(times) == max(times) == 1 and stats["delivered"] == len(times), stats, times.count(0), "are missing")
    first, last = figures[1], [max(one[place] for one in figures[-4:]) for place in range(4)]
    told = (f"{len(times)} sent; RssAnon {first[0]} then {last[0]} KiB, handles {first[1]} then {last[1]}, "
            f"files {first[2]} then {last[2]}, {first[3] >> 10} then {last[3] >> 10} KiB on disk")
    expect(last[0] <= first[0] + 4096 and last[1] <= first[1] + 1 and last[2] <= first[2], told)
    expect(last[3] <= first[3] + (4 << 20), told)
    return told


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--tracker", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--million", type=int, default=1_000_000, help="how many a million are")
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
