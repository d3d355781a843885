#!/usr/bin/env python3
"""Programs made by others read what we write: Python's jsonschema, an RFC 9421 verifier and DuckDB, all from PyPI.

    build/venv/bin/python tests/contract/readers_test.py [--journey PATH [--collector PATH]]

The vectors first; then, with --journey, requests that the library itself sends to a small server in this process; then,
with --collector, the lake it writes. Each accepted request is refused once any one byte of it is changed.
"""
import argparse
import base64
import datetime
import gzip
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import duckdb
from http_message_signatures import (HTTPMessageVerifier, HTTPSignatureKeyResolver, InvalidSignature, algorithms)
import jsonschema

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"
COVERED = ("@method", "@authority", "@path", "content-digest", "content-encoding", "content-type", "idempotency-key",
           "yukha-clock")
DRAFTS = (jsonschema.Draft7Validator, jsonschema.Draft202012Validator)


def must(truth, what):
    if not truth:
        raise AssertionError(what)


# --- requests ------------------------------------------------------------------------------------------------------


class Request:
    """What the verifier asks of a message."""

    def __init__(self, method, url, headers, body):
        self.method, self.url, self.headers, self.body = method, url, dict(headers), body


class Keys(HTTPSignatureKeyResolver):
    def __init__(self, secrets):
        self.secrets = secrets

    def resolve_public_key(self, key_id):
        return self.secrets.get(key_id)


class AtAnyTime(HTTPMessageVerifier):
    """The vectors were made at one fixed moment; the window is the endpoint's own business and tested there."""
    max_clock_skew = datetime.timedelta(days=20_000)


def accepts(verifier, request, max_age=None):
    try:
        verifier.verify(request, max_age=max_age, expect_tag="yukha-v1", require_components=COVERED, body=request.body)
        return True
    except InvalidSignature:
        return False


