#!/usr/bin/env python3
"""However a host ends, nothing crashes, hangs or is lost.

exit_test.py --program PROGRAM [--in-full] [--only TEXT]

Half of the runs have a request on its way, over http or https, to an endpoint that takes its time.
"""
import argparse
import pathlib
import socket
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from certificate import self_signed  # noqa: E402
from support import PATIENCE_S, expect, keep_promises, promise  # noqa: E402

SHAPES = {
    "assigned": "a global tracker that main() assigned",
    "owned": "a global unique_ptr",
    "function_local": "a static variable of a function",
    "never_freed": "a tracker that nobody frees",
    "atexit_before": "an exit handler, registered before the tracker was opened, that flushes and frees it",
    "atexit_after": "such a handler, registered after it",
    "quick_exit": "quick_exit()",
    "other_thread": "exit() on a thread of the app's, while others are in calls",
    "callback_on_app": "exit() in a log callback on the app's thread",
    "callback_on_worker": "exit() in a callback on the worker",
    "callback_without_thread": "exit() in a callback in work()",
}


class SlowEndpoint:
    """Answers each request after a while, over http or https."""

    def __init__(self, certificate=None):
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.listener.getsockname()[1]}"
        self.requests = 0
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            client.settimeout(PATIENCE_S)
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            while client.recv(65536):
                self.requests += 1
                threading.Event().wait(0.15)
                client.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            pass
        finally:
            client.close()


@promise("however the host ends, it ends well, and what was answered ok is found by the next one")
def _(folder):
    certificate = self_signed(folder, "endpoint")
    endpoints = [SlowEndpoint(), SlowEndpoint(certificate)]
    runs = 0
    for shape in SHAPES:
        queue = folder / shape
        kept = 0

        def run(name, number):
            command = [options.program, name, queue, endpoints[number // 2 % 2].url, certificate[0],
                       500 + number * 37 % 100 * 10 + number % 2]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE_S)
            expect(done.returncode == 0, f"{SHAPES.get(name, name)}, run {number}: ended with", done.returncode,
                   done.stderr)
            return done.stdout.split()

        times = options.times
        if shape.startswith("callback"):
            times = (times + 3) // 4  # these wait for the deadline
        for number in range(times):
            kept += int(run(shape, number)[1])
            runs += 1
        _, accepted, _, lost = run("look", 0)
        more = times if shape == "callback_on_app" else 0  # one sentence that nobody could tell of
        expect(kept <= int(accepted) <= kept + more and lost == "0", SHAPES[shape], "kept", kept, "found", accepted,
               "lost", lost)
    expect(all(endpoint.requests > 0 for endpoint in endpoints), "no request was on its way")
    return f"{runs} runs of {len(SHAPES)} shapes, {sum(endpoint.requests for endpoint in endpoints)} requests"


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", required=True)
parser.add_argument("--library")
parser.add_argument("--collector")
parser.add_argument("--in-full", action="store_true")
parser.add_argument("--times", type=int, help="runs of each shape")
parser.add_argument("--only", default="")
options = parser.parse_args()
options.times = options.times or (232 if options.in_full else 4)
keep_promises(options.only)
