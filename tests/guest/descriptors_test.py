#!/usr/bin/env python3
"""No child of the host's has a descriptor of ours, none of ours is 0, 1 or 2, and a CA file may be replaced.

descriptors_test.py --program PROGRAM --collector COLLECTOR [--in-full] [--only TEXT]
"""
import argparse
import gzip
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from certificate import self_signed  # noqa: E402
from support import PATIENCE_S, Collector, expect, keep_promises, promise  # noqa: E402


def looks(folder, shape):
    with Collector(options.collector, folder) as collector:
        done = subprocess.run([options.program, shape, str(folder / "queue"), collector.url,
                               "2000" if options.in_full else "100"], capture_output=True, text=True,
                              timeout=PATIENCE_S)
        expect(done.returncode == 0, "ended with", done.returncode, done.stderr)


@promise("what we open is closed on exec, while requests run as well")
def _(folder):
    looks(folder, "children")


@promise("in a host without standard input, output and error nothing of ours takes their places")
def _(folder):
    looks(folder, "without_stdio")


@promise("a CA file that was replaced is believed at the next connection, and the old one no more")
def _(folder):
    trusted = folder / "trusted.pem"
    certificates = [self_signed(folder, "first"), self_signed(folder, "second")]
    context = [None]
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            client, _ = listener.accept()
            try:
                client.settimeout(PATIENCE_S)
                with context[0].wrap_socket(client, server_side=True) as safe:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += safe.recv(65536)
                    head, body = head.split(b"\r\n\r\n", 1)
                    size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                    while len(body) < size:
                        body += safe.recv(65536)
                    answer = b'{"accepted":%d,"rejected":[]}' % len(gzip.decompress(body).splitlines())
                    safe.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                                 b"Content-Length: %d\r\n\r\n" % len(answer) + answer)
            except (OSError, IndexError):
                pass  # it did not believe the certificate

    def be(number):
        context[0] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context[0].load_cert_chain(*certificates[number])

    def trust(number):
        shutil.copy(certificates[number][0], folder / "new.pem")
        (folder / "new.pem").rename(trusted)

    be(0)
    trust(0)
    threading.Thread(target=serve, daemon=True).start()
    with subprocess.Popen([options.program, "send", str(folder / "queue"),
                           f"https://127.0.0.1:{listener.getsockname()[1]}", str(trusted)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as host:
        def send(word):
            host.stdin.write(word + "\n")
            host.stdin.flush()
            return host.stdout.readline().split()[:2]

        first = send("yes")
        expect(first == ["ok", "1"], "at first", first)
        be(1)
        trust(1)
        expect(send("yes") == ["ok", "2"], "the new file is not believed")
        be(0)
        expect(send("no") == ["still_waiting", "2"], "the old one still is")
        host.stdin.close()
        expect(host.wait(PATIENCE_S) == 0)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", required=True)
parser.add_argument("--library")
parser.add_argument("--collector", required=True)
parser.add_argument("--in-full", action="store_true")
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