def one_byte_changed(request):
    """(where, the request with that byte changed) for every byte that counts."""
    def flipped(text, at):
        return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1:]

    def variant(**changes):
        parts = dict(method=request.method, url=request.url, headers=request.headers, body=request.body)
        return Request(**dict(parts, **changes))

    for at in range(len(request.method)):
        yield "method", variant(method=flipped(request.method, at))
    for at in range(request.url.index("://") + 3, len(request.url)):
        yield "url", variant(url=flipped(request.url, at))
    for name, value in request.headers.items():
        if name.lower() == "signature":
            # By its decoded bytes: the last letter of base64 holds bits that mean nothing.
            label, _, text = value.partition("=:")
            signature = base64.b64decode(text.rstrip(":"))
            for at in range(len(signature)):
                changed = signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1:]
                yield name, variant(headers=dict(request.headers,
                                                 **{name: f"{label}=:{base64.b64encode(changed).decode()}:"}))
        elif name.lower() == "signature-input" or name.lower() in COVERED:
            for at in range(len(value)):
                yield f"{name}, byte {at}", variant(headers=dict(request.headers, **{name: flipped(value, at)}))
    for at in range(0, len(request.body), max(1, len(request.body) // 300)):
        changed = request.body[:at] + bytes([request.body[at] ^ 1]) + request.body[at + 1:]
        yield f"body, byte {at}", variant(body=changed)


def refuses_changes(verifier, request):
    count = 0
    for where, changed in one_byte_changed(request):
        must(not accepts(verifier, changed), f"still accepted after a changed byte: {where}")
        count += 1
    return count


def vector_requests():
    vectors = json.loads((VECTORS / "requests.json").read_text(encoding="utf-8"))
    verifier = AtAnyTime(signature_algorithm=algorithms.HMAC_SHA256,
                         key_resolver=Keys({name: base64.b64decode(key) for name, key in vectors["keys"].items()}))
    # It knows further digests than the contract's one, and says nothing about the contract's other rules.
    not_its_business = {"a digest of another kind"}
    origin = vectors["public_url"].split("/v1/")[0]
    good = bad = changes = 0
    for vector in vectors["requests"]:
        request = Request(vector["method"], origin + vector["path"], vector["headers"],
                          base64.b64decode(vector["body_base64"]))
        accepted = accepts(verifier, request)
        if vector["expect"]["status"] == 200:
            must(accepted, f"refused: {vector['name']}")
            good += 1
            if good <= 3:
                changes += refuses_changes(verifier, request)
        elif vector["expect"].get("body", {}).get("error") in ("signature", "key"):
            must(not accepted or vector["name"] in not_its_business, f"accepted: {vector['name']}")
            bad += 1
    must(good >= 10 and bad >= 20, f"only {good} good and {bad} bad requests")
    return f"{good} accepted, {bad} refused, {changes} one-byte changes refused"


# --- sentences -----------------------------------------------------------------------------------------------------


def vector_sentences():
    sentence = json.loads((VECTORS / "sentence.schema.json").read_text(encoding="utf-8"))
    lake_line = json.loads((VECTORS / "lake_line.schema.json").read_text(encoding="utf-8"))
    good = [json.loads(line) for line in (VECTORS / "sentences_good.ndjson").read_bytes().split(b"\n") if line]
    bad = [item for item in json.loads((VECTORS / "sentences_bad.json").read_text(encoding="utf-8"))
           if item["check"] == "schema"]
    must(len(good) >= 10 and len(bad) >= 50, "too few sentences")
    for draft in DRAFTS:
        draft.check_schema(sentence)
        draft.check_schema(lake_line)
        for item in good:
            draft(sentence).validate(item)
            draft(lake_line).validate(dict(item, received_at="2026-05-22T03:52:01.000Z", clock_offset_ms="-42"))
            must(not draft(lake_line).is_valid(item), "a line without received_at is one of the lake")
        for item in bad:
            must(not draft(sentence).is_valid(json.loads(item["line"])), f"{draft.__name__} lets through: {item['why']}")
    return f"{len(good)} good and {len(bad)} bad, under draft-07 and 2020-12"


# --- what the library sends ----------------------------------------------------------------------------------------


def walk(journey, folder, port, key, steps):
    done = subprocess.run([journey, "--queue", f"{folder}/queue", "--endpoint", f"http://127.0.0.1:{port}", "--key", key,
                           "--diary", f"{folder}/diary", "--steps", str(steps), "--pace-ms", "1"], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    must(done.returncode == 0, f"yukha-journey ended with {done.returncode}: {done.stdout}")


def live_requests(journey):
    key_id, secret = "app-2026-11", os.urandom(32)
    taken, faults = [], []

    class Endpoint(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Request("POST", f"http://127.0.0.1:{self.server.server_port}{self.path}", self.headers.items(), body)
            verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256,
                                           key_resolver=Keys({key_id: secret}))
            # At the time it comes, with the verifier's own tolerance of five seconds.
            if not accepts(verifier, request, datetime.timedelta(seconds=300)):
                faults.append(f"refused: {dict(request.headers)}")
            lines = gzip.decompress(body).split(b"\n")
            taken.append((request, lines[:-1]))
            answer = json.dumps({"accepted": len(lines) - 1, "rejected": []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    steps = 1200
    with tempfile.TemporaryDirectory(prefix="yukha-readers-") as folder:
        walk(journey, folder, server.server_port, f"{key_id}:{base64.b64encode(secret).decode()}", steps)
    server.shutdown()
    must(not faults, f"{len(faults)} requests: {faults[:1]}")
    schema = json.loads((VECTORS / "sentence.schema.json").read_text(encoding="utf-8"))
    validators = [draft(schema) for draft in DRAFTS]
    sentences = [json.loads(line) for _, lines in taken for line in lines]
    for sentence in sentences:
        for validator in validators:
            validator.validate(sentence)
    ours = [sentence for sentence in sentences if sentence["action"]["type"] != "yukha_ledger"]
    must(len({sentence["id"] for sentence in ours}) == len(ours) == steps, f"{len(ours)} sentences came, not {steps}")
    verifier = AtAnyTime(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys({key_id: secret}))
    changes = refuses_changes(verifier, taken[0][0])
    return f"{len(taken)} requests accepted, {len(ours)} sentences valid, {changes} one-byte changes refused"


# --- the lake --------------------------------------------------------------------------------------------------------


def lake_in_duckdb(journey, collector):
    steps, key = 1200, "app-2026-11:" + base64.b64encode(os.urandom(32)).decode()
    with tempfile.TemporaryDirectory(prefix="yukha-readers-") as folder:
        ready, lake = pathlib.Path(folder, "ready"), f"{folder}/lake"
        with open(f"{folder}/log", "wb") as log:
            process = subprocess.Popen([collector, "--port", "0", "--lake", lake, "--key", key, "--ready-file", str(ready)],
                                       stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while not ready.exists():
                must(process.poll() is None and time.monotonic() < until, "the collector did not start")
                time.sleep(0.02)
            walk(journey, folder, int(ready.read_text()), key, steps)
        finally:
            process.terminate()
            process.wait(30)
        must(process.returncode == 0, f"the collector ended with {process.returncode}")

        # As a table over the bucket is declared, and without ignore_errors, which drops good lines.
        with duckdb.connect() as database:
            database.execute(f"""
                CREATE VIEW line AS SELECT * FROM read_json('{lake}/*/*/*.gz', format = 'newline_delimited',
                  hive_partitioning = true, columns = {{id: 'VARCHAR', time: 'VARCHAR', user: 'MAP(VARCHAR, VARCHAR)',
                  device: 'MAP(VARCHAR, VARCHAR)', location: 'VARCHAR', content: 'MAP(VARCHAR, VARCHAR)',
                  referral: 'VARCHAR', action: 'MAP(VARCHAR, VARCHAR)', received_at: 'VARCHAR',
                  clock_offset_ms: 'VARCHAR'}})
                WHERE action['type'] <> 'yukha_ledger'""")
            database.execute("""CREATE VIEW sentence AS SELECT * FROM line
                QUALIFY row_number() OVER (PARTITION BY id ORDER BY received_at) = 1""")
            lines, ids, steps_seen, whole, arrived_that_hour = database.execute("""
                SELECT count(*), count(DISTINCT id), count(DISTINCT content['step']),
                  count_if(location LIKE 'app://shop/%' AND "user"['id'] LIKE 'u_%' AND time::TIMESTAMP IS NOT NULL),
                  count_if(received_at[1:10] = dt AND received_at[12:13]::INT = hour::INT) FROM line""").fetchone()
            numbers = database.execute("""SELECT max(device['seq']::INT) - count(DISTINCT device['seq']) FROM sentence
                GROUP BY device['run']""").fetchall()
        must(lines == ids == steps_seen == whole == arrived_that_hour == steps,
             f"{lines} lines, {ids} ids, {steps_seen} steps, {whole} whole, {arrived_that_hour} in their hour: not {steps}")
        must(numbers == [(0,)], f"numbers are missing: {numbers}")
    return f"{lines} lines, {ids} ids, no number missing"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--journey", help="a yukha-journey, whose requests are read as well")
    parser.add_argument("--collector", help="a yukha-collector, whose lake is read as well")
    arguments = parser.parse_args()
    tests = [("the vectors' sentences", vector_sentences), ("the vectors' requests", vector_requests)]
    if arguments.journey:
        tests.append(("the library's own requests", lambda: live_requests(arguments.journey)))
    if arguments.journey and arguments.collector:
        tests.append(("the lake in DuckDB", lambda: lake_in_duckdb(arguments.journey, arguments.collector)))
    failed = 0
    for name, test in tests:
        try:
            print(f"ok   {name}: {test()}", flush=True)
        except (AssertionError, jsonschema.ValidationError, duckdb.Error) as fault:
            failed += 1
            print(f"FAIL {name}: {fault}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
