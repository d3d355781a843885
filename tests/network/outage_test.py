#!/usr/bin/env python3
"""Outages of the real collector cost a real process few requests and no sentence.

    python3 tests/network/outage_test.py --driver … --collector … --replay …

Each promise is kept with a collector, a queue and a relay of its own; the lake says what arrived.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import SECRET, Driver, Missing, expect, keep_promises, promise, relayed_collector, wait_until  # noqa: E402


def track_evenly(driver, ids, for_s, every_s):
    """Tracks a sentence at each tick and returns what came of it as a list of ids."""
    begin = time.monotonic()
    tracked = []
    while (now := time.monotonic() - begin) < for_s:
        if len(tracked) * every_s > now:
            time.sleep(len(tracked) * every_s - now)
        driver.track(f"{ids}-{len(tracked)}")
        tracked.append(f"{ids}-{len(tracked)}")
    return tracked


@promise("a minute of HTTP 500 at 20 sentences a second costs at most 12 requests and no sentence")
def _(folder):
    with relayed_collector(options.collector, folder) as (collector, relay), Driver([options.driver]) as driver:
        driver.open(folder, relay.url, upload_interval_ms=1000)
        tracked = track_evenly(driver, "before", 3, 0.05)
        wait_until(lambda: driver.stats()["delivered"] > 0, 60, "the first delivery")
        collector.fault("status=500")
        before = relay.requests
        tracked += track_evenly(driver, "during", 60, 0.05)
        during = relay.requests - before
        waiting = driver.stats()["waiting"]
        collector.fault("")
        tracked += track_evenly(driver, "after", 1, 0.05)
        expect(driver.flush(400) == "0 ok", "not everything was delivered")
        stats = driver.stats()
        expect(driver.close() == "0 ok")
        expect(waiting >= 60 * 20 * 0.9, "only", waiting, "waited")
        expect(during <= 12, during, "requests in the minute")
        expect(stats["delivered"] == len(tracked) and stats["quarantined"] == 0, stats, "of", len(tracked))
        collector.expect_once(tracked)
    return f"{during} requests, {waiting} waiting at its end, {len(tracked)} delivered once"


@promise("50 sentences a second for 20 s go in at most 10 requests a thousand, over one connection")
def _(folder):
    with relayed_collector(options.collector, folder) as (collector, relay), Driver([options.driver]) as driver:
        driver.open(folder, relay.url)
        tracked = track_evenly(driver, "s", 20, 0.02)
        expect(driver.flush(60) == "0 ok")
        expect(driver.close() == "0 ok")
        expect(relay.accepted == 1, relay.accepted, "connections")
        expect(relay.requests <= len(tracked) / 100, relay.requests, "requests for", len(tracked))
        collector.expect_once(tracked)
    return f"{relay.requests} requests and {relay.accepted} connection for {len(tracked)} sentences"


@promise("a batch that was stored, cut off and then too large is answered part by part and stored once")
def _(folder):
    with relayed_collector(options.collector, folder) as (collector, relay), Driver([options.driver]) as driver:
        collector.fault("cut=after")
        driver.open(folder, relay.url, upload_interval_ms=1000)
        tracked = []
        for number in range(400):
            driver.track(f"s-{number}")
            tracked.append(f"s-{number}")
        wait_until(lambda: collector.counts()["good"] >= len(tracked), 120, "the batch is stored:")
        expect(driver.stats()["delivered"] == 0, "it was answered")
        whole = set(relay.keys)
        collector.fault("413=3000")
        expect(driver.flush(200) == "0 ok", "not everything was delivered", driver.stats())
        stats = driver.stats()
        expect(driver.close() == "0 ok")
        expect(collector.counts()["replayed_same_key"] >= len(tracked), "not answered by the parent's key")
        parts = [key for key in relay.keys if "." in key]
        expect(not any("." in key for key in whole), "it was split before it was too large")
        expect(parts and {key.split(".")[0] for key in parts} <= whole, "parts of what was stored:", relay.keys)
        expect(stats["delivered"] == len(tracked) and stats["quarantined"] == 0, stats)
        collector.expect_once(tracked)
    return f"{len(relay.keys)} requests, {len(set(parts))} of them parts; {len(tracked)} stored once"


def boot_time_is_true():
    """Whether faketime leaves the clock alone by which the library measures durations."""
    script = "import time; print(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())"
    told = subprocess.run(["faketime", "-m", "-f", "+2h", "python3", "-c", script], stdout=subprocess.PIPE,
                          env={**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}, check=True, timeout=120).stdout.split()
    expect(float(told[1]) > time.time() + 7000, "faketime fakes nothing")
    return abs(float(told[0]) - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60


def with_wrong_clock(folder, by):
    if not shutil.which("faketime"):
        raise Missing("faketime")
    expect(boot_time_is_true(), "faketime moves CLOCK_BOOTTIME as well")
    with relayed_collector(options.collector, folder, delay_s=0.5) as (collector, relay), \
            Driver(["faketime", "-m", "-f", by, options.driver], {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}) as driver:
        driver.open(folder, relay.url)
        true_times = {}
        for number in range(20):
            true_times[f"s-{number}"] = time.time()
            driver.track(f"s-{number}")
            time.sleep(0.05)
        expect(driver.flush(30) == "0 ok", "not everything was delivered")
        requests = relay.requests
        expect(driver.close() == "0 ok")
        off, own = [], []
        for line in collector.lines():
            device_s = datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()
            expect(line["clock_offset_ms"] != "", "no offset came")
            true_s = true_times[line["content"]["id"]]
            own.append(abs(device_s - true_s))
            off.append(abs(device_s + int(line["clock_offset_ms"]) / 1000 - true_s))
        expect(min(own) > 7000, "the driver's clock was right")
        collector.expect_once(true_times)
        expect(max(off) <= 1, "corrected times are off by up to", max(off), "s")
        expect(requests == 2, requests, "requests for one batch")
    return f"{requests} requests; corrected times off by at most {max(off):.3f} s"


@promise("a clock two hours fast costs one request, and the corrected times are true within a second")
def _(folder):
    return with_wrong_clock(folder, "+2h")


@promise("a clock two hours slow costs one request, and the corrected times are true within a second")
def _(folder):
    return with_wrong_clock(folder, "-2h")


@promise("batches sealed under a key that was revoked since are all delivered once under the new one")
def _(folder):
    rows = 2000
    (folder / "rows.csv").write_text("id\n" + "".join(f"r-{row}\n" for row in range(rows)))
    (folder / "map.json").write_text(json.dumps(
        {"app_id": "network", "time": "now", "content": {"id": "{id}"}, "action": {"type": "READ"}}))

    def replay(endpoint, keys, *more):
        command = [options.replay, "--endpoint", endpoint, "--queue", str(folder / "queue"), "--map",
                   str(folder / "map.json"), "--resume", "--json", *more]
        for key, secret in keys.items():
            command += ["--key", f"{key}:{secret}"]
        done = subprocess.run(command + [str(folder / "rows.csv")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=600)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else done.stderr

    old, new = {"old": "b2xkIHNpeHRlZW4gYnl0ZXMgb3IgbW9yZQ=="}, {"new": SECRET}
    with relayed_collector(options.collector, folder, keys=["new"]) as (collector, relay):
        code, told = replay("http://127.0.0.1:9", old, "--deadline", "2")
        expect(code == 3 and told["waiting"] == rows, "offline:", code, told)
        code, told = replay(relay.url, old, "--deadline", "2")
        expect(code == 3 and told["waiting"] == rows and told["quarantined"] == 0, "with the old key:", code, told)
        refused = relay.requests
        code, told = replay(relay.url, {**old, **new})
        expect(code == 0 and told["delivered"] == rows and told["quarantined"] == 0, "with both keys:", code, told)
        batches = len(set(relay.keys))
        collector.expect_once(f"r-{row}" for row in range(rows))
        expect(refused >= 1 and batches >= rows / 500, refused, "refused,", batches, "batches")
        expect(relay.requests - refused == batches + 1, relay.requests - refused, "requests for", batches, "batches")
    return f"{refused} refused, then {relay.requests - refused} requests for {batches} batches"


parser = argparse.ArgumentParser()
parser.add_argument("--driver", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--replay", required=True)
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
