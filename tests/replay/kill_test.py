#!/usr/bin/env python3
"""A killed replay, or a killed endpoint, loses nothing and doubles nothing.

For each seed, yukha-replay sends a whole input to yukha-collector and is SIGKILLed at five points between 5 % and 95 %
of the rows, each time with sentences waiting, then resumed. Meanwhile the collector answers 503 to a fifth of the
requests and cuts the connection after storing in a tenth. With --kill-collector it also kills itself before, between
and after storing and answering, and is started again on the same port and lake. tests/lake/check_lake.py judges.

  kill_test.py --collector PATH --replay PATH --data DIR [--seeds N] [--first-seed S] [--kill-collector]
"""

import argparse
import base64
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "lake"))
import check_lake  # noqa: E402
import support  # noqa: E402

KILLS = 5
KEY = "kill-test:" + base64.b64encode(b"a secret of thirty-two bytes ok!").decode()
PROGRESS = re.compile(r"progress: read (\d+), .* waiting (\d+), delivered (\d+)")


class Broken(Exception):
    """What went wrong with this seed."""


class Collector:
    """yukha-collector, started again whenever it dies."""

    def __init__(self, program, folder, seed, faults):
        self.lake = os.path.join(folder, "lake")
        self.ready = os.path.join(folder, "ready")
        self.log = open(os.path.join(folder, "collector.log"), "ab")
        self.command = [program, "--lake", self.lake, "--key", KEY, "--ready-file", self.ready]
        for fault in faults:
            self.command += ["--fault", fault]
        self.random = random.Random(seed)
        self.port = 0
        self.deaths = 0
        self.trouble = None
        self.stopping = threading.Event()
        self.start()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def start(self):
        if os.path.exists(self.ready):
            os.remove(self.ready)
        # Another seed each time: with the same dice a collector would die at the same request again and again.
        command = self.command + ["--port", str(self.port), "--seed", str(self.random.randrange(1 << 32))]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        until = time.monotonic() + 60
        while not os.path.exists(self.ready):
            if self.process.poll() is not None:
                raise Broken(f"the collector ended with {self.process.returncode} before it was ready")
            if time.monotonic() > until:
                raise Broken("the collector was not ready within 60 s")
            time.sleep(0.01)
        with open(self.ready, encoding="ascii") as file:
            self.port = int(file.read())

    def watch(self):
        while not self.stopping.wait(0.02):
            if self.process.poll() is None:
                continue
            if self.process.returncode != -signal.SIGKILL:
                self.trouble = f"the collector ended by itself with {self.process.returncode}"
                return
            self.deaths += 1
            try:
                self.start()
            except (Broken, OSError, ValueError) as error:
                self.trouble = f"after its death {self.deaths}: {error}"
                return

    def ask(self, path):
        """Its answer; where it has just died of its own faults, the next one's."""
        until = time.monotonic() + 60
        while True:
            try:
                # Each start has a token of its own.
                with open(os.path.join(self.lake, ".collector", "token"), encoding="ascii") as file:
                    token = {"Authorization": f"Bearer {file.read().strip()}"}
                request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=token)
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)
            except (OSError, http.client.HTTPException, ValueError):
                if self.trouble or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def stop(self):
        self.stopping.set()
        self.watcher.join()
        if self.process.poll() == -signal.SIGKILL and not self.trouble:
            # Since the watcher last looked. The next one finishes the lake's open file.
            self.deaths += 1
            self.start()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Broken("the collector did not end within 60 s of SIGTERM") from None
        self.log.close()
        if self.process.returncode != 0 and not self.trouble:
            raise Broken(f"the collector ended with {self.process.returncode}")


