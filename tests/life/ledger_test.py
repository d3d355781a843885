#!/usr/bin/env python3
"""The ledger that arrives says what an independent count of the lake says.

    ledger_test.py --tracker PATH --collector PATH

A lane is killed while it tracks, comes to its limit and gives sentences up, is erased, and is killed once more. Then
the ledger sentence in the lake is compared with the lake's own lines and with what the app was answered: not a number of
it is taken from the library.
"""
import argparse
import contextlib
import gzip
import json
import pathlib
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import Account, Collector, Tracker, expect, expect_balanced, keep_promises, promise  # noqa: E402

NOWHERE = "http://127.0.0.1:9"
LIMIT = 8 << 20
THREADS = 4


def lake(collector):
    for path in sorted(collector.lake.glob("dt=*/hour=*/*.gz")):
        yield from map(json.loads, gzip.decompress(path.read_bytes()).decode().splitlines())


def killed_while_it_tracks(folder, url, account, name):
    tracker = Tracker(options.tracker, account)
    tracker.open(folder, url, lane="main", queue_bytes_max=LIMIT, sync_interval_ms=50, upload_interval_ms=200)
    tracker.run(name)
    time.sleep(0.4)
    tracker.kill()


def delivers_all(folder, url, account):
    with Tracker(options.tracker, account) as tracker:
        tracker.open(folder, url, lane="main", queue_bytes_max=LIMIT)
        tracker.flush(300)
        tracker.close()


@promise("over kills, an eviction and an erase the ledger in the lake is the lake's own count")
def _(folder):
    account = Account()
    silent = 0  # sentences without notes: how many were kept
    with Collector(options.collector, folder) as collector:
        for number in range(4):
            killed_while_it_tracks(folder, collector.url, account, f"before{number}")
        delivers_all(folder, collector.url, account)
        with Tracker(options.tracker, account) as tracker:
            tracker.open(folder, NOWHERE, lane="main", queue_bytes_max=LIMIT, ring_full_wait_ms=60000,
                         sync_interval_ms=10)
            for number in range(100):
                tracker.run(f"much{number}", THREADS, 0, 25_000, notes="short")
                silent += tracker.finish_run(seconds=600)[0]
                if tracker.stats()["evicted"] > 0:
                    break
            tracker.close()
        delivers_all(folder, collector.url, account)
        with Tracker(options.tracker, account) as tracker:
            tracker.open(folder, NOWHERE, lane="main", queue_bytes_max=LIMIT)
            tracker.run("erased", THREADS, 0, 250, notes="short")
            erased = tracker.finish_run()[0]
            expect(tracker.ask("erase") == "0 ok")
            tracker.close()
        killed_while_it_tracks(folder, collector.url, account, "after")
        delivers_all(folder, collector.url, account)
        # A ledger sentence comes once an hour; this one is due.
        with contextlib.closing(sqlite3.connect(folder / "queue/main.queue", isolation_level=None)) as database:
            database.execute("UPDATE state SET ledger_sent = 0")
        with Tracker(options.tracker, account) as tracker:
            tracker.open(folder, collector.url, lane="main", queue_bytes_max=LIMIT)
            tracker.run("last", 1, 0, 10)
            tracker.finish_run()
            tracker.flush(60)
            stats = tracker.stats()
            tracker.close()
        collector.expect_sane()
        collector.stop()
        lines = list(lake(collector))
    expect_balanced(stats)
    ledger = {name: int(value) for name, value in
              max((line for line in lines if line["action"]["type"] == "yukha_ledger"),
                  key=lambda line: line["received_at"])["content"].items() if value.isdigit()}
    arrived = {line["content"]["id"] for line in lines if line["action"]["type"] != "yukha_ledger"}
    before = sum(1 for name in arrived if not name.startswith("last-"))
    kept = len(account.kept) + silent + erased
    noted = {name for name in arrived if not name.startswith("much")}
    unnoted = len(noted - account.kept)  # in the ring when the kill came, before their answer
    figures = (f"{len(arrived)} in the lake, ledger {ledger}, {kept} kept, {unnoted} more were, {erased} erased")
    expect(not account.kept - noted, "kept, and not in the lake", figures)
    given_up = silent - (len(arrived) - len(noted))
    expect(ledger["delivered"] == before, "delivered", before, figures)
    expect(ledger["erased"] == erased, "erased", figures)
    expect(ledger["evicted"] == given_up > 0, "evicted", given_up, figures)
    expect(ledger["lost"] == 0 and ledger["waiting"] == len(arrived) - before, "waiting", figures)
    expect(ledger["accepted"] == kept + unnoted, "accepted", figures)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracker", required=True)
    parser.add_argument("--collector", required=True)
    options = parser.parse_args()
    keep_promises()
