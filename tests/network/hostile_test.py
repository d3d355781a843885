#!/usr/bin/env python3
"""Whatever a server sends instead of an answer, the client keeps everything, backs off, and delivers once later.

    python3 tests/network/hostile_test.py --driver … --collector …

Each hostility lasts eight seconds on raw sockets, in which the client makes few requests and its memory stays flat; then
the same port leads to a good collector. All at once, because two of them wait for the client's time-out of a minute.
"""
import argparse
import gzip
import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import Collector, Driver, Relay, expect, keep_promises, promise, read_request  # noqa: E402

HOSTILE_S = 8
REQUESTS_MAX = 12      # back-off doubles from one second: about five
MEMORY_KIB_MAX = 8192  # an answer may have 1 MiB, which a growing buffer holds twice
SENTENCES = 300
MEGABYTE = bytes(1 << 20)


class Port(Relay):
    """Leads to the collector once its fault is taken away; until then the fault deals with each connection."""

    def __init__(self, fault):
        self.fault = fault
        super().__init__()

    def pass_on(self, client):
        if self.fault is None:
            super().pass_on(client)
        else:
            self.fault(self, client)


def suffer(folder, fault, ask_first=True):
    """The client's life with the fault and after it."""
    def at_request(port, connection):
        if ask_first and read_request(connection) is None:
            return
        fault(port, connection)

    with Port(at_request) as port, Collector(options.collector, folder, "--public-url", port.url) as collector, \
            Driver([options.driver]) as driver:
        port.to_port = collector.port
        driver.open(folder, port.url, upload_interval_ms=500)
        tracked = []
        for number in range(SENTENCES):
            driver.track(f"s-{number}")
            tracked.append(f"s-{number}")
        before = most = driver.kilobytes()
        until = time.monotonic() + HOSTILE_S
        while time.monotonic() < until:
            driver.track(f"s-{len(tracked)}")
            tracked.append(f"s-{len(tracked)}")
            most = max(most, driver.kilobytes())
            time.sleep(0.02)
        requests, stats = port.accepted, driver.stats()
        port.fault = None
        answer = driver.flush(250)
        most = max(most, driver.kilobytes())
        end = driver.stats()
        expect(driver.close() == "0 ok")
        figures = f"{requests} requests, {most - before} KiB more at most"
        expect(1 <= requests <= REQUESTS_MAX, figures)
        expect(stats["delivered"] == 0 and stats["waiting"] >= SENTENCES, stats)
        expect(answer == "0 ok", "after it, flush answered", answer)
        expect(end["delivered"] == len(tracked) == end["accepted"] and end["quarantined"] == 0, end)
        collector.expect_once(tracked)
        expect(most - before <= MEMORY_KIB_MAX, figures)
        return figures


def hostility(text, ask_first=True):
    def keep(fault):
        promise(text)(lambda folder: suffer(folder, fault, ask_first))
        return fault
    return keep


def until_it_goes(connection, piece):
    while True:
        connection.sendall(piece)


def head(status="200 OK", *fields):
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


@hostility("a server that never answers")
def _(port, connection):
    while connection.recv(65536):
        pass


@hostility("an answer that drips, a byte a second")
def _(port, connection):
    for byte in head("200 OK", "Content-Length: 1000") * 3:
        if port.stopping.wait(1):
            return
        connection.sendall(bytes([byte]))


@hostility("a connection that ends at once", ask_first=False)
def _(port, connection):
    pass


@hostility("a connection that is reset in the middle of the body")
def _(port, connection):
    connection.sendall(head("200 OK", "Content-Length: 1000") + b'{"accepted":')
    time.sleep(0.05)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@hostility("a body of 5 GB")
def _(port, connection):
    connection.sendall(head("200 OK", "Content-Length: 5000000000"))
    until_it_goes(connection, MEGABYTE)


@hostility("a body without end")
def _(port, connection):
    connection.sendall(head("200 OK"))
    until_it_goes(connection, MEGABYTE)


@hostility("garbage instead of HTTP")
def _(port, connection):
    connection.sendall(b"\x00\xff\x16\x03 SSH-2.0-OpenSSH_9.2\r\n\r\n" * 1000)


