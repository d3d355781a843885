#!/usr/bin/env python3
"""Proves the promises of examples/collector against the real program on loopback.

    python3 tests/collector/collector_test.py --collector build/release/examples/yukha-collector

One line a promise, then "N passed, N failed"; exit 1 when one failed. Standard library only; with jsonschema installed
the lake's lines are judged by it as well. It shares no code with the collector or the library.
"""
import argparse
import base64
import contextlib
import glob
import gzip
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid

try:
    import jsonschema
except ImportError:
    jsonschema = None

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
KEYID = "app-test"
SECRET = bytes(range(32))
PATIENCE_S = 180

PROMISES = []
COLLECTOR = None


def promise(text):
    def keep(function):
        PROMISES.append((text, function))
        return function
    return keep


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in what) or "a condition does not hold")


def equal(got, wanted, *what):
    expect(got == wanted, *what, "got", repr(got)[:600], "wanted", repr(wanted)[:600])


# --- talking to it -------------------------------------------------------------------------------------------------

RUN = f"{random.getrandbits(64):016x}"
SEQ = [0]


def new_uuid7():
    value = (int(time.time() * 1000) << 80) | (7 << 76) | (random.getrandbits(12) << 64) | (2 << 62) | random.getrandbits(62)
    return str(uuid.UUID(int=value))


def sentence(**changes):
    SEQ[0] += 1
    parts = {"id": new_uuid7(), "time": "2026-05-22T03:52:00.123Z", "user": {"id": "u_1842"},
             "device": {"id": "6f1c", "run": RUN, "seq": f"{SEQ[0]:010d}", "sdk": "yukha/1.0.0", "contract": "1"},
             "location": "app://shop/FEED?y=3", "content": {"id": "card"}, "referral": "CLICK", "action": {"type": "READ"}}
    parts.update(changes)
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def gzipped(lines):
    return gzip.compress("".join(line + "\n" for line in lines).encode(), 6, mtime=0)


