#!/usr/bin/env python3
"""The endpoint to copy and the collector keep the contract, and serve_check.py finds it when one does not.

    python3 tests/contract/endpoint_test.py --tracker build/release/tests/yukha_tracker
        --collector build/release/examples/yukha-collector

examples/endpoint/endpoint.py runs as it is, or with one line of it changed. Standard library only.
"""
import argparse
import base64
import contextlib
import functools
import http.server
import io
import itertools
import json
import pathlib
import runpy
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import types

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from support import (PATIENCE_S, SECRET, Account, Collector, Server, Tracker, expect, expect_balanced, keep_promises,  # noqa: E402
                     promise, read_request, wait_until)

PROGRAM = HERE.parents[1] / "examples/endpoint/endpoint.py"
SOURCE = PROGRAM.read_text(encoding="utf-8")
VECTORS = HERE.parent / "vectors"
OTHER = base64.b64encode(b"another secret of an endpoint").decode()
LAKE = "import sqlite3, sys; [print(row[0]) for row in sqlite3.connect(sys.argv[1]).execute('SELECT line FROM lake')]"


def endpoint_module(*changes):
    """The endpoint, with texts of its source changed."""
    source = SOURCE
    for old, new in changes:
        expect(source.count(old) == 1, "a changed line is there", source.count(old), "times:", old)
        source = source.replace(old, new)
    module = types.ModuleType("endpoint")
    exec(compile(source, "endpoint.py", "exec"), module.__dict__)
    return module


class Running:
    """An endpoint in a thread of this process: a changed one, or one that may be told to be slow."""

    def __init__(self, folder, *changes):
        module = endpoint_module(*changes)
        self.database, self.policy, self.slow = folder / "lake.db", folder / "policy", folder / "slow"
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), module.Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/events"
        keys = {"key": base64.b64decode(SECRET), "other": base64.b64decode(OTHER)}
        endpoint = module.Handler.endpoint = module.Endpoint(
            self.database, keys, [self.url], lambda: self.policy.exists() and json.loads(self.policy.read_text()))
        settle = endpoint.settle

        def slowly(*what):
            if self.slow.exists():
                time.sleep(int(self.slow.read_text()) / 1000)
            return settle(*what)

        endpoint.settle = slowly
        module.Handler.log_message = lambda *_: None
        self.server.handle_error = lambda *_: None  # clients go away, as they may
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def check(self, *arguments):
        written = f'test -n "$1" && printf %s "$1" > {self.policy}.new && mv {self.policy}.new {self.policy} || rm -f {self.policy}'
        return serve_check(self.url, *arguments, "--policy", written, "--lake",
                           f'{sys.executable} -c "{LAKE}" {self.database}', "--lake-wait", "0")


def ask_raw(url, request):
    """All that comes until the endpoint ends the connection."""
    host, _, port = url.split("/")[2].partition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def serve_check(url, *arguments):
    done = subprocess.run([sys.executable, str(HERE / "serve_check.py"), url, f"key:{SECRET}", f"other:{OTHER}", *arguments],
                          capture_output=True, text=True, timeout=10 * PATIENCE_S)
    expect(not done.stderr, done.stderr)
    return done.returncode, done.stdout


@promise("the endpoint to copy has at most 200 lines and needs nothing but Python")
def _(_folder):
    lines = SOURCE.splitlines()
    expect(len(lines) <= 200, len(lines), "lines")
    expect(max(map(len, lines)) <= 120, "its longest line has", max(map(len, lines)))
    imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    expect(imported <= set(sys.stdlib_module_names), imported)
    expect('ThreadingHTTPServer(("127.0.0.1", ' in SOURCE, "it listens on more than loopback")
    return f"{len(lines)} lines"


