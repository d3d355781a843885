#!/usr/bin/env python3
"""The smallest whole endpoint of the wire contract, at level `exact`: the thing to copy. Standard library only.

    python3 endpoint.py --key app-2026-11:c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U= --port 8080 --database lake.db

src/send/CONTRACT.md is the contract; names in quotes are its sections. Lines, answer and key are one transaction of
SQLite: no key is seen half done, so nobody is told `busy`, and a killed process loses nothing."""
import argparse
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import pathlib
import re
import sqlite3
import threading
import time
import urllib.parse
import zlib

COMPRESSED_MAX, INFLATED_MAX, LINES_MAX, SENTENCE_MAX, KEPT_MS = 1 << 20, 4 << 20, 500, 32 << 10, 35 * 86_400_000

# "The signature": what is used of RFC 8941. A dictionary is cut at its commas, and only what is ours is read.
STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
VALUE = rf"(?:{STRING}|:[A-Za-z0-9+/=]*:|[?@]?-?[0-9]+(?:\.[0-9]+)?|[A-Za-z*][!#$%&'*+.^_`|~:/A-Za-z0-9-]*)"
PARAMETER = rf"; *([a-z*][a-z0-9_.*-]*)(?:=({VALUE}))?"
OURS = re.compile(rf"\( *((?:{STRING} *)*)\)((?:{PARAMETER})*)")
EIGHT = set("@method @authority @path content-digest content-encoding content-type idempotency-key yukha-clock".split())

# "The sentence": eight keys in order, every leaf a string, and the shapes of those that have one.
ORDER, PARTS = "id time user device location content referral action".split(), ("user", "device", "content", "action")
LEAF = re.compile(r"id|time|location|referral|(user|device|content|action)\.[a-z][a-z0-9_]{0,63}")
SHAPES = {"id": "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "user.id": ".+",
          "time": r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-5][0-9]){2}\.[0-9]{3}Z", "action.type": ".+", "device.id": ".+",
          "device.run": "[0-9a-f]{16}", "device.seq": "[0-9]{10}", "device.sdk": ".+", "device.contract": "1",
          "device.clock_offset_ms": "0|-?[1-9][0-9]{0,15}"}


class Refused(Exception):
    """Any answer but 200: its status, and the error in its body."""


def must(good, status, error):
    if not good:
        raise Refused(status, error)


def dictionary(field):  # the text behind each label's "="
    parts = re.findall(rf'(?:{STRING}|[^",])+', field) if re.fullmatch(rf'(?:{STRING}|[^"])*', field) else []
    return {label: text for label, _, text in (part.strip().partition("=") for part in parts)}


def check_signature(known, body, keys, urls, now_s):  # known: the fields, names in lower case, and @method
    read = [(label, OURS.fullmatch(text)) for label, text in dictionary(known.get("signature-input", "")).items()]
    ours = [one for one in read if one[1] and dict(re.findall(PARAMETER, one[1][2])).get("tag") == '"yukha-v1"']
    must(len(ours) == 1, 401, "signature")
    label, signed = ours[0]
    names, parameters = re.findall('"([^"]*)"', signed[1]), dict(re.findall(PARAMETER, signed[2]))
    keyid, created, expires = (parameters.get(name, "") for name in ("keyid", "created", "expires"))
    must(EIGHT <= set(names) and len(set(names)) == len(names) and parameters.get("alg") == '"hmac-sha256"'
         and keyid[:1] == '"' and re.fullmatch(r"-?\d{1,15},(-?\d{1,15})?", f"{created},{expires}"), 401, "signature")
    secret = keys.get(re.sub(r"\\(.)", r"\1", keyid[1:-1]))
    must(secret, 401, "key")
    digest, good = base64.b64encode(hashlib.sha256(body).digest()).decode(), False
    for url in urls:
        values = {**known, "@authority": url.netloc, "@path": url.path, "@scheme": url.scheme}
        base = "".join(f'"{name}": {values.get(name)}\n' for name in names) + f'"@signature-params": {signed[0]}'
        mac = base64.b64encode(hmac.digest(secret, base.encode("latin-1"), "sha256")).decode()
        sent = dictionary(known.get("signature", "")).get(label, "")
        good |= set(names) <= set(values) and hmac.compare_digest(sent.encode(), f":{mac}:".encode())
    must(good and dictionary(known["content-digest"]).get("sha-256") == f":{digest}:", 401, "signature")
    must(abs(now_s - int(created)) <= 300 and now_s <= int(expires or now_s), 401, "clock")