@hostility("garbage without end")
def _(port, connection):
    until_it_goes(connection, b"\xfe\r\n" * 10000)


@hostility("a thousand headers around half an answer")
def _(port, connection):
    fields = [f"X-{number}: {'x' * 100}" for number in range(1000)]
    connection.sendall(head("200 OK", *fields, "Content-Length: 2") + b"{}")


@hostility("100 MB of headers")
def _(port, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        connection.sendall((b"X-Filler: " + b"y" * 1012 + b"\r\n") * 1024)


@hostility("one header of 100 MB")
def _(port, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    for _ in range(100):
        connection.sendall(b"y" * (1 << 20))


@hostility("redirects for ever")
def _(port, connection):
    # A path of its own each time, and each on a connection of its own.
    connection.sendall(head("307 Temporary Redirect", f"Location: {port.url}/{port.accepted}", "Content-Length: 0",
                            "Connection: close"))


@hostility("redirects to nowhere")
def _(port, connection):
    connection.sendall(head("308 Permanent Redirect", "Location: file:///etc/passwd", "Content-Length: 0",
                            "Connection: close"))


@hostility("a flood of 100-continue")
def _(port, connection):
    until_it_goes(connection, head("100 Continue") * 1000)


@hostility("a chunk larger than any number")
def _(port, connection):
    connection.sendall(head("200 OK", "Transfer-Encoding: chunked") + b"F" * 40 + b"\r\n")
    until_it_goes(connection, MEGABYTE)


@hostility("a chunk of eight exabytes")
def _(port, connection):
    connection.sendall(head("200 OK", "Transfer-Encoding: chunked") + b"7fffffffffffffff\r\n")
    until_it_goes(connection, MEGABYTE)


@hostility("a gzip bomb")
def _(port, connection):
    connection.sendall(head("200 OK", "Content-Encoding: gzip", f"Content-Length: {len(BOMB)}", "Connection: close") + BOMB)


@hostility("a 200 that accepts what was not sent")
def _(port, connection):
    body = b'{"accepted":18446744073709551615,"rejected":[]}'
    connection.sendall(head("200 OK", f"Content-Length: {len(body)}", "Connection: close") + body)


@hostility("a body of brackets within brackets")
def _(port, connection):
    body = b"[" * 500_000 + b"]" * 500_000
    connection.sendall(head("200 OK", f"Content-Length: {len(body)}", "Connection: close") + body)


def exchange(port, request):
    """The collector's whole answer to a request."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        return b"".join(iter(lambda: server.recv(65536), b""))


@promise("a kept-alive connection that is cut after storing: the batch is stored once, at once")
def _(folder):
    def serve(port, connection):
        # The first request of a connection is answered; the second is stored, and the connection dies.
        for number in range(2):
            request = read_request(connection)
            if request is None:
                return
            answer = exchange(port.to_port, b"\r\n\r\n".join(request))
            port.stored += 1
            if number == 0:
                connection.sendall(answer.replace(b"Connection: close\r\n", b""))

    with Port(serve) as port, Collector(options.collector, folder, "--public-url", port.url) as collector, \
            Driver([options.driver]) as driver:
        port.to_port, port.stored = collector.port, 0
        driver.open(folder, port.url, upload_interval_ms=500)
        tracked = []
        for batch in range(5):
            for number in range(20):
                driver.track(f"{batch}-{number}")
                tracked.append(f"{batch}-{number}")
            answer = driver.flush(30)
            expect(answer == "0 ok", "flush answered", answer)
        end = driver.stats()
        expect(driver.close() == "0 ok")
        expect(end["delivered"] == len(tracked) and end["quarantined"] == 0, end)
        expect(port.accepted >= 3, "only", port.accepted, "connections; none was cut")
        collector.expect_once(tracked)
        return f"{port.stored} requests over {port.accepted} connections for 5 batches"


parser = argparse.ArgumentParser()
parser.add_argument("--driver", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--only", default="")
options = parser.parse_args()
# 100 MB in 100 kB.
BOMB = gzip.compress(bytes(100_000_000), 6)
keep_promises(options.only, at_once=8)