@promise("it gives every request of the vectors the answer that they name, at their time")
def _(_folder):
    module, file = endpoint_module(), json.loads((VECTORS / "requests.json").read_text())
    endpoint = module.Endpoint(":memory:", {name: base64.b64decode(key) for name, key in file["keys"].items()},
                               [file["public_url"]])
    for row in file["requests"]:
        sent = base64.b64decode(row["body_base64"])
        fields = {"content-length": str(len(sent)), **{name.lower(): value for name, value in row["headers"]}}
        try:
            status, body = 200, endpoint.take(row["method"], row["path"], fields, sent, row["now_unix_ms"])
            for entry in body["rejected"]:
                expect(entry.pop("reason"), row["name"])
        except module.Refused as refused:
            status, body = refused.args[0], {"error": refused.args[1]}
        expect(status == row["expect"]["status"], row["name"], "answered", status, body)
        expect(body == row["expect"].get("body", body), row["name"], "answered", status, body)
    return f"{len(file['requests'])} requests"


@promise("it knows every good sentence of the vectors, and refuses every bad one")
def _(_folder):
    module = endpoint_module()
    good = (VECTORS / "sentences_good.ndjson").read_bytes().split(b"\n")[:-1]
    for line in good:
        expect(module.read_sentence(line)[1] == "", line[:200], module.read_sentence(line)[1])
    bad = json.loads((VECTORS / "sentences_bad.json").read_text())
    for row in bad:
        line = row["line"].encode() if "line" in row else base64.b64decode(row["base64"])
        expect(module.read_sentence(line)[1], "took", row["why"])
    return f"{len(good)} good, {len(bad)} bad"


@promise("it does not parse a line that is too long, nor inflate what nobody may have signed")
def _(_folder):
    module = endpoint_module()
    endpoint = module.Endpoint(":memory:", {}, ["http://localhost/v1/events"])
    module.json = module.zlib = None
    expect(module.read_sentence(b"[" * 40_000)[1] == "more than 32,768 bytes", module.read_sentence(b"[" * 40_000))
    try:
        endpoint.take("POST", "/v1/events", {"content-length": "5"}, b"12345", 0)
    except module.Refused as refused:
        expect(refused.args == (401, "signature"), refused.args)


@promise("a line of its lake is the sentence and two keys more")
def _(folder):
    with Running(folder) as running:
        expect(running.check("--only", "a repeat gets")[0] == 0)
        sentences = [json.loads(row[0]) for row in sqlite3.connect(running.database).execute("SELECT line FROM lake")]
    lake = json.loads((VECTORS / "lake_line.schema.json").read_text())
    expect(len(sentences) == 3, sentences)
    for one in sentences:
        expect(list(one) == lake["required"], list(one))
        expect(one["clock_offset_ms"] == "0" and len(one["received_at"]) == 24, one)


@promise("a request that is framed in two ways, or in none, is refused and is the last of its connection")
def _(folder):
    behind = b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"
    with Running(folder) as running:
        for framing, status in ((b"", b"411"), (b"Transfer-Encoding: chunked\r\n", b"411"),
                                (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"411"),
                                (b"Content-Length: 5\r\nContent-Length: 5\r\n", b"411"),
                                (b"Content-Length: +5\r\n", b"411"), (b"Content-Length: 05\r\n", b"401")):
            try:
                answer = ask_raw(running.url, b"POST /v1/events HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n0\r\n\r\n" + behind)
            except ConnectionResetError:
                continue  # it has gone before it read all; so nothing more was answered
            expect(answer.count(b"HTTP/1.1 ") == 1 and answer.startswith(b"HTTP/1.1 " + status), framing, answer)


@promise("its public URL may be written as people write it")
def _(_folder):
    module = endpoint_module()
    for written, host, path in (("http://LocalHost:8080/v1/events", "localhost:8080", "/v1/events"),
                                ("http://localhost:80/in", "localhost", "/in"), ("https://c.example:443", "c.example", "/v1/events"),
                                ("https://c.example:80/v1/events", "c.example:80", "/v1/events")):
        url = module.Endpoint(":memory:", {}, [written]).urls[0]
        expect((url.netloc, url.path) == (host, path), written, url)