def signed(body, key, path="/v1/events", authority=None, offset=None, keyid=KEYID, secret=SECRET, created=None,
           more=""):
    now = time.time()
    digest = "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"
    clock = f"{int(now * 1000)}" + ("" if offset is None else f";offset={offset}")
    params = ('("@method" "@authority" "@path" "content-digest" "content-encoding" "content-type" "idempotency-key" '
              f'"yukha-clock");created={int(now) if created is None else created};'
              f'nonce="{random.getrandbits(64):x}";keyid="{keyid}";alg="hmac-sha256";tag="yukha-v1"{more}')
    base = (f'"@method": POST\n"@authority": {authority}\n"@path": {path}\n"content-digest": {digest}\n'
            f'"content-encoding": gzip\n"content-type": application/x-ndjson\n"idempotency-key": "{key}"\n'
            f'"yukha-clock": {clock}\n"@signature-params": {params}')
    mac = base64.b64encode(hmac.new(secret, base.encode(), hashlib.sha256).digest()).decode()
    return {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "Idempotency-Key": f'"{key}"',
            "Yukha-Clock": clock, "Content-Digest": digest, "Signature-Input": "yukha=" + params,
            "Signature": f"yukha=:{mac}:"}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Collector:
    """The program, on a free port, over a lake of its own."""

    def __init__(self, lake=None, *arguments, key=f"{KEYID}:{base64.b64encode(SECRET).decode()}"):
        self.own = lake is None
        self.lake = lake or tempfile.mkdtemp(prefix="yukha-collector-test-")
        self.arguments = list(arguments)
        self.key = key
        try:
            self.start()
        except BaseException:
            if self.own:
                shutil.rmtree(self.lake, ignore_errors=True)
            raise

    def start(self):
        ready = os.path.join(self.lake, ".ready")
        if os.path.exists(ready):
            os.unlink(ready)
        keys = [] if self.key is None else ["--key", self.key]
        self.process = subprocess.Popen([COLLECTOR, "--port", "0", "--lake", self.lake, "--ready-file", ready, *keys,
                                         *self.arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.time() + PATIENCE_S
        while not os.path.exists(ready):
            expect(self.process.poll() is None, "the collector ended with", self.process.poll())
            expect(time.time() < until, "the collector is not ready")
            time.sleep(0.01)
        self.port = int(pathlib.Path(ready).read_text())
        self.authority = f"127.0.0.1:{self.port}"
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        if self.own:
            shutil.rmtree(self.lake, ignore_errors=True)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def ended(self):
        return self.process.wait(PATIENCE_S)

    def call(self, method, path, body=None, headers=None, host="127.0.0.1"):
        """An answer, or None when the connection ended without one."""
        connection = http.client.HTTPConnection(host, self.port, timeout=PATIENCE_S)
        if headers is None:
            headers = self.authorization()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (http.client.RemoteDisconnected, ConnectionResetError, http.client.IncompleteRead, BrokenPipeError):
            return None
        finally:
            connection.close()

    def authorization(self):
        """What is below /micro/ asks for."""
        token = pathlib.Path(self.lake, ".collector", "token")
        return {"Authorization": f"Bearer {token.read_text().strip()}"} if token.exists() else {}

    def talk(self, data, wait=False):
        """All that comes back for these bytes; `wait` leaves our half of the connection open."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as raw:
            got = b""
            try:
                raw.sendall(data)
                if not wait:
                    raw.shutdown(socket.SHUT_WR)
                while more := raw.recv(65536):
                    got += more
            except ConnectionError:
                pass
            return got

    def send(self, lines, key=None, body=None, **how):
        body = gzipped(lines) if body is None else body
        how.setdefault("authority", self.authority)
        return self.call("POST", "/v1/events", body, signed(body, key or new_uuid7(), **how))

    def counts(self):
        return self.call("GET", "/micro/all").json

    def fault(self, text):
        equal(self.call("POST", "/micro/fault", text).status, 200)

    def lake_lines(self):
        """Every line of every finished file, exactly as a reader of the lake would see them."""
        found = []
        for path in sorted(glob.glob(os.path.join(self.lake, "*", "*", "*.gz"))):
            # Not splitlines(): it would break a sentence at U+2028, which JSON lets stand.
            found += gzip.decompress(pathlib.Path(path).read_bytes()).decode().split("\n")[:-1]
        return found

    def lake_ids(self):
        return [json.loads(line)["id"] for line in self.lake_lines()]


def accepted(answer, n, rejected=()):
    expect(answer is not None, "no answer")
    equal(answer.status, 200, answer.body)
    got = answer.json
    equal(got["accepted"], n, got)
    equal([(r["line"], r["id"]) for r in got["rejected"]], list(rejected))
    return got


def ids_of(lines):
    return [json.loads(line)["id"] for line in lines]


def sound(counts):
    """What must hold whatever happened."""
    equal(counts["total"], counts["good"] + counts["bad"])
    equal(counts["arrived"], counts["total"] + counts["replayed_same_key"] + counts["unjudged"], counts)


def in_background(work):
    result = []
    thread = threading.Thread(target=lambda: result.append(work()))
    thread.start()
    return thread, result


# --- vectors -------------------------------------------------------------------------------------------------------

def good_vectors():
    return (VECTORS / "sentences_good.ndjson").read_bytes().split(b"\n")[:-1]


def bad_vectors():
    rows = json.loads((VECTORS / "sentences_bad.json").read_text())
    return [(row, row["line"].encode() if "line" in row else base64.b64decode(row["base64"])) for row in rows]


def judged(lines):
    done = subprocess.run([COLLECTOR, "--judge"], input=b"".join(line + b"\n" for line in lines), capture_output=True,
                          timeout=PATIENCE_S, check=True)
    return [row.split() for row in done.stdout.decode().splitlines()]


@promise("the vectors are what their script writes")
def _():
    done = subprocess.run([sys.executable, str(VECTORS / "make_vectors.py"), "--check"], capture_output=True,
                          timeout=PATIENCE_S, check=False)
    equal(done.returncode, 0, done.stderr)


@promise("the lake's schema is the sentence's and two keys more")
def _():
    plain = json.loads((VECTORS / "sentence.schema.json").read_text())
    lake = json.loads((VECTORS / "lake_line.schema.json").read_text())
    equal(lake["required"], plain["required"] + ["received_at", "clock_offset_ms"])
    equal({k: v for k, v in lake["properties"].items() if k in plain["properties"]}, plain["properties"])


@promise("the quick reader and the schema agree on every good sentence, and on what is in it")
def _():
    lines = good_vectors()
    rows = judged(lines)
    equal(len(rows), len(lines))
    for line, (_, verdict, facts) in zip(lines, rows):
        equal((verdict, facts), ("good", "same-facts"), line[:100])
    expect(sum(row[0] == "quick-good" for row in rows) > len(rows) / 2, "the quick reader knows too few")


@promise("the quick reader accepts no bad sentence, and the check that refuses it is the one the vector names")
def _():
    rows = bad_vectors()
    verdicts = judged([line for _, line in rows])
    equal(len(verdicts), len(rows))
    for (row, _), (quick, verdict, _) in zip(rows, verdicts):
        equal((quick, verdict), ("quick-unsure", row["check"]), row["why"])


@promise("a sentence with any one byte changed is judged alike by both readers")
def _():
    plain = good_vectors()[0]
    dice = random.Random(7)
    lines = []
    for at in range(len(plain)):
        for byte in (dice.randrange(256), 0x22, 0x5c, 0x2c, 0x7d):
            if byte != 0x0a:
                lines.append(plain[:at] + bytes([byte]) + plain[at + 1:])
        lines.append(plain[:at] + plain[at + 1:])
        lines.append(plain[:at])
    for line, (quick, verdict, facts) in zip(lines, judged(lines)):
        expect(quick == "quick-unsure" or verdict == "good", line)
        equal(facts, "same-facts", line)


@promise("no control character ends a line: what stands behind it is judged, too, and never reaches the lake unread")
def _():
    plain = sentence()
    forged = json.dumps({**json.loads(sentence(user={"id": "forged"})), "received_at": "2020-01-01T00:00:00.000Z",
                         "clock_offset_ms": ""})
    controls = [chr(byte) for byte in range(0x20) if byte not in b"\t\n\r"]
    lines = [plain + control + behind for control in controls for behind in ("", " anything {{{", f"\r{forged}\r", ',"x":"y"}')]
    lines += [plain[:-1] + control + "}" for control in controls] + [control + plain for control in controls]
    lines += [plain.replace('"CLICK"', f'"CL{control}CK"') for control in controls]
    for line, (quick, verdict, _) in zip(lines, judged([line.encode() for line in lines])):
        equal((quick, verdict), ("quick-unsure", "json"), repr(line))
    with Collector(None, "--lake-seconds", "0.1") as collector:
        accepted(collector.send([plain, *lines]), 1, [(number, "") for number in range(2, len(lines) + 2)])
        equal(collector.call("POST", "/micro/policy", '{"for_s":60}\0 anything').status, 400)
        equal(ids_of([json.dumps(line) for line in collector.call("GET", "/micro/good").json]), ids_of([plain]))
        equal(collector.stop(), 0)
        equal(collector.lake_ids(), ids_of([plain]))


@promise("NUL written as an escape is a character like any other for both readers")
def _():
    for change, good in (({"user": {"id": "\0u"}}, True), ({"user": {"id": "\0"}}, True), ({"location": "\0"}, True),
                         ({"action": {"type": "\0READ"}}, True), ({"user": {"id": "u", "a": "\0"}}, True),
                         ({"user": {"id": "u", "a\0": "1"}}, False), ({"id": new_uuid7() + "\0"}, False),
                         ({"time": "2026-05-22T03:52:00.123Z\0"}, False)):
        line = sentence(**change).encode()
        (quick, compact, facts), (_, spaced, _) = judged([line, b" " + line])
        equal((compact, spaced), ("good", "good") if good else ("schema", "schema"), line)
        expect(good or quick == "quick-unsure", line)
        equal(facts, "same-facts", line)


@promise("another validator gives the same verdicts under draft-07 and 2020-12")
def _():
    if jsonschema is None:
        return "skipped: jsonschema is not installed"
    schema = json.loads((VECTORS / "sentence.schema.json").read_text())
    for kind in (jsonschema.Draft7Validator, jsonschema.Draft202012Validator):
        kind.check_schema(schema)
        validator = kind(schema)
        for line in good_vectors():
            expect(validator.is_valid(json.loads(line)), line[:100])
        for row, line in bad_vectors():
            if row["check"] == "schema":
                expect(not validator.is_valid(json.loads(line)), row["why"])
    return None


@promise("every request of the vectors gets the answer it names")
def _():
    file = json.loads((VECTORS / "requests.json").read_text())
    keys = [f"{keyid}:{secret}" for keyid, secret in file["keys"].items()]
    with Collector(None, "--public-url", file["public_url"], *sum((["--key", k] for k in keys[1:]), []),
                   key=keys[0]) as collector:
        for row in file["requests"]:
            equal(collector.call("POST", "/micro/clock", str(row["now_unix_ms"])).status, 200)
            headers = {}
            for name, value in row["headers"]:
                expect(name not in headers, "a field twice")
                headers[name] = value
            answer = collector.call(row["method"], row["path"], base64.b64decode(row["body_base64"]), headers)
            expect(answer is not None, row["name"], "no answer")
            equal(answer.status, row["expect"]["status"], row["name"], answer.body)
            for name in row["expect"].get("headers", []):
                expect(answer.headers[name], row["name"], "without", name)
            wanted = row["expect"].get("body")
            if wanted is not None:
                got = answer.json
                for entry in got.get("rejected", []):
                    expect(entry.pop("reason"), row["name"])
                equal(got, wanted, row["name"])
        sound(collector.counts())


@promise("RFC 9421 B.2.5 and the digests of RFC 9530 are in the vectors as published")
def _():
    file = json.loads((VECTORS / "requests.json").read_text())
    one = file["signatures"][0]
    mac = hmac.new(base64.b64decode(one["key_base64"]), one["signature_base"].encode(), hashlib.sha256).digest()
    equal(base64.b64encode(mac).decode(), one["signature"])
    equal(one["signature"], "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=")
    equal([d["content_digest"] for d in file["digests"]],
          ["sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"])


@promise("every good sentence comes out of the lake byte for byte, every bad one is named and kept apart")
def _():
    with Collector(None) as collector:
        good = good_vectors()
        bad = [line for _, line in bad_vectors() if b"\n" not in line]
        body = gzip.compress(b"".join(line + b"\n" for line in good + bad), mtime=0)
        got = collector.send(None, body=body, offset=-42).json
        equal(got["accepted"], len(good))
        equal([entry["line"] for entry in got["rejected"]], list(range(len(good) + 1, len(good) + len(bad) + 1)))
        counts = collector.counts()
        equal((counts["good"], counts["bad"], counts["ledger"]), (len(good), len(bad), 2))
        shown = collector.call("GET", "/micro/good?limit=1000").json
        equal(ids_of(good), [entry["id"] for entry in shown])
        equal([e["id"] for e in collector.call("GET", "/micro/good?limit=3&offset=5").json], ids_of(good)[5:8])
        refused = collector.call("GET", "/micro/bad?limit=1000").json
        kept = [e["text"].encode() if "text" in e else base64.b64decode(e["base64"]) for e in refused]
        equal(kept, bad)
        equal(collector.stop(), 0)
        lines = collector.lake_lines()
        equal(len(lines), len(good))
        for line, original in zip(lines, good):
            text = original.decode().rstrip()
            own = json.loads(text)["device"].get("clock_offset_ms", "-42")
            expect(line.startswith(text[:-1] + ',"received_at":"2'), line[-200:])
            expect(line.endswith(f'Z","clock_offset_ms":"{own}"}}'), line[-100:])
            if jsonschema is not None:
                schema = json.loads((VECTORS / "lake_line.schema.json").read_text())
                jsonschema.Draft202012Validator(schema).validate(json.loads(line))


@promise("a line of the lake is one line for who reads it as text, too: a carriage return between tokens is a space there")
def _():
    plain = sentence(content={"id": "card"})
    lines = [plain.replace('{"id":"card"}', '\r{"id":"card"}\r'), plain.replace(",", "\r,\r"), plain + "\r", "\r" + plain]
    with Collector(None) as collector:
        accepted(collector.send(lines), len(lines))
        equal(collector.stop(), 0)
        stored = collector.lake_lines()
        equal([line.count("\r") for line in stored], [0] * len(lines))
        equal([{**json.loads(line), "received_at": "", "clock_offset_ms": ""} for line in stored],
              [{**json.loads(plain), "received_at": "", "clock_offset_ms": ""}] * len(lines))


# --- the endpoint's rules ------------------------------------------------------------------------------------------

@promise("a line that is no sentence spoils no other, wherever a reason is cut: its characters stay whole")
def _():
    def twice(name):
        return sentence()[:-1] + f',"{name}":"1","{name}":"2"}}'

    def wrong(name):
        return sentence(user={"id": "u", name: "1"})
    bad = [make("a" * length + character * 100) for make in (twice, wrong) for character in "\u00e9\u20ac\U0001f600"
           for length in [*range(58, 66), *range(160, 204)]]
    bad += [wrong("\x01" * length) for length in (1, 30, 33, 200)]
    lines = [sentence(), *bad, sentence()]
    with Collector(None) as collector:
        key = new_uuid7()
        first = accepted(collector.send(lines, key), 2, [(at + 2, json.loads(line)["id"]) for at, line in enumerate(bad)])
        equal(collector.send(lines, key).json, first)
        accepted(collector.send(lines[:9], key + ".0"), 1, [(at + 2, json.loads(line)["id"]) for at, line in enumerate(bad[:8])])
        equal(len(collector.call("GET", "/micro/bad?limit=1000").json), len(bad))
        sound(collector.counts())


@promise("a repeat of a done key gets the same answer, rejected included, and stores nothing")
def _():
    with Collector(None) as collector:
        lines = [sentence(), "nonsense", sentence()]
        key = new_uuid7()
        body = gzipped(lines)
        first = collector.send(None, key, body)
        accepted(first, 2, [(2, "")])
        second = collector.send(None, key, body)
        equal(second.body, first.body)
        counts = collector.counts()
        equal((counts["total"], counts["arrived"], counts["replayed_same_key"]), (3, 6, 3))
        equal(counts["bytes_differ_under_same_key"], 0)
        sound(counts)
        equal(collector.stop(), 0)
        equal(collector.lake_ids(), ids_of([lines[0], lines[2]]))


@promise("other lines under a done key are a conflict: nothing is stored, and the first lines keep their answer")
def _():
    with Collector(None) as collector:
        key, lines, others = new_uuid7(), [sentence(), "nonsense"], [sentence(), sentence()]
        first = collector.send(lines, key)
        accepted(first, 1, [(2, "")])
        for _ in range(2):
            answer = collector.send(others, key)
            equal((answer.status, answer.json, answer.headers["Retry-After"]), (409, {"error": "conflict"}, None))
        # The digest that counts is of the lines, not of how they were compressed.
        again = gzip.compress("".join(line + "\n" for line in lines).encode(), 1)
        equal(collector.send(None, key, again).body, first.body)
        collector.kill()
        collector.start()
        equal(collector.send(others, key).json, {"error": "conflict"})
        accepted(collector.send(others), 2)
        counts = collector.counts()
        equal((counts["good"], counts["conflicts"], counts["duplicate_id_under_other_key"]), (3, 3, 0))
        sound(counts)


@promise("a key of any UUID version is one, and its parts are")
def _():
    with Collector(None) as collector:
        for version in "0123456789abcdef":
            for variant in "08f":
                key = f"019e4dcf-bb7b-{version}c3b-{variant}d41-{random.getrandbits(48):012x}"
                accepted(collector.send([sentence()], key), 1)
                accepted(collector.send([sentence()], key + ".r"), 1)


@promise("an id under another key is stored and counted, under a part of its own batch it counts apart")
def _():
    with Collector(None) as collector:
        lines = [sentence() for _ in range(4)]
        accepted(collector.send(lines), 4)
        accepted(collector.send(lines[:2]), 2)
        key = new_uuid7()
        accepted(collector.send([sentence()], key + ".0"), 1)
        accepted(collector.send([lines[3]], key + ".1"), 1)
        accepted(collector.send([lines[3]], key + ".r"), 1)
        counts = collector.counts()
        equal((counts["good"], counts["duplicate_id_under_other_key"]), (9, 4), counts)


@promise("keys, answers and counts survive a clean end")
def _():
    with Collector(None) as collector:
        key, lines = new_uuid7(), [sentence(), "x"]
        body = gzipped(lines)
        first = collector.send(None, key, body)
        before = collector.counts()
        equal(collector.stop(), 0)
        collector.start()
        equal(collector.counts(), before)
        equal(collector.send(None, key, body).body, first.body)
        equal(collector.counts()["good"], 1)


@promise("a done batch answers its parts: its entries that are in the body, by id and line here, nothing stored")
def _():
    with Collector(None) as collector:
        lines = [sentence(), sentence(action={}), sentence(), sentence(), "not json", sentence(user={})]
        ids = [json.loads(line)["id"] if line != "not json" else "" for line in lines]
        key = new_uuid7()
        accepted(collector.send(lines, key), 3, [(2, ids[1]), (5, ""), (6, ids[5])])
        accepted(collector.send(lines[:3], key + ".0"), 2, [(2, ids[1])])
        accepted(collector.send(lines[3:], key + ".1"), 1, [(2, ""), (3, ids[5])])
        accepted(collector.send(lines[4:5], key + ".10"), 0, [(1, "")])
        accepted(collector.send(lines[2:4], key + ".r01r"), 2)
        counts = collector.counts()
        equal((counts["total"], counts["new_in_part"], counts["bytes_differ_under_same_key"]), (6, 0, 0))
        sound(counts)


@promise("a line that a part's done ancestor never had is judged and stored, the others are not")
def _():
    with Collector(None) as collector:
        lines = [sentence(), sentence(action={}), sentence()]
        bad_id = json.loads(lines[1])["id"]
        key, new = new_uuid7(), [sentence(), sentence(user={}), sentence()]
        new_bad = json.loads(new[1])["id"]
        accepted(collector.send(lines, key), 2, [(2, bad_id)])
        # The same id with other bytes is another line.
        changed = lines[0].replace("CLICK", "PUSH")
        mixed = [new[0], lines[1], lines[2], new[1], changed]
        first = collector.send(mixed, key + ".0")
        accepted(first, 3, [(2, bad_id), (4, new_bad)])
        equal(collector.send(mixed, key + ".0").body, first.body, "the part is a done key of its own")
        equal(collector.send(lines[:1], key + ".0").json, {"error": "conflict"})
        # Of the done ancestors the nearest one is asked.
        accepted(collector.send([new[0], new[2]], key + ".01"), 2)
        counts = collector.counts()
        equal((counts["good"], counts["bad"], counts["new_in_part"]), (5, 2, 4), counts)
        sound(counts)
        equal(collector.call("GET", "/micro/good").json[-1]["id"], ids_of(new)[2])
        equal(collector.stop(), 0)
        equal(collector.lake_ids(), ids_of([lines[0], lines[2], new[0], changed, new[2]]))


@promise("a part of a done batch is busy while it is stored, and so is the batch: its repeat waits, and then has its answer")
def _():
    with Collector(None) as collector:
        key, lines = new_uuid7(), [sentence()]
        first = collector.send(lines, key)
        collector.fault("slow=1500ms")
        thread, result = in_background(lambda: collector.send([sentence()], key + ".1"))
        time.sleep(0.5)
        for other in (key, key + ".1", key + ".10"):
            equal(collector.send(lines, other).json, {"error": "busy"}, other)
        collector.fault("")
        thread.join()
        accepted(result[0], 1)
        equal(collector.send(lines, key).body, first.body)
        equal(collector.counts()["good"], 2)


@promise("a database that another version of the collector made is refused, with a way out, and not touched")
def _():
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place, ".collector")
        folder.mkdir()
        for make, version in (("CREATE TABLE keys (key TEXT PRIMARY KEY, state INTEGER NOT NULL)", 0),
                              ("PRAGMA user_version=99", 99)):
            (folder / "collector.db").unlink(missing_ok=True)
            database = sqlite3.connect(folder / "collector.db")
            database.execute(make)
            database.commit()
            database.close()
            done = subprocess.run([COLLECTOR, "--port", "0", "--lake", place, "--key", f"{KEYID}:c2VjcmV0"],
                                  capture_output=True, timeout=PATIENCE_S, check=False)
            equal(done.returncode, 1)
            expect(f"schema {version}," in done.stderr.decode() and "--lake" in done.stderr.decode(), done.stderr)


@promise("once a part came, everything above it is split, for ever; what is beside it is not")
def _():
    with Collector(None) as collector:
        lines = [sentence() for _ in range(8)]
        key = new_uuid7()
        accepted(collector.send(lines[:2], key + ".00"), 2)
        for above in (key, key + ".0"):
            answer = collector.send(lines, above)
            equal((answer.status, answer.json), (409, {"error": "split"}))
        accepted(collector.send(lines[2:4], key + ".01"), 2)
        accepted(collector.send(lines[4:6], key + ".1"), 2)
        accepted(collector.send(lines[6:], key + ".r"), 2)
        accepted(collector.send(lines[4:5], key + ".10"), 1)
        collector.kill()
        collector.start()
        equal(collector.send(lines, key).json, {"error": "split"})
        accepted(collector.send(lines[2:3], key + ".010"), 1)
        counts = collector.counts()
        equal((counts["good"], counts["duplicate_id_under_same_key"]), (8, 0))
        equal(collector.stop(), 0)
        equal(sorted(collector.lake_ids()), sorted(ids_of(lines)))


@promise("sixteen levels deep every ancestor is split, and the seventeenth is no key")
def _():
    with Collector(None) as collector:
        key = new_uuid7() + "."
        path = "01r" * 5 + "0"
        accepted(collector.send([sentence()], key + path), 1)
        for length in range(1, 16):
            equal(collector.send([sentence()], key + path[:length]).json, {"error": "split"}, length)
        equal(collector.send([sentence()], key + path + "0").status, 400)


@promise("while a batch is being stored, it, its parts and what it is part of get 409 with Retry-After")
def _():
    with Collector(None) as collector:
        lines = [sentence() for _ in range(4)]
        key = new_uuid7()
        for held, others in ((key, (key, key + ".0", key + ".1r")), ):
            collector.fault("slow=1500ms")
            thread, result = in_background(lambda h=held: collector.send(lines, h))
            time.sleep(0.5)
            for other in others:
                answer = collector.send(lines, other)
                equal((answer.status, answer.headers["Retry-After"]), (409, "1"), other, answer.body)
                expect(answer.json["error"] != "split", other)
            collector.fault("")
            thread.join()
            accepted(result[0], 4)
        accepted(collector.send(lines[:2], key + ".0"), 2)
        equal(collector.counts()["good"], 4)

        part = new_uuid7()
        collector.fault("slow=1500ms")
        thread, result = in_background(lambda: collector.send(lines[:1], part + ".01"))
        time.sleep(0.5)
        equal(collector.send(lines, part).json, {"error": "busy"})
        equal(collector.send(lines[:1], part + ".01").json, {"error": "busy"})
        equal(collector.send(lines[:1], part + ".010").json, {"error": "busy"})
        collector.fault("")
        accepted(collector.send([sentence()], part + ".00"), 1)
        thread.join()
        accepted(result[0], 1)
        equal(collector.send(lines, part).json, {"error": "split"})
        sound(collector.counts())


@promise("a batch whose lease ran out may be stored by its repeat, and then not by its slow owner")
def _():
    with Collector(None, "--lease-seconds", "0.5") as collector:
        key, lines = new_uuid7(), [sentence()]
        body = gzipped(lines)
        collector.fault("slow=2s")
        thread, result = in_background(lambda: collector.send(None, key, body))
        time.sleep(1)
        collector.fault("")
        accepted(collector.send(None, key, body), 1)
        thread.join()
        equal(result[0].status, 409)
        equal(collector.counts()["good"], 1)
        part = new_uuid7()
        collector.fault("slow=2s")
        thread, result = in_background(lambda: collector.send([sentence(), sentence()], part))
        time.sleep(1)
        collector.fault("")
        accepted(collector.send([sentence()], part + ".0"), 1)
        thread.join()
        equal(result[0].status, 409, "the whole after its part")
        sound(collector.counts())


@promise("forty clients with the same key at once: it is stored once and everybody who got 200 got the same")
def _():
    with Collector(None) as collector:
        key, body = new_uuid7(), gzipped([sentence() for _ in range(50)])
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(collector.send(None, key, body))) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(len(answers), 40)
        equal({a.status for a in answers} - {200, 409}, set())
        equal(len({a.body for a in answers if a.status == 200}), 1)
        equal(collector.counts()["good"], 50)


@promise("thirty kept-alive connections are served side by side")
def _():
    with Collector(None) as collector:
        failures = []

        def client():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=PATIENCE_S)
                for _ in range(10):
                    body = gzipped([sentence()])
                    connection.request("POST", "/v1/events", body,
                                       signed(body, new_uuid7(), authority=collector.authority))
                    response = connection.getresponse()
                    response.read()
                    equal(response.status, 200)
                gate.wait(PATIENCE_S)
                connection.close()
            except Exception as fault:  # noqa: BLE001
                failures.append(fault)
                gate.abort()

        gate = threading.Barrier(30)
        threads = [threading.Thread(target=client) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(failures, [])
        equal(collector.counts()["good"], 300)


@promise("@authority is the public URL's: 127.0.0.1, [::1] and localhost with the port, and no other")
def _():
    with Collector(None) as collector:
        for host in ("127.0.0.1", "localhost", "[::1]"):
            accepted(collector.send([sentence()], authority=f"{host}:{collector.port}"), 1)
        for wrong in (f"example.com:{collector.port}", "127.0.0.1", f"127.0.0.1:{collector.port + 1}"):
            equal(collector.send([sentence()], authority=wrong).json, {"error": "signature"})
        body = gzipped([sentence()])
        if socket.has_ipv6:
            headers = signed(body, new_uuid7(), authority=f"[::1]:{collector.port}")
            accepted(collector.call("POST", "/v1/events", body, headers, host="::1"), 1)


@promise("a signature that says when it expires is not taken later")
def _():
    with Collector(None) as collector:
        now = int(time.time())
        accepted(collector.send([sentence()], more=f";expires={now + 600}"), 1)
        answer = collector.send([sentence()], more=f";expires={now - 1}")
        equal((answer.status, answer.json), (401, {"error": "clock"}))
        expect(answer.headers["Date"])
        equal(collector.send([sentence()], more=f";expires={now + 600}", created=now - 301).json, {"error": "clock"})
        for odd in ('"soon"', "1.5", "?1", ":eA==:", "tomorrow", "9999999999999999"):
            equal(collector.send([sentence()], more=f";expires={odd}").json, {"error": "signature"}, odd)
        equal(collector.send([sentence()], more=";expires").json, {"error": "signature"})


@promise("with public URLs given, their authority and path are what is verified, default port dropped")
def _():
    with Collector(None, "--public-url", "https://Collect.Example.com:443/prod/in", "--public-url",
                   "http://b.example.com:8080") as collector:
        body = gzipped([sentence()])
        headers = signed(body, new_uuid7(), path="/prod/in", authority="collect.example.com")
        accepted(collector.call("POST", "/prod/in", body, headers), 1)
        accepted(collector.send([sentence()], authority="b.example.com:8080"), 1)
        equal(collector.send([sentence()]).json, {"error": "signature"})


@promise("a body above 1 MiB is refused before it comes in, one in chunks, too, and the next request is served")
def _():
    with Collector(None) as collector:
        big = os.urandom(1024 * 1024 + 1)
        answer = collector.call("POST", "/v1/events", big, signed(big, new_uuid7(), authority=collector.authority))
        equal(answer.status, 413)
        fits = os.urandom(1024 * 1024)
        answer = collector.call("POST", "/v1/events", fits, signed(fits, new_uuid7(), authority=collector.authority))
        equal((answer.status, answer.json), (400, {"error": "gzip"}))
        lines = [sentence()]
        body = gzipped(lines)
        headers = signed(body, new_uuid7(), authority=collector.authority)
        answer = collector.call("POST", "/v1/events", iter([body[:10], body[10:]]), headers)
        expect(answer is None or (answer.status, answer.json) == (411, {"error": "length"}), answer and answer.body)
        accepted(collector.call("POST", "/v1/events", body, headers), 1)
        host = f"Host: {collector.authority}\r\n".encode()
        # A client that announces a terabyte is told at once, before it sent any of it.
        with socket.create_connection(("127.0.0.1", collector.port), PATIENCE_S) as raw:
            raw.sendall(b"POST /v1/events HTTP/1.1\r\n" + host + b"Content-Length: 1099511627776\r\n\r\n")
            expect(b" 413 " in raw.recv(4096))
        with socket.create_connection(("127.0.0.1", collector.port), PATIENCE_S) as raw:
            raw.sendall(b"POST /v1/events HTTP/1.1\r\n" + host + b"Content-Length: 1099511627776\r\n"
                        b"Expect: 100-continue\r\n\r\n")
            expect(b" 413 " in raw.recv(4096))


@promise("a head that is endless, doubled or nonsense ends its connection and nothing else")
def _():
    with Collector(None) as collector:
        expect(b" 431 " in collector.talk(b"POST /v1/events HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"))
        expect(b" 200 " not in collector.talk(b"\x16\x03\x01\x02\x00 TLS here\r\n\r\n"))
        expect(b" 200 " not in collector.talk(b"GET " + b"/a" * 4000 + b" HTTP/1.1\r\n\r\n"))
        host = f"Host: {collector.authority}\r\n".encode()
        for fields in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                       b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"):
            expect(b" 400 " in collector.talk(b"POST /v1/events HTTP/1.1\r\n" + host + fields), fields)
        collector.talk(b"POST /v1/events HTTP/1.1\r\n" + host + b"Content-Length: 50\r\n\r\nhalf")
        for path, method, status in (("/", "GET", 404), ("/v1/events", "GET", 405), ("/v2/events", "POST", 404),
                                     ("/micro/nothing", "GET", 404), ("/micro/nothing", "POST", 404),
                                     ("/micro/all", "POST", 405), ("/micro/policy", "DELETE", 405),
                                     ("/v2/events", "DELETE", 404), ("/v1/events/", "POST", 404)):
            equal(collector.call(method, path).status, status, path)
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            answer = collector.call(method, "/v1/events", None if method in ("GET", "HEAD", "TRACE") else b"{}")
            equal((answer.status, answer.headers["Allow"]), (405, "POST"), method)
        accepted(collector.send([sentence()]), 1)


# --- the lake ------------------------------------------------------------------------------------------------------

@promise("lake files are one gzip member each, under dt and hour of arrival in UTC, within the promised time")
def _():
    with Collector(None, "--lake-seconds", "0.3") as collector:
        begin = time.time()
        accepted(collector.send([sentence()]), 1)
        while not collector.lake_lines():
            expect(time.time() - begin < 5, "no file")
            time.sleep(0.02)
        path = glob.glob(os.path.join(collector.lake, "*", "*", "*.json.gz"))[0]
        day, hour = pathlib.Path(path).parts[-3:-1]
        moments = {time.strftime("dt=%Y-%m-%d hour=%H", time.gmtime(t)) for t in (begin, time.time())}
        expect(f"{day} {hour}" in moments, path)
        import zlib
        reader = zlib.decompressobj(31)
        reader.decompress(pathlib.Path(path).read_bytes())
        expect(reader.eof and not reader.unused_data, "more than one member")
        equal(len(collector.call("GET", "/micro/good").json), 1)


@promise("a file is cut by size, too, and together they hold every line once, in order")
def _():
    with Collector(None, "--lake-seconds", "600", "--lake-bytes", "20000") as collector:
        sent = []
        for _ in range(40):
            lines = [sentence() for _ in range(10)]
            accepted(collector.send(lines), 10)
            sent += ids_of(lines)
        equal([e["id"] for e in collector.call("GET", "/micro/good?limit=1000").json], sent)
        expect(len(glob.glob(os.path.join(collector.lake, "*", "*", "*.gz"))) >= 3)
        equal(collector.stop(), 0)
        equal(collector.lake_ids(), sent)


@promise("arrival decides the day and the hour, across midnight")
def _():
    with Collector(None, "--lake-seconds", "600") as collector:
        midnight = 1798761600000  # 2027-01-01T00:00:00Z
        for now in (midnight - 1, midnight):
            collector.call("POST", "/micro/clock", str(now))
            answer = collector.send([sentence()], created=now // 1000)
            accepted(answer, 1)
        equal(answer.headers["Date"], "Fri, 01 Jan 2027 00:00:00 GMT")
        equal(collector.stop(), 0)
        days = [os.path.relpath(p, collector.lake).split("/")[:2]
                for p in sorted(glob.glob(os.path.join(collector.lake, "*", "*", "*.gz")))]
        equal(days, [["dt=2026-12-31", "hour=23"], ["dt=2027-01-01", "hour=00"]])
        stamps = [json.loads(line)["received_at"] for line in collector.lake_lines()]
        equal(stamps, ["2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00.000Z"])


@promise("SIGTERM, SIGINT and SIGHUP finish the open file; after SIGKILL the next start writes it")
def _():
    for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        with Collector(None, "--lake-seconds", "600") as collector:
            lines = [sentence() for _ in range(5)]
            accepted(collector.send(lines), 5)
            equal(collector.lake_lines(), [])
            collector.process.send_signal(how)
            equal(collector.ended(), 0 if how != signal.SIGKILL else -9)
            if how == signal.SIGKILL:
                equal(collector.lake_lines(), [])
                collector.start()
            equal(collector.lake_ids(), ids_of(lines))


@promise("under nohup SIGHUP is nothing, as nohup promises")
def _():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a child inherits it
    try:
        with Collector(None) as collector:
            signal.signal(signal.SIGHUP, before)
            collector.process.send_signal(signal.SIGHUP)
            until = time.time() + 0.5
            while time.time() < until:
                accepted(collector.send([sentence()]), 1)
    finally:
        signal.signal(signal.SIGHUP, before)


@promise("a file an earlier collector named and did not finish is written again, whole")
def _():
    with Collector(None, "--lake-seconds", "600") as collector:
        now = 1779421920
        collector.call("POST", "/micro/clock", str(now * 1000))
        lines = [sentence() for _ in range(50)]
        accepted(collector.send(lines, created=now), 50)
        collector.kill()
        hour = pathlib.Path(collector.lake, "dt=2026-05-22", "hour=03")
        hour.mkdir(parents=True)
        unfinished = hour / "yukha-20260522T035200Z-000000001.json.gz.tmp"
        unfinished.write_bytes(b"half a file")
        collector.start()
        equal(collector.lake_ids(), ids_of(lines))
        equal([path.name for path in hour.iterdir()], [unfinished.name[:-4]])


@promise("keys older than 35 days go, younger ones stay, and a request beside 30,000 keys looks for none of them one by one")
def _():
    def read_a_request(collector):
        def read_in_all():
            text = pathlib.Path(f"/proc/{collector.process.pid}/io").read_text()
            return int(text.split("rchar:")[1].split()[0])
        begin = read_in_all()
        for _ in range(50):
            accepted(collector.send([sentence()], str(uuid.uuid4())), 1)
        return (read_in_all() - begin) / 50

    with Collector(None) as collector:
        plain = read_a_request(collector)
        now, day = int(time.time() * 1000), 24 * 3600 * 1000
        line = sentence()
        digest = hashlib.sha256(line.encode() + b"\n").digest()
        old, young = str(uuid.uuid4()), str(uuid.uuid4())
        equal(collector.stop(), 0)
        with contextlib.closing(sqlite3.connect(os.path.join(collector.lake, ".collector", "collector.db"))) as database:
            def remember(key, age_ms):
                return (key, 1, now - age_ms, digest, digest, '{"accepted":1,"rejected":[]}', bytes(8))
            keys = [remember(old, 35 * day + 60_000), remember(young, 35 * day - 60 * 60_000)]
            keys += [remember(str(uuid.uuid4()), (20 + number % 25) * day) for number in range(30_000)]
            database.executemany("INSERT INTO keys VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", keys)
            database.executemany("INSERT INTO sentences VALUES (?, ?, 0, ?)", [
                (uuid.uuid4().bytes, bytes(16), now // day - 20 - number % 25) for number in range(30_000)])
            database.commit()
        collector.start()
        beside = read_a_request(collector)
        expect(beside < plain + 100_000, beside, "bytes read a request, beside none", plain)
        good = collector.counts()["good"]
        accepted(collector.send([line], young), 1)
        equal(collector.counts()["good"], good, "it came before")
        accepted(collector.send([line], old), 1)
        equal(collector.counts()["good"], good + 1, "nobody remembers it")
        equal(collector.stop(), 0)
        with contextlib.closing(sqlite3.connect(os.path.join(collector.lake, ".collector", "collector.db"))) as database:
            for table, column, before in (("keys", "at_unix_ms", now - 35 * day), ("sentences", "day", now // day - 35)):
                equal(database.execute(f"SELECT count(*) FROM {table} WHERE {column} < {before}").fetchone()[0], 0, table)
                expect(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 15_000, table)
        return f"{beside:.0f} bytes read a request, beside none {plain:.0f}"


# --- death ---------------------------------------------------------------------------------------------------------

def die_and_return(collector, fault, lines, key):
    collector.fault(fault)
    body = gzipped(lines)
    answer = collector.send(None, key, body)
    equal(collector.ended(), -9)
    collector.start()
    return answer, collector.send(None, key, body)


@promise("killed before it stored: nothing was stored, and the repeat is")
def _():
    with Collector(None) as collector:
        lines = [sentence() for _ in range(3)]
        first, second = die_and_return(collector, "crash=before", lines, new_uuid7())
        equal(first, None)
        accepted(second, 3)
        counts = collector.counts()
        equal((counts["good"], counts["arrived"], counts["replayed_same_key"], counts["unjudged"]), (3, 6, 0, 3))
        sound(counts)


@promise("killed between storing and answering: the repeat gets the answer, and nothing is stored twice")
def _():
    with Collector(None) as collector:
        lines = [sentence(), "x", sentence()]
        first, second = die_and_return(collector, "crash=between", lines, new_uuid7())
        equal(first, None)
        accepted(second, 2, [(2, "")])
        counts = collector.counts()
        equal((counts["good"], counts["replayed_same_key"], counts["unjudged"]), (2, 3, 0))
        sound(counts)
        equal(collector.stop(), 0)
        equal(collector.lake_ids(), ids_of([lines[0], lines[2]]))


@promise("killed after the answer: the client has it, and so has the lake")
def _():
    with Collector(None) as collector:
        lines = [sentence() for _ in range(3)]
        first, second = die_and_return(collector, "crash=after", lines, new_uuid7())
        accepted(first, 3)
        equal(second.body, first.body)
        sound(collector.counts())
        equal(collector.lake_ids(), ids_of(lines))


@promise("killed twenty times at any moment while four clients send: every line answered is in the lake once, no file is half")
def _():
    with Collector(None, "--lake-seconds", "0.05", "--lake-bytes", "30000") as collector:
        stop = threading.Event()
        sent, failures = [], []
        guard = threading.Lock()

        def client(number):
            try:
                while not stop.is_set():
                    lines = [sentence() for _ in range(20)]
                    key, body = f"{new_uuid7()}", gzipped(lines)
                    with guard:
                        sent.extend(ids_of(lines))
                    while True:  # exactly as a client would: the same bytes under the same key until it is taken
                        try:
                            answer = collector.send(None, key, body)
                        except OSError:
                            answer = None
                        if answer is not None and answer.status == 200:
                            accepted(answer, 20)
                            break
                        expect(answer is None or answer.status in (401, 409), answer and answer.status)
                        time.sleep(0.01)
            except Exception as fault:  # noqa: BLE001
                failures.append((number, fault))

        threads = [threading.Thread(target=client, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        dice = random.Random(3)
        for _ in range(20):
            time.sleep(dice.uniform(0.02, 0.2))
            collector.kill()
            collector.lake_lines()  # throws when a file cannot be read whole
            collector.start()
        stop.set()
        for thread in threads:
            thread.join()
        equal(failures, [])
        counts = collector.counts()
        equal(collector.stop(), 0)
        found = collector.lake_ids()
        equal(len(found), len(set(found)), "twice in the lake")
        equal(sorted(found), sorted(sent))
        equal((counts["good"], counts["bytes_differ_under_same_key"], counts["duplicate_id_under_other_key"]),
              (len(sent), 0, 0))
        sound(counts)
        equal(glob.glob(os.path.join(collector.lake, "**", "*.tmp"), recursive=True), [])
        return f"{len(sent)} sentences"


# --- misbehaviour --------------------------------------------------------------------------------------------------

@promise("status=503 stores nothing, says when to come back, and is never remembered")
def _():
    with Collector(None, "--fault", "status=503,retry_after=7,body={\"a\":1,\"b\":2}") as collector:
        key, body = new_uuid7(), gzipped([sentence()])
        answer = collector.send(None, key, body)
        equal((answer.status, answer.headers["Retry-After"], answer.body), (503, "7", b'{"a":1,"b":2}'))
        collector.fault("")
        accepted(collector.send(None, key, body), 1)
        counts = collector.counts()
        equal((counts["arrived"], counts["good"], counts["verdicts"]), (2, 1, {"200": 1, "503": 1}))
        sound(counts)


@promise("a rate is kept, and a seed repeats it")
def _():
    patterns = []
    for seed in ("7", "7", "8"):
        with Collector(None, "--fault", "status=503,rate=0.3", "--seed", seed) as collector:
            patterns.append([collector.send([sentence()]).status for _ in range(60)])
    equal(patterns[0], patterns[1])
    expect(patterns[0] != patterns[2], "another seed, another weather")
    expect(5 <= patterns[0].count(503) <= 33, patterns[0].count(503))


@promise("cut=before: no answer and nothing stored; cut=after: no answer and stored")
def _():
    with Collector(None) as collector:
        for when, stored in (("before", 0), ("after", 1)):
            key, body = new_uuid7(), gzipped([sentence()])
            good = collector.counts()["good"]
            collector.fault(f"cut={when}")
            equal(collector.send(None, key, body), None)
            equal(collector.counts()["good"] - good, stored)
            collector.fault("")
            accepted(collector.send(None, key, body), 1)
            equal(collector.counts()["good"] - good, 1)
        counts = collector.counts()
        equal((counts["replayed_same_key"], counts["verdicts"]["cut"]), (1, 2))
        sound(counts)


@promise("413=N looks at the body's bytes, reject=N takes every Nth good line, portal and 400 are what they say, slow is slow")
def _():
    with Collector(None) as collector:
        small, large = gzipped([sentence()]), gzipped([sentence() for _ in range(60)])
        collector.fault(f"413={len(small)}")
        accepted(collector.send(None, body=small), 1)
        equal(collector.send(None, body=large).status, 413)
        collector.fault("reject=3")
        lines = [sentence() for _ in range(4)] + ["x"] + [sentence() for _ in range(4)]
        ids = [json.loads(line)["id"] if line != "x" else "" for line in lines]
        accepted(collector.send(lines), 6, [(3, ids[2]), (5, ""), (7, ids[6])])
        collector.fault("reject=1")
        hidden = sentence(user={"id": "\u20ac" * 13}).replace('"id"', '"i\\u0064"')
        accepted(collector.send([hidden]), 0, [(1, json.loads(hidden)["id"])])
        collector.fault("portal")
        answer = collector.send([sentence()])
        equal((answer.status, answer.headers["Content-Type"].split(";")[0]), (200, "text/html"))
        collector.fault("400")
        answer = collector.send([sentence()])
        equal((answer.status, answer.body), (400, b""))
        collector.fault("slow=300ms\nstatus=429,rate=1\n")
        begin = time.time()
        equal(collector.send([sentence()]).status, 429)
        expect(time.time() - begin >= 0.3)
        equal(collector.call("GET", "/micro/all").status, 200)
        equal(collector.call("POST", "/micro/fault", "weather=bad").status, 400)
        equal(collector.send([sentence()]).status, 429, "a text that is no fault changes nothing")


@promise("a policy is added to every 200, also to repeats and parts, is no part of the answer that a key remembers, and can be switched")
def _():
    with Collector(None) as collector:
        asked = {"for_s": 3600, "pause_s": 60, "upload_interval_s": 30, "stop": ["READ", "SCROLL"], "share_percent": 10}
        key, lines = new_uuid7(), [sentence(), "x"]
        plain = collector.send(lines, key)
        equal(sorted(plain.json), ["accepted", "rejected"])
        equal(collector.call("GET", "/micro/policy").json, {"policy": None})
        equal(collector.call("POST", "/micro/policy", json.dumps(asked)).json, {"policy": asked})
        equal(collector.send(lines, key).json, {**plain.json, "policy": asked})
        equal(collector.send([sentence()]).json, {"accepted": 1, "rejected": [], "policy": asked})
        equal(collector.send(lines[:1], key + ".0").json["policy"], asked)
        equal(collector.send([sentence()], key).json, {"error": "conflict"})
        equal(collector.call("GET", "/micro/policy").json, {"policy": asked})
        equal(collector.call("POST", "/micro/policy", '{"for_s":0}').status, 200)
        equal(collector.send(lines, key).json["policy"], {"for_s": 0})
        equal(collector.call("POST", "/micro/policy", "").json, {"policy": None})
        equal(collector.send(lines, key).body, plain.body)


@promise("a policy that no client would obey is refused in words, and the one before stays")
def _():
    with Collector(None) as collector:
        good = '{"for_s":604800,"pause_s":86400,"upload_interval_s":86400,"share_percent":100,"stop":["' + "x" * 64 + '"]}'
        equal(collector.call("POST", "/micro/policy", good).status, 200)
        for bad in ('{"for_s":604801}', '{"for_s":-1}', '{"for_s":1.0}', '{"for_s":"1"}', '{"for_s":true}', '{"for_s":null}',
                    '{"for_s":99999999999999999999}', "{}", "[]", "7", "{", "\xff", '{"for_s":10,"pause_s":11}',
                    '{"for_s":604800,"pause_s":86401}', '{"for_s":1,"upload_interval_s":86401}', '{"for_s":1,"stop":"*"}',
                    '{"for_s":1,"stop":[7]}', '{"for_s":1,"stop":[""]}', '{"for_s":1,"stop":["RE\\u0000AD"]}', '{"for_s":1,"stop":["\\n"]}',
                    '{"for_s":1,"stop":["' + "x" * 65 + '"]}', '{"for_s":1,"stop":[' + ",".join(['"a"'] * 65) + "]}",
                    '{"for_s":1,"share_percent":101}', '{"for_s":1,"share":5}', "[" * 100000):
            answer = collector.call("POST", "/micro/policy", bad.encode("latin-1"))
            equal(answer.status, 400, bad[:80])
            expect(len(answer.json["error"]) > 10, bad[:80])
        equal(collector.call("GET", "/micro/policy").json, {"policy": json.loads(good)})
        # To a client it is "*" alone.
        equal(collector.call("POST", "/micro/policy", '{"for_s":1,"stop":["*","READ"]}').status, 200)


@promise("what cannot be understood below /micro/ is 400 and told, and changes nothing")
def _():
    with Collector(None) as collector:
        lines = [sentence() for _ in range(5)] + ["x", "y"]
        accepted(collector.send(lines), 5, [(6, ""), (7, "")])
        for path, all_of_it in (("/micro/good", 5), ("/micro/bad", 2)):
            for good, count in (("", all_of_it), ("?", all_of_it), ("?limit=2", 2), ("?offset=1", all_of_it - 1),
                                ("?offset=1&limit=1", 1), ("?limit=0", 0), ("?limit=10000&offset=9223372036854775807", 0)):
                answer = collector.call("GET", path + good)
                equal((answer.status, len(answer.json)), (200, count), path, good)
            for bad in ("limit=-1", "limit=10001", "limit=9223372036854775808", "limit=99999999999999999999", "limit=", "limit",
                        "limit=1.0", "limit=1e3", "limit=0x10", "limit=+1", "limit=%31", "limit=1%00", "limit=two", "limit=1,2",
                        "limit=NaN", "limit=" + "9" * 4000, "limit=1&limit=1", "limit=1&offset=2&limit=3", "Limit=1", "limits=1",
                        "offset=-1", "offset=9223372036854775808", "offset=", "offset", "offset=x", "offset=1&offset=1",
                        "limit=1;offset=1", "=1", "&limit=1", "limit=1&&offset=1", "limit=1&x", "x=1"):
                answer = collector.call("GET", f"{path}?{bad}")
                equal(answer.status, 400, bad[:80])
                expect(b"limit" in answer.body or b"offset" in answer.body, bad[:80], answer.body)
        for path in ("/micro/all", "/micro/policy"):
            equal(collector.call("GET", path + "?").status, 200)
            for query in ("limit=1", "x"):
                answer = collector.call("GET", f"{path}?{query}")
                equal((answer.status, "parameter" in answer.json["error"]), (400, True), path, query)
        for path, body in (("fault", "status=503"), ("policy", '{"for_s":60}'), ("clock", "0"), ("reset", "")):
            answer = collector.call("POST", f"/micro/{path}?x=1", body)
            equal((answer.status, "parameter" in answer.json["error"]), (400, True), path)
        answer = collector.call("GET", "/micro/good?limit=1?offset=1")
        equal((answer.status, answer.json), (400, {"error": "request"}))
        equal(collector.call("GET", "/micro/nothing?limit=-1").status, 404)
        equal(collector.call("GET", "/micro/fault?x").status, 405)
        for path, body in (("fault", "status=503,rate=0.1,rate=0.2"), ("fault", "status=503,status=500"), ("fault", "slow=-1s"),
                           ("fault", "reject="), ("policy", '{"for_s":60,"stop":[],"for_s":61}'), ("clock", "-1"),
                           ("clock", "253402300800000"), ("clock", "9" * 30), ("clock", "now"), ("clock", "1.5"), ("clock", "1 2"),
                           ("reset", "fault")):
            answer = collector.call("POST", "/micro/" + path, body)
            equal(answer.status, 400, path, body)
            expect(len(answer.json["error"]) > 10, path, body, answer.body)
        for path in ("fault", "policy", "clock", "reset"):
            answer = collector.call("POST", "/micro/" + path, b"x" * (1024 * 1024 + 1))
            expect(answer is None or (answer.status == 413 and "1 MiB" in answer.json["error"]), path, answer and answer.body)
        equal(collector.call("GET", "/micro/policy").json, {"policy": None})
        accepted(collector.send([sentence()]), 1)
        equal(collector.counts()["total"], 8)


@promise("reset empties counts, keys and lake")
def _():
    with Collector(None, "--lake-seconds", "0.05") as collector:
        key, body = new_uuid7(), gzipped([sentence(), "x"])
        collector.send(None, key, body)
        time.sleep(0.5)
        equal(collector.call("GET", "/micro/reset").status, 405)
        equal(collector.counts()["total"], 2)
        equal(collector.call("POST", "/micro/reset").json["total"], 0)
        equal(collector.lake_lines(), [])
        equal(collector.call("GET", "/micro/good").json + collector.call("GET", "/micro/bad").json, [])
        accepted(collector.send(None, key, body), 1, [(2, "")])
        counts = collector.counts()
        equal((counts["good"], counts["bad"], counts["replayed_same_key"]), (1, 1, 0))


# --- the command line ----------------------------------------------------------------------------------------------

@promise("a wrong command line is refused with 64 and a sentence; what cannot be used with 1")
def _():
    key = f"{KEYID}:{base64.b64encode(SECRET).decode()}"
    with Collector(None) as collector, tempfile.TemporaryDirectory() as place:
        whole = ["--port", "0", "--lake", place, "--key", key]
        a_file = os.path.join(place, "file")
        pathlib.Path(a_file).write_text("x")
        for arguments, code, says in (
                ([], 64, "--port"), (["--port", "0"], 64, "--lake"), (whole[:4], 64, "--key"), (whole + ["--frob"], 64, "--frob"),
                (["--port", "65536"] + whole[2:], 64, "65535"), (["--port", "x"] + whole[2:], 64, "number"),
                (whole[:4] + ["--key", "app:not base64"], 64, "base64"), (whole[:4] + ["--key", "app:"], 64, "empty"),
                (whole[:4] + ["--key", "c2VjcmV0"], 64, "KEYID:BASE64"), (whole + ["--key", key], 64, "twice"),
                (whole + ["--public-url", "ftp://x"], 64, "http"), (whole + ["--public-url", "example.com"], 64, "http"),
                (whole + ["--fault", "status=banana"], 64, "status=banana"), (whole + ["--fault", "slow=1s,rate=2"], 64, "rate=2"),
                (whole + ["--seed"], 64, "value"), (whole + ["--lease-seconds", "61"], 64, "60"),
                (["--port", "0", "--lake", a_file, "--key", key], 1, a_file),
                (["--port", str(collector.port)] + whole[2:], 1, str(collector.port)),
                (["--port", "0", "--lake", collector.lake, "--key", key], 1, "another collector")):
            done = subprocess.run([COLLECTOR, *arguments], capture_output=True, timeout=PATIENCE_S, check=False)
            equal(done.returncode, code, arguments, done.stderr)
            expect(says in done.stderr.decode(), arguments, done.stderr)
        done = subprocess.run([COLLECTOR, "--help"], capture_output=True, timeout=PATIENCE_S, check=False)
        equal(done.returncode, 0)
        expect(b"--public-url" in done.stdout)


@promise("--key-file has keys one a line, for its owner alone; what is wrong in it is told with its line and without the secret")
def _():
    with tempfile.TemporaryDirectory() as place:
        keys = pathlib.Path(place, "keys")
        one, other = base64.b64encode(SECRET).decode(), base64.b64encode(b"another secret").decode()
        keys.touch(0o600)
        keys.write_bytes(f"# of the app\n{KEYID}:{one}\r\n\napp:with:colons:{other}".encode())
        with Collector(None, "--key-file", str(keys), key=None) as collector:
            accepted(collector.send([sentence()]), 1)
            accepted(collector.send([sentence()], keyid="app:with:colons", secret=b"another secret"), 1)
            equal(collector.send([sentence()], keyid="app").json, {"error": "key"})
        command = [COLLECTOR, "--port", "0", "--lake", place, "--key-file"]
        for text, says in ((f"a:{one}\na:{one}", "line 2: key a is given twice"), (one, "line 1: a key is KEYID:BASE64"),
                           ("# only this", "--key-file or --key is missing"), ("x" * 70000, "longer than 64 KiB"),
                           (None, "cannot be read")):
            keys.unlink(missing_ok=True)
            if text is not None:
                keys.touch(0o600)
                keys.write_text(text)
            done = subprocess.run([*command, str(keys)], capture_output=True, timeout=PATIENCE_S, check=False)
            equal(done.returncode, 64, says)
            expect(says in done.stderr.decode() and one not in done.stderr.decode(), done.stderr)
        keys.write_text(f"a:{one}\n")
        for mode in (0o604, 0o640, 0o602, 0o644):
            keys.chmod(mode)
            done = subprocess.run([*command, str(keys)], capture_output=True, timeout=PATIENCE_S, check=False)
            equal(done.returncode, 64, oct(mode))
            expect("its owner's alone" in done.stderr.decode() and one not in done.stderr.decode(), done.stderr)


@promise("only loopback is listened on")
def _():
    with Collector(None) as collector:
        listening = set()
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            if not os.path.exists(table):
                return "skipped: no /proc/net"
            for row in pathlib.Path(table).read_text().splitlines()[1:]:
                address, port = row.split()[1].split(":")
                if int(port, 16) == collector.port and row.split()[3] == "0A":
                    listening.add(address)
        expect(listening <= {"0100007F", "00000000000000000000000001000000"}, listening)
    return None


# --- speed, for the record -----------------------------------------------------------------------------------------

def measure():
    with Collector(None) as collector:
        batches = []
        for _ in range(200):
            batches.append((new_uuid7(), gzipped([sentence() for _ in range(500)])))
        taken = []

        def client(mine):
            connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=PATIENCE_S)
            for key, body in mine:
                connection.request("POST", "/v1/events", body, signed(body, key, authority=collector.authority))
                response = connection.getresponse()
                response.read()
                taken.append(response.status)

        begin = time.time()
        threads = [threading.Thread(target=client, args=(batches[i::4],)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.time() - begin
        equal(taken, [200] * len(batches))
        print(f"{len(batches) * 500 / seconds:,.0f} sentences/s in batches of 500, four connections")
        begin = time.time()
        equal(collector.stop(), 0)
        print(f"{time.time() - begin:.2f} s to end with the lake complete, {len(collector.lake_lines())} lines")


def main():
    global COLLECTOR
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collector", required=True, help="the yukha-collector to test")
    parser.add_argument("--only", default="", help="promises that contain this text")
    parser.add_argument("--measure", action="store_true", help="print how fast it is in place of testing")
    arguments = parser.parse_args()
    COLLECTOR = os.path.abspath(arguments.collector)
    if not os.access(COLLECTOR, os.X_OK):
        print(f"{COLLECTOR} is not a program; build it first")
        return 1
    if arguments.measure:
        measure()
        return 0
    passed = failed = 0
    for text, function in PROMISES:
        if arguments.only not in text:
            continue
        try:
            note = function()
            passed += 1
            print(f"ok   {text}" + (f" ({note})" if note else ""), flush=True)
        except Exception as fault:  # noqa: BLE001
            failed += 1
            print(f"FAIL {text}\n     {type(fault).__name__}: {fault}", flush=True)
            if not isinstance(fault, AssertionError):
                traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