def read_sentence(line):  # its texts by name, as far as they can be read, and what is wrong with it, or ""
    leaves, found = [], {}
    try:
        if len(line) > SENTENCE_MAX:
            raise ValueError("more than 32,768 bytes")  # which are not even read
        pairs = json.loads(line.decode(), object_pairs_hook=tuple, parse_constant=len)  # NaN becomes a number
        json.dumps(pairs, ensure_ascii=False).encode()  # half a surrogate pair is no text
        for part, value in pairs if isinstance(pairs, tuple) else ():  # nor an array an object
            inside = part in PARTS and isinstance(value, tuple)
            leaves += [(f"{part}.{name}", text) for name, text in value] if inside else [(part, value)]
        found = {name: text for name, text in leaves if isinstance(text, str)}
        full = {"device.clock_offset_ms": "0", **found}
        wrong = [name for name, _ in leaves if name not in found or not LEAF.fullmatch(name)]
        wrong += [name for name, shape in SHAPES.items() if not re.fullmatch(shape, full.get(name, ""), re.DOTALL)]
        if wrong or [part for part, _ in pairs] != ORDER or len(found) < len(leaves):
            raise ValueError(f"no sentence: {wrong[0] if wrong else 'order, or a name twice'}")
        time.strptime(found["time"][:19], "%Y-%m-%dT%H:%M:%S")  # a day of the calendar
    except (ValueError, TypeError, RecursionError) as fault:
        return found, str(fault)[:60]  # so that 500 of them are an answer of less than 1 MiB
    return found, ""