@promise("serve_check finds nothing wrong with it, slow, cut and raced upon")
def _(folder):
    with Running(folder) as running:
        slow = f'test "$1" = 0 && rm -f {running.slow} || printf %s "$1" > {running.slow}'
        code, told = running.check("--slow", slow, "--lease", "1")
    expect(code == 0 and "skip" not in told.replace("skip  5 requests", ""), "\n" + told)
    return told.splitlines()[-1]


# For a hook: $1 goes by POST to the URL.
POST = "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], sys.argv[2].encode(), method='POST'))"


@promise("serve_check finds nothing wrong with the collector, slow, cut and raced upon")
def _(folder):
    with Collector(options.collector, folder, "--no-token", "--lease-seconds", "1", "--lake-seconds", "0.2", "--key",
                   f"other:{OTHER}") as collector:
        def post(path):
            return f'{sys.executable} -c "{POST}" {collector.url}/micro/{path}'

        code, told = serve_check(
            collector.url, "--lease", "1", "--lake", f"gzip -cd {collector.lake}/dt=*/hour=*/*.gz",
            "--slow", f'test "$1" = 0 && set -- "" || set -- "slow=$1ms"; {post("fault")} "$1"', "--policy", f'{post("policy")} "$1"')
    expect(code == 0 and "skip" not in told.replace("skip  5 requests", ""), "\n" + told)
    return told.splitlines()[-1]


KEYED = [("stored = zlib.decompress(done[0][2]).split(b\"\\n\") if done else []", "stored = []")]
FORGETFUL = [("if known and known[0] == digest:", "known = None\n            if False:"),
             ("(self.store.execute(find, (one,)).fetchone() for one in ancestors)", "[]"),
             ("for ancestor in ancestors:", "for ancestor in []:")]


@promise("an endpoint that knows digests alone keeps `keyed`, one without a memory `at-least-once`")
def _(folder):
    for level, changes in (("keyed", KEYED), ("at-least-once", FORGETFUL)):
        (folder / level).mkdir()
        with Running(folder / level, *changes) as running:
            code, told = running.check("--level", level)
            expect(code == 0, level, "\n" + told)
            code, told = running.check("--level", "exact")
            expect(code == 1, "it passed as `exact`, too:\n" + told)


PLANTED = {
    "takes keys of version 7 alone": ('([0-9a-f]{8}(-[0-9a-f]{4}){3}-', '([0-9a-f]{8}-[0-9a-f]{4}-(7)[0-9a-f]{3}-[0-9a-f]{4}-'),
    "swallows other lines under a key": ("if known and known[0] == digest:", "if known and known[0]:"),
    "takes a repeat for a conflict": ("if known and known[0] == digest:", "if False:"),
    "forgets that a key is split": ('must(done or not known, 409, "split")', "pass"),
    "marks the parent split, and no other ancestor": ("for ancestor in ancestors:", "for ancestor in ancestors[:1]:"),
    "asks the farthest ancestor": ("stored = zlib.decompress(done[0][2])", "stored = zlib.decompress(done[-1][2])"),
    "drops what an ancestor never had": ("elif line not in stored:", "elif not done:"),
    "stores what an ancestor had": ("elif line not in stored:", "else:"),
    "takes an array of pairs for an object": ("in pairs if isinstance(pairs, tuple) else ():", "in pairs:"),
    "is harmed by the signature of a proxy": ("    ours = [one for one in read if", '    must(all(one[1] for one in read), 401, '
                                              '"signature")\n    ours = [one for one in read if'),
    "reads what is framed by both lengths": (' and "transfer-encoding" not in fields, 411', ", 411"),
    "takes what does not come by POST": ('must(method == "POST", 405, "method")', "pass"),
    "inflates for strangers": ('must(len(body) <= COMPRESSED_MAX, 413, "size")', """must(len(body) <= COMPRESSED_MAX, 413, "size")
        with contextlib.suppress(zlib.error):
            must(len(zlib.decompressobj(31).decompress(body, INFLATED_MAX + 1)) <= INFLATED_MAX, 413, "size")"""),
    "tells half an id": ('"id": named[0] if named else ""', '"id": leaves.get("id", "")[:20]'),
    "tells long names": ("str(fault)[:60]", "str(fault)[:2000]"),
    "takes days of the year 0": ('found["time"][:19]', 'found["time"][:19].replace("0000-", "2000-")'),
    "numbers lines from 0": ("zip(lines, judged), 1)", "zip(lines, judged))"),
    "repeats an answer without what was rejected": ("(key, now_ms, digest, json.dumps(answer),",
                                                    '(key, now_ms, digest, json.dumps({"accepted": len(lines), "rejected": []}),'),
    "believes every signature": ('hmac.compare_digest(sent.encode(), f":{mac}:".encode())', "True"),
    "does not look at the digest": ('dictionary(known["content-digest"]).get("sha-256") == f":{digest}:"', "True"),
    "does not look at the clock": ("abs(now_s - int(created)) <= 300", "True"),
    "takes a signature after its end": (" and now_s <= int(expires or now_s)", ""),
    "takes any word for a signature's end": (r'r"-?\d{1,15},(-?\d{1,15})?", f"{created},{expires}"', '"-?[0-9]{1,15}", created'),
    "takes what is no sentence": ('raise ValueError(f"no sentence', 'str(f"no sentence'),
    "sends no Date": ("self.send_response(status)", "self.send_response_only(status)"),
    "keeps its policy to the first answer": ("if policy else answer", "if policy and key[1] not in self.__dict__ and not "
                                             "self.__dict__.update({key[1]: 1}) else answer"),
}


