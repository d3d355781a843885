#!/usr/bin/env python3
"""close() comes back in time whatever the network does, and loses nothing.

    python3 tests/network/close_test.py --closer … --collector … --hung-resolver …

200 trackers each, eight at once, are closed with a deadline of 250 ms while a request runs against a server that does
not answer, one that drips, and one whose name cannot be looked up. Afterwards a good endpoint gets everything once.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import Collector, Server, expect, keep_promises, preloading, promise, read_request  # noqa: E402

TRACKERS = 200
SENTENCES = 5
DEADLINE_MS = 250
LATE_MS = 1000  # the promise; usually it is a few milliseconds


def never_answers(connection):
    while connection.recv(65536):
        pass


def drips(server):
    def serve(connection):
        read_request(connection)
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n":
            if server[0].stopping.wait(1):
                return
            connection.sendall(bytes([byte]))
    return serve


def run(*words, environment=None):
    done = subprocess.run([options.closer, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900,
                          env={**os.environ, **(environment or {})}, text=True)
    expect(done.returncode == 0, "the closer ended with", done.returncode, done.stderr[-500:])
    return done.stdout.splitlines(), done.stderr


def judge(lines, folder):
    expect(len(lines) == TRACKERS, "only", len(lines), "closes were told")
    codes = [line.split()[0] for line in lines]
    late = [int(line.split()[1]) / 1000 - DEADLINE_MS for line in lines]
    ends = [int(line.split()[2]) / 1000 for line in lines]
    figures = (f"over the deadline: median {statistics.median(late):.1f} ms, most {max(late):.1f} ms; "
               f"end of the tracker: most {max(ends):.1f} ms; {codes.count('cut_short')} of {len(codes)} cut short")
    expect(max(late) <= LATE_MS, figures)
    expect(max(ends) <= LATE_MS, figures)
    expect(codes.count("cut_short") > TRACKERS / 2, "too few closes found a request running;", figures)

    with Collector(options.collector, folder) as collector:
        flushed, _ = run("deliver", collector.url, folder, TRACKERS)
        expect(flushed == ["ok"] * TRACKERS, "flush answered", set(flushed))
        collector.expect_once(f"{tracker}-{i}" for tracker in range(TRACKERS) for i in range(SENTENCES))
    return figures


@promise("close() is back in time while the endpoint does not answer")
def _(folder):
    with Server(never_answers) as server:
        lines, _ = run("close", server.url, folder, TRACKERS)
    expect(server.accepted > TRACKERS / 2, "only", server.accepted, "connections")
    return judge(lines, folder)


@promise("close() is back in time while the answer drips, a byte a second")
def _(folder):
    itself = []
    with Server(drips(itself)) as server:
        itself.append(server)
        lines, _ = run("close", server.url, folder, TRACKERS)
    expect(server.accepted > TRACKERS / 2, "only", server.accepted, "connections")
    return judge(lines, folder)


@promise("close() is back in time while the endpoint's name is looked up in vain")
def _(folder):
    lines, told = run("close", "http://endpoint.invalid", folder, TRACKERS,
                      environment=preloading(options.hung_resolver))
    expect(told.count("looking up endpoint.invalid") > TRACKERS / 2, "the resolver was not asked:", told[:300])
    return judge(lines, folder)


parser = argparse.ArgumentParser()
parser.add_argument("--closer", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--hung-resolver", required=True)
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