class Endpoint:
    def __init__(self, database, keys, urls, policy=lambda: None):
        self.keys, self.urls, self.policy = keys, [], policy
        for url in map(urllib.parse.urlsplit, urls):  # as clients sign it
            host = url.netloc.lower().removesuffix({"http": ":80", "https": ":443"}[url.scheme])
            self.urls.append(url._replace(netloc=host, path=url.path or "/v1/events"))
        self.lock = threading.Lock()
        self.store = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self.store.executescript("""PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
            CREATE TABLE IF NOT EXISTS keys(key TEXT PRIMARY KEY, at INTEGER, digest BLOB, answer TEXT, body BLOB);
            CREATE INDEX IF NOT EXISTS keys_by_age ON keys(at); CREATE TABLE IF NOT EXISTS lake(line TEXT)""")

    def take(self, method, path, fields, body, now_ms):  # "The order of checks": what a 200 says, or Refused
        must(path in [url.path for url in self.urls], 404, "path")
        must(method == "POST", 405, "method")
        must(fields.get("content-length", "").isdecimal() and "transfer-encoding" not in fields, 411, "length")
        must(len(body) <= COMPRESSED_MAX, 413, "size")
        check_signature({**fields, "@method": method}, body, self.keys, self.urls, now_ms // 1000)
        must(fields["content-type"] == "application/x-ndjson", 415, "content-type")
        must(fields["content-encoding"] == "gzip", 415, "content-encoding")
        inflate, text = zlib.decompressobj(31), b""
        with contextlib.suppress(zlib.error):  # it has no end then
            text = inflate.decompress(body, INFLATED_MAX + 1)
        must(len(text) <= INFLATED_MAX, 413, "size")
        must(inflate.eof and not inflate.unused_data, 400, "gzip")
        key = re.fullmatch(r'"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.[01r]{1,16})?)"', fields["idempotency-key"])
        must(key, 400, "idempotency-key")
        lines = text[:-1 if text[-1:] == b"\n" else None].split(b"\n") if text else []
        must(len(lines) <= LINES_MAX, 413, "lines")
        offset = re.search("; *offset=(-?[0-9]{1,15})(?=;|$)", fields["yukha-clock"])
        answer = self.settle(key[1], text, lines, str(int(offset[1])) if offset else "", now_ms)
        policy = self.policy()
        return {**answer, "policy": policy} if policy else answer

    def settle(self, key, text, lines, offset_ms, now_ms):
        judged = [read_sentence(line) for line in lines]  # not while others wait for the transaction
        digest, find = hashlib.sha256(text).digest(), "SELECT digest, answer, body FROM keys WHERE key = ?"
        with self.lock, self.store:  # the connection commits at the end, and rolls back what is refused
            self.store.execute("BEGIN IMMEDIATE")
            self.store.execute("DELETE FROM keys WHERE at < ?", (now_ms - KEPT_MS,))
            known = self.store.execute(find, (key,)).fetchone()
            if known and known[0] == digest:
                return json.loads(known[1])
            must(not known or not known[0], 409, "conflict")
            ancestors = [key[:size] for size in range(len(key) - 1, 37, -1)] + [key[:36]] if len(key) > 36 else []
            done = [row for row in (self.store.execute(find, (one,)).fetchone() for one in ancestors) if row and row[0]]
            must(done or not known, 409, "split")
            stored = zlib.decompress(done[0][2]).split(b"\n") if done else []
            received_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ms // 1000)) + f".{now_ms % 1000:03}Z"
            rejected = []
            for number, (line, (leaves, fault)) in enumerate(zip(lines, judged), 1):
                if fault:
                    named = re.fullmatch(SHAPES["id"], leaves.get("id", ""))
                    rejected.append({"line": number, "id": named[0] if named else "", "reason": fault})
                elif line not in stored:  # "A line in the lake"
                    offset = leaves.get("device.clock_offset_ms", offset_ms)
                    tail = f',"received_at":"{received_at}","clock_offset_ms":"{offset}"}}'
                    self.store.execute("INSERT INTO lake VALUES (?)", (line.decode().rstrip(" \t\r")[:-1] + tail,))
            answer = {"accepted": len(lines) - len(rejected), "rejected": rejected}
            self.store.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)",
                               (key, now_ms, digest, json.dumps(answer), zlib.compress(text)))
            for ancestor in ancestors:  # "Parts": what is not done is split from now on
                self.store.execute("INSERT OR IGNORE INTO keys(key, at) VALUES (?, ?)", (ancestor, now_ms))
        return answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, timeout, endpoint = "HTTP/1.1", 30, None

    def do_POST(self):
        fields = {name.lower(): ", ".join(map(str.strip, self.headers.get_all(name))) for name in self.headers}
        announced = fields.get("content-length", "")
        size = min(int(announced), 2 * COMPRESSED_MAX) if re.fullmatch("[0-9]{1,15}", announced) else 0
        body = self.rfile.read(size)
        self.close_connection |= announced != str(size) or "transfer-encoding" in fields  # its end is in doubt
        try:
            status, answer = 200, self.endpoint.take(self.command, self.path, fields, body, time.time_ns() // 1_000_000)
        except Refused as refused:
            status, answer = refused.args[0], {"error": refused.args[1]}
        body = json.dumps(answer).encode()
        self.send_response(status)  # with Date, from which clients learn the time
        self.send_header("Allow", "POST")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--key", action="append", required=True, help="KEYID:BASE64; several may")
    arguments.add_argument("--port", type=int, default=8080, help="on 127.0.0.1; what speaks TLS goes before it")
    arguments.add_argument("--public-url", action="append", help="where clients think this is; several may")
    arguments.add_argument("--database", default="lake.db", help="its table `lake` has the lines")
    arguments.add_argument("--policy", type=pathlib.Path, help="a file with the JSON that is asked of clients")
    options = arguments.parse_args()
    keys = {key.rpartition(":")[0]: base64.b64decode(key.rpartition(":")[2], validate=True) for key in options.key}
    urls = options.public_url or [f"http://{host}:{options.port}/v1/events" for host in ("127.0.0.1", "localhost")]
    Handler.endpoint = Endpoint(options.database, keys, urls, lambda: options.policy and options.policy.exists()
                                and json.loads(options.policy.read_text() or "null"))
    http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()