@promise("serve_check finds each planted fault")
def _(folder):
    for number, (name, change) in enumerate(PLANTED.items()):
        (folder / str(number)).mkdir()
        with Running(folder / str(number), change) as running:
            code, told = running.check()
        expect(code == 1, "not found:", name, "\n" + told)
    return f"{len(PLANTED)} faults"


def hostile(connection, answer, date="Sun, 29 Nov 2026 12:00:00 GMT", times=1):
    if read_request(connection):
        connection.sendall(f"HTTP/1.1 200 X\r\nDate: {date}\r\nConnection: close\r\n\r\n".encode())
        for _ in range(times):
            connection.sendall(answer)


HOSTILE = {
    "escapes for a terminal": {"answer": b'{"error":"\u001b[2J"}\x1b]0;evil\x07\xc2\x9b31m'},
    "escapes in a reason": {"answer": b'{"accepted":0,"rejected":[{"line":1,"id":"","reason":"\\u001b[2J"}]}'},
    "200,000 brackets": {"answer": b"[" * 200_000},
    "other types": {"answer": b'{"accepted":"x","rejected":[1,{"line":[],"id":null}],"error":[]}'},
    "entries without anything": {"answer": b'{"accepted":0,"rejected":[{}]}'},
    "half a surrogate pair": {"answer": b'{"accepted":3,"rejected":[],"policy":{"for_s":1,"stop":["\\ud800"]}}'},
    "no date": {"answer": b"{}", "date": "x"},
    "a date of another age": {"answer": b"{}", "date": "Sun, 29 Nov 99999 12:00:00 GMT"},
    "no end": {"answer": b"x" * (1 << 16), "times": 1 << 20}}


@promise("serve_check tells what a hostile endpoint answers, obeys none of it, and ends")
def _(_folder):
    for name, what in HOSTILE.items():
        with Server(functools.partial(hostile, **what)) as server:
            code, told = serve_check(server.url + "/v1/events")
        expect(code == 1 and "FAIL" in told and all(one.isprintable() for one in told.splitlines()), name, code, ascii(told[-500:]))
    return f"{len(HOSTILE)} kinds"


@promise("the lake's view shows of one id the sentence that came first, in whatever order its lines are read")
def _(_folder):
    report = runpy.run_path(str(HERE.parents[1] / "examples/quickstart/lake_report.py"))
    rows = [{"id": "one", "received_at": f"2026-05-22T03:52:0{second}.000Z", "user": {"id": name}, "location": f"app://{name}",
             "action": {"type": "READ"}} for second, name in ((1, "honest"), (2, "forged"), (3, "forged"))]
    for order in itertools.permutations(rows):
        with contextlib.redirect_stdout(io.StringIO()) as told:
            report["query"](order)
        expect("app://honest" in told.getvalue() and "forged" not in told.getvalue(), told.getvalue())