class Replay:
    """One run of yukha-replay, its progress followed."""

    def __init__(self, options, collector, folder, log):
        command = [options.replay, "--endpoint", f"http://127.0.0.1:{collector.port}", "--key", KEY, "--queue",
                   os.path.join(folder, "queue"), "--map", options.map, "--rate", str(options.rate), "--progress", "0.05",
                   "--resume", "--json", options.file]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.log = log
        self.read = self.waiting = 0
        self.reader = threading.Thread(target=self.follow, daemon=True)
        self.reader.start()

    def follow(self):
        for line in self.process.stderr:
            self.log.write(line)
            found = PROGRESS.match(line)
            if found:
                # Waiting first, because the other thread looks at what was read to decide about the kill.
                self.waiting = int(found[2])
                self.read = int(found[1])

    def kill_at(self, row, until):
        """SIGKILL once that many rows were read and some wait; what waited is returned."""
        while self.process.poll() is None:
            if self.read >= row and self.waiting > 0:
                self.process.kill()
                self.process.wait()
                self.reader.join()
                self.process.stdout.close()
                return self.waiting
            if time.monotonic() > until:
                self.process.kill()
                self.process.wait()
                raise Broken(f"row {row} was not reached in time")
            time.sleep(0.002)
        raise Broken(f"replay ended with {self.process.returncode} before row {row}")

    def finish(self, until):
        try:
            self.process.wait(max(1.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Broken(f"not delivered in time: {self.waiting} wait") from None
        self.reader.join()
        output = self.process.stdout.read()
        if self.process.returncode != 0:
            raise Broken(f"replay ended with {self.process.returncode}: {output.strip()}")
        return json.loads(output)


def must(truth, what):
    if not truth:
        raise Broken(what)


def one_seed(seed, options, rows, folder):
    dice = random.Random(seed)
    faults = ["status=503,rate=0.2", f"cut=after,rate={options.cut_rate}"]
    if options.kill_collector:
        faults += [f"crash={where},rate={options.crash_rate}" for where in ("before", "between", "after")]
    points = sorted(int(dice.uniform(0.05, 0.95) * rows) for _ in range(KILLS))
    until = time.monotonic() + options.seed_timeout
    collector = Collector(options.collector, folder, seed, faults)
    waited = []
    try:
        with open(os.path.join(folder, "replay.log"), "a", encoding="utf-8") as log:
            for point in points:
                waited.append(Replay(options, collector, folder, log).kill_at(point, until))
            counts = Replay(options, collector, folder, log).finish(until)
        must(collector.trouble is None, collector.trouble)
        arrivals = collector.ask("/micro/all")
    finally:
        collector.stop()

    for name in ("mapped", "accepted", "delivered"):
        must(counts[name] == rows, f"{name} is {counts[name]}, not {rows}: {counts}")
    for name in ("unmapped", "refused", "waiting", "quarantined", "evicted", "erased", "lost"):
        must(counts[name] == 0, f"{name} is {counts[name]}: {counts}")
    for name in ("duplicate_id_under_other_key", "bytes_differ_under_same_key", "bad"):
        must(arrivals[name] == 0, f"{name} is {arrivals[name]}: {arrivals}")
    must(arrivals["arrived"] > arrivals["total"], f"nothing was sent again: {arrivals}")
    if options.kill_collector:
        must(collector.deaths > 0, "the collector was never killed")
    schema = [] if options.schema else ["--schema", "none"]
    judged = subprocess.run([sys.executable, os.path.join(HERE, "..", "lake", "check_lake.py"), "--input", options.input,
                             options.file, "--lake", collector.lake] + schema, stdout=subprocess.PIPE, text=True,
                            timeout=600, check=False)
    must(judged.returncode == 0, "check_lake says:\n" + judged.stdout)
    kills = ", ".join(f"{100 * point / rows:.0f}%/{count}" for point, count in zip(points, waited))
    return f"killed at (rows/waiting) {kills}; sent again {arrivals['arrived'] - arrivals['total']}, " \
           f"collector died {collector.deaths} times"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collector", required=True)
    parser.add_argument("--replay", required=True)
    parser.add_argument("--data", required=True, help="the folder of the inputs, such as build/release/inputs")
    parser.add_argument("--input", default="deskdrop", choices=["deskdrop", "waves", "usagov"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=support.seed, default=1, help="a number, or `new`")
    parser.add_argument("--rate", type=int, help="rows a second; otherwise such that all are read in four seconds")
    parser.add_argument("--cut-rate", type=float, default=0.1, help="raise it for an input of few batches")
    parser.add_argument("--kill-collector", action="store_true")
    parser.add_argument("--crash-rate", type=float, default=0.03, help="of each of the three places")
    parser.add_argument("--seed-timeout", type=float, default=600, metavar="SECONDS")
    parser.add_argument("--schema", action="store_true", help="validate every line of the lake, which takes its time")
    parser.add_argument("--keep", action="store_true", help="leave the folders of failed seeds")
    options = parser.parse_args()
    print(f"repeat it with --seeds {options.seeds} --first-seed {options.first_seed}", flush=True)

    reader, name = check_lake.INPUTS[options.input]
    options.file = os.path.join(options.data, name)
    options.map = os.path.join(CHECKOUT, "examples", "replay", "maps", options.input + ".json")
    rows = sum(1 for _ in reader(options.file))
    options.rate = options.rate or max(100, rows // 4)
    passed = failed = 0
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        folder = tempfile.mkdtemp(prefix=f"yukha-kill-{seed}-")
        began = time.monotonic()
        try:
            told = one_seed(seed, options, rows, folder)
            passed += 1
            print(f"seed {seed}: passed in {time.monotonic() - began:.1f} s; {told}", flush=True)
        except (Broken, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"seed {seed}: FAILED in {time.monotonic() - began:.1f} s; {error}"
                  + (f"; see {folder}" if options.keep else ""), flush=True)
            if options.keep:
                continue
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