# --- a real client ----------------------------------------------------------------------------------------------------

class Bad(Server):
    """The way to the endpoint, which does to each request what the plan says next; after the plan all goes well."""

    def __init__(self, plan):
        self.plan, self.lock, self.to_port, self.killed = list(plan), threading.Lock(), 0, threading.Event()
        super().__init__(self.pass_on)

    def pass_on(self, connection):
        while request := read_request(connection):
            with self.lock:
                what = self.plan.pop(0) if self.plan else "well"
            if what.isdigit():
                connection.sendall(f"HTTP/1.1 {what} X\r\nContent-Length: 0\r\n\r\n".encode())
                continue
            if what == "cut before":
                return
            answer = self.ask(request)
            if what == "killed after":
                self.killed.set()
            if what != "well" or not answer:
                return
            connection.sendall(answer)

    def ask(self, request):
        try:
            with socket.create_connection(("127.0.0.1", self.to_port), PATIENCE_S) as endpoint:
                endpoint.sendall(request[0] + b"\r\nConnection: close\r\n\r\n" + request[1])
                answer = b""
                while piece := endpoint.recv(65536):
                    answer += piece
                return answer
        except OSError:
            return b""  # it is being killed


class Program:
    """The endpoint as its own process, on a port that is free, over a database that outlives it."""

    def __init__(self, folder, way):
        self.folder, self.way = folder, way
        self.start()

    def start(self):
        while True:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), "--key", f"key:{SECRET}", "--port", str(port), "--database",
                 str(self.folder / "lake.db"), "--public-url", self.way.url + "/v1/events"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: self.process.poll() is not None or self.listens(port), PATIENCE_S, "the endpoint listens:")
            if self.process.poll() is None:
                self.way.to_port = port
                return

    @staticmethod
    def listens(port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)


PLAN = ["503", "well", "cut after", "well", "cut before", "well", "killed after", "well", "cut after", "413", "well", "well",
        "500", "well", "killed after", "413", "well", "cut after", "well", "well", "cut after", "cut after"]


@promise("the library delivers to it through 503s, cuts, splits and kills, with nothing lost and nothing doubled")
def _(folder):
    account = Account()
    with Bad(PLAN) as way:
        program = Program(folder, way)
        kills = 0
        try:
            with Tracker(options.tracker, account) as tracker:
                tracker.open(folder, way.url, upload_interval_ms=100)
                for number in range(6):
                    tracker.run(f"r{number}", 2, 0, 150)
                    tracker.finish_run()
                    # The answer that was cut is in the database: the endpoint dies, and the batch comes again, unless
                    # it came in the same flush.
                    flushed = False
                    while not flushed:
                        flushed = "0 ok" in " ".join(tracker.ask("flush", 500, seconds=PATIENCE_S).split()[:2])
                        if way.killed.is_set():
                            way.killed.clear()
                            program.kill()
                            program.start()
                            kills += 1
                tracker.flush(PATIENCE_S)
                stats = tracker.stats()
                tracker.close()
        finally:
            program.kill()
        expect(not way.plan, "not all faults happened:", way.plan)
    lines = [json.loads(row[0]) for row in sqlite3.connect(folder / "lake.db").execute("SELECT line FROM lake")]
    arrived = account.expect_in([line for line in lines if line["action"]["type"] != "yukha_ledger"])
    expect(len({line["id"] for line in lines}) == len(lines), "a sentence is twice in the lake")
    expect_balanced(stats)
    expect(stats["delivered"] == stats["accepted"] == arrived and kills >= 2, stats, arrived, kills)
    return f"{arrived} sentences in {stats['requests']} requests, {len(PLAN) - PLAN.count('well')} faults, {kills} kills"


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--tracker", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
