#!/usr/bin/env python3
"""Checks an endpoint of the wire contract (src/send/CONTRACT.md) from outside, whatever it is written in.

    python3 tests/contract/serve_check.py http://127.0.0.1:8080/v1/events KEYID:BASE64 [KEYID:BASE64] [--level exact]

Sends the sentences of ../vectors, plays requests.json, signed anew for this endpoint and this minute, and sequences.json
with keys that nobody used before. One line a sequence, and below each that failed what was sent, answered and promised. Exit 0
when all was kept, 1 when not, 2 when it could not be asked. Give it an endpoint whose lake may hold some hundred
sentences more: their action is `yukha_check`. Standard library only.

What no request can bring about is left to four hooks, commands for the shell that get one argument as $1. Without a
hook the sequences that need it are skipped by name.

    --slow COMMAND     from now on a batch stays in progress for $1 milliseconds before it is stored; 0 ends it
    --lease SECONDS    how long a key may be in progress; with --slow, for the sequence of a lease that runs out
    --policy COMMAND   from now on every 200 carries the policy $1, a JSON object; an empty $1 ends it
    --lake COMMAND     prints the lake's lines; then each sentence is counted in it
"""
import argparse
import base64
import gzip
import hashlib
import hmac
import http.client
import json
import pathlib
import random
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from email.utils import parsedate_to_datetime

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
LEVELS = ("exact", "keyed", "at-least-once")
COVERED = ("@method", "@authority", "@path", "content-digest", "content-encoding", "content-type", "idempotency-key",
           "yukha-clock")
PATIENCE_S = 100
ANSWER_BYTES_MAX = 1 << 20  # what a client reads
# What reading an answer may raise that was made by somebody who wishes us ill.
NONSENSE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Wrong(Exception):
    """The endpoint did not answer as it must."""


def must(truth, what):
    if not truth:
        raise Wrong(what)


class Answer:
    """What came back: status 0 when nothing did."""

    def __init__(self, status, fields, body):
        self.status, self.fields, self.text = status, fields, body.decode(errors="replace")
        try:
            self.body = json.loads(self.text)
        except (ValueError, RecursionError):
            self.body = None
        error = self.body.get("error", "") if isinstance(self.body, dict) else ""
        self.error = error if isinstance(error, str) else ""

    def __str__(self):
        return f"{self.status or 'no answer:'} {shown(self.text)}"

    def date_s(self):
        """The endpoint's clock, or None."""
        try:
            return parsedate_to_datetime(self.fields.get("Date", "")).timestamp()
        except (*NONSENSE, OverflowError):
            return None

    def retry_after_s(self):
        text = self.fields.get("Retry-After", "")
        return min(int(text), 5) if re.fullmatch("[0-9]{1,9}", text) else 1

    def is_busy(self):
        return self.status == 409 and self.error not in ("split", "conflict")

    def without_policy(self):
        return {name: value for name, value in self.body.items() if name != "policy"}


def shown(what):
    """Without control characters: a terminal obeys those of strangers, too."""
    return ascii(what)[:300]


# --- requests -----------------------------------------------------------------------------------------------------------

class Server:
    def __init__(self, url, keys):
        self.url = urllib.parse.urlsplit(url if urllib.parse.urlsplit(url).path else url + "/v1/events")
        default = f":{ {'http': 80, 'https': 443}[self.url.scheme]}"
        self.authority = self.url.netloc.lower()[:-len(default) if self.url.netloc.endswith(default) else None]
        self.keys = keys
        self.ahead_s = 0.0  # its clock minus ours

    def now(self):
        return time.time() + self.ahead_s

    def connection(self):
        if self.url.scheme == "https":
            return http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=PATIENCE_S,
                                               context=ssl.create_default_context())
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=PATIENCE_S)

    def send(self, fields, body, cut=None, gate=None, method="POST"):
        """The answer; None when the connection is cut on purpose. At a gate it waits with its last byte for others."""
        connection, deadline = self.connection(), None
        try:
            connection.connect()
            deadline = threading.Timer(2 * PATIENCE_S, connection.sock.shutdown, (socket.SHUT_RDWR,))  # a byte a minute
            deadline.start()
            connection.putrequest(method, self.url.path, skip_host=True, skip_accept_encoding=True)
            for name, value in [("Host", self.url.netloc), ("Content-Length", str(len(body))), *fields]:
                connection.putheader(name, value.encode("latin-1", "replace"))
            connection.endheaders()
            if cut == "inside the body":
                connection.send(body[:len(body) // 2])
                return None
            connection.send(body[:-1])
            if gate:
                gate.wait(PATIENCE_S)
            connection.send(body[-1:])
            if cut:
                return None
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read(ANSWER_BYTES_MAX))
        except (OSError, http.client.HTTPException) as fault:
            return Answer(0, {}, f"{type(fault).__name__}: {fault}".encode(errors="replace"))
        finally:
            if deadline:
                deadline.cancel()
            connection.close()

    def fields(self, key, body, keyid, secret, clock_s=0, offset_ms=None, content_type="application/x-ndjson", expires=""):
        """`clock_s`: how wrong the device's clock is; `offset_ms`: what it believes that to be; `expires`: as written."""
        own_ms = int((self.now() + clock_s) * 1000)
        values = {"content-digest": "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":",
                  "content-encoding": "gzip", "content-type": content_type, "idempotency-key": f'"{key}"',
                  "yukha-clock": str(own_ms) + (f";offset={offset_ms}" if offset_ms is not None else "")}
        derived = {"@method": "POST", "@authority": self.authority, "@path": self.url.path}
        nonce = base64.b64encode(random.randbytes(16)).decode()
        params = "(" + " ".join(f'"{name}"' for name in COVERED) + \
            f');created={(own_ms + (offset_ms or 0)) // 1000};nonce="{nonce}";keyid="{keyid}";alg="hmac-sha256";tag="yukha-v1"'
        params += expires and f";expires={expires}"
        base = "".join(f'"{name}": {(values | derived)[name]}\n' for name in COVERED) + f'"@signature-params": {params}'
        return [*values.items(), ("signature-input", f"yukha={params}"), ("signature", f"yukha=:{mac(secret, base)}:")]


def mac(secret, base):
    return base64.b64encode(hmac.new(secret, base.encode("latin-1", "replace"), hashlib.sha256).digest()).decode()


def told(fault):
    return fault if isinstance(fault, Wrong) else f"answered nonsense: {type(fault).__name__}: {shown(str(fault))}"


# --- ../vectors/requests.json ---------------------------------------------------------------------------------------

def signed_anew(vector, file, server):
    """The vector's fields for this endpoint and this minute, or why it cannot be asked."""
    authority = urllib.parse.urlsplit(file["public_url"])
    then_ms = vector["now_unix_ms"]
    fields, base = dict(vector["headers"]), vector["signature_base"]
    created = int(re.search(r";created=(-?\d+)", base)[1])
    if 240 < abs(then_ms // 1000 - created) < 360:
        return None, "the endpoint's clock would have to stand still"
    theirs = list(file["keys"])
    signer = next((number for number, keyid in enumerate(theirs) if f'keyid="{keyid}"' in base), 0)
    if signer >= len(server.keys):
        return None, "needs a second key"
    was = fields.get("Signature", "")
    is_right = mac(base64.b64decode(file["keys"][theirs[signer]]), base) in was
    now_ms = int(server.now() * 1000)

    def moved(text):
        text = text.replace(str(then_ms), str(now_ms)).replace(f'keyid="{theirs[signer]}"',
                                                               f'keyid="{server.keys[signer][0]}"')
        return re.sub(r";created=-?\d+", f";created={created + (now_ms - then_ms) // 1000}", text)

    base = moved(base).replace(f'"@authority": {authority.netloc}\n', f'"@authority": {server.authority}\n')
    base = base.replace(f'"@path": {authority.path}\n', f'"@path": {server.url.path}\n')
    base = base.replace('"@scheme": https\n', f'"@scheme": {server.url.scheme}\n')
    fields = {name: moved(value) for name, value in fields.items()}
    if re.fullmatch(r"[a-z0-9]+=:[A-Za-z0-9+/]{43}=:", was):
        secret = server.keys[signer][1] if is_right else b"a secret that nobody has"
        fields["Signature"] = was[:was.index(":")] + f":{mac(secret, base)}:"
    return fields, ""


def check_request(vector, fields, server):
    answer = server.send(list(fields.items()), base64.b64decode(vector["body_base64"]), method=vector["method"])
    expected = vector["expect"]
    must(answer.status == expected["status"], f"answered {answer}, not {expected['status']}")
    for name in expected.get("headers", []):
        must(answer.fields.get(name), f"has no {name}")
    if "body" in expected:
        got = answer.without_policy() if isinstance(answer.body, dict) else answer.body
        for entry in got.get("rejected", []) if isinstance(got, dict) else []:
            entry.pop("reason", None)
        must(got == expected["body"], f"answered {shown(got)}, not {shown(expected['body'])}")


def check_requests(server, only):
    file = json.loads((VECTORS / "requests.json").read_text(encoding="utf-8"))
    failed, kept, skipped = 0, 0, {}
    for vector in file["requests"]:
        if only not in "request: " + vector["name"]:
            continue
        fields, why_not = signed_anew(vector, file, server)
        if fields is None:
            skipped[why_not] = skipped.get(why_not, 0) + 1
            continue
        try:
            check_request(vector, fields, server)
            kept += 1
        except (Wrong, *NONSENSE) as wrong:
            failed += 1
            print(f"FAIL  request: {vector['name']} ({vector['why']})\n      {told(wrong)}", flush=True)
    if kept:
        print(f"ok    {kept} requests of requests.json", flush=True)
    for why, count in skipped.items():
        print(f"skip  {count} requests of requests.json: {why}", flush=True)
    return failed


# --- ../vectors/sentences_*: "The sentence" ---------------------------------------------------------------------------

def check_sentences(server, only):
    good = (VECTORS / "sentences_good.ndjson").read_bytes().split(b"\n")[:-1]
    bad = json.loads((VECTORS / "sentences_bad.json").read_text(encoding="utf-8"))
    named = [(row["why"], row["line"].encode() if "line" in row else base64.b64decode(row["base64"])) for row in bad]
    lines = [(f"good sentence {number}", line, True) for number, line in enumerate(good, 1)]
    lines += [("bad sentence: " + why, line, False) for why, line in named if b"\n" not in line]
    if only not in "sentences":
        return 0
    body = gzip.compress(b"".join(line + b"\n" for _, line, _ in lines))
    answer = server.send(server.fields(uuid.uuid4(), body, *server.keys[0], offset_ms=0), body)
    try:
        must(answer.status == 200, f"answered {answer}")
        rejected = {entry["line"]: entry["reason"] for entry in answer.body["rejected"]}
    except (Wrong, *NONSENSE) as fault:
        print(f"FAIL  the sentences of the vectors\n      {told(fault)}", flush=True)
        return 1
    failed = 0
    for number, (name, line, is_good) in enumerate(lines, 1):
        if is_good == (number in rejected):
            failed += 1
            print(f"FAIL  {name}\n      {line[:200]!r}\n      it was "
                  f"{'rejected: ' + shown(rejected[number]) if is_good else 'accepted'}", flush=True)
    if not failed:
        print(f"ok    {len(good)} good sentences and {len(lines) - len(good)} bad ones", flush=True)
    return failed


# --- policies: "Policy" -----------------------------------------------------------------------------------------------

def policy_fault(policy):
    if not isinstance(policy, dict):
        return "it is no object"

    def is_whole(name, most):
        return type(policy[name]) is int and 0 <= policy[name] <= most

    if "for_s" not in policy:
        return "for_s is missing"
    for name, most in (("for_s", 604800), ("pause_s", 86400), ("upload_interval_s", 86400), ("share_percent", 100)):
        if name in policy and not is_whole(name, most):
            return f"{name} is no whole number of 0 to {most}"
    if policy.get("pause_s", 0) > policy["for_s"]:
        return "pause_s is longer than for_s"
    stop = policy.get("stop", [])
    if not isinstance(stop, list) or len(stop) > 64 or not all(
            isinstance(one, str) and 1 <= len(one.encode()) <= 64 and min(one) >= " " for one in stop):
        return "stop is no array of at most 64 texts of 1 to 64 bytes without control characters"
    return ""


# --- ../vectors/sequences.json ---------------------------------------------------------------------------------------

# Lines that are too many or too long to be written into the file.
MADE = {"501 of x": b"x\n" * 501, "5 MB of spaces": b" " * 5_000_000,
        "500 with long names": ('{"id":"' + "\U0001F600" * 64 + '","' + "\U0001F600" * 600 + '":"x"}\n').encode() * 500}


class Play:
    """One sequence, with keys and sentences of its own."""

    def __init__(self, sequence, server, options, pace):
        self.sequence, self.server, self.options, self.pace = sequence, server, options, pace
        self.run, self.ids, self.keys, self.answers = f"{random.getrandbits(64):016x}", {}, {}, {}
        self.begun, self.policy = {}, ...  # ...: nothing was asked for, so any good one will do

    def play(self):
        try:
            for number, step in enumerate(self.sequence["steps"], 1):
                try:
                    self.step(step)
                except (Wrong, *NONSENSE) as wrong:
                    raise Wrong(f"step {number}, {json.dumps(step)}\n      {told(wrong)}") from None
        finally:
            for thread, _ in self.begun.values():
                thread.join(PATIENCE_S)
            if any("slow_ms" in step for step in self.sequence["steps"]):
                hook(self.options.slow, "0")
            if any("policy" in step for step in self.sequence["steps"]):
                hook(self.options.policy, "")

    def step(self, step):
        if "slow_ms" in step:
            hook(self.options.slow, str(self.milliseconds(step["slow_ms"])))
        elif "pass_ms" in step:
            time.sleep(self.milliseconds(step["pass_ms"]) / 1000)
        elif "policy" in step:
            self.policy = step["policy"]
            hook(self.options.policy, json.dumps(self.policy) if self.policy is not None else "")
        elif "end" in step:
            thread, begun = self.begun.pop(step["end"])
            thread.join(PATIENCE_S)
            must(self.answers.get(step["end"]), "it was not answered")
            self.judge(self.answers[step["end"]], begun)
        elif "begin" in step:
            thread = threading.Thread(target=self.begin, args=(step,), daemon=True)
            thread.start()
            self.begun[step["begin"]] = thread, step
        elif "together" in step:
            self.together(step)
        else:
            answer = self.ask(step, step.get("cut"))
            if answer is not None:
                self.answers[step["send"]] = answer
                self.judge(answer, step)

    def begin(self, step):
        self.answers[step["begin"]] = self.once(step)

    def together(self, step):
        groups = [step] + ([step["and"]] if "and" in step else [])
        requests = [one for one in groups for _ in range(one["together"])]
        gate, answers = threading.Barrier(len(requests)), [None] * len(requests)

        def send(number):
            answers[number] = self.once(requests[number], gate=gate)

        threads = [threading.Thread(target=send, args=(number,), daemon=True) for number in range(len(requests))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * PATIENCE_S)
        for one, answer in zip(requests, answers):
            must(answer, "one was not answered")
            self.judge(answer, one)

    # An interval of the sequence, at this pace. "lease + 500" is half a second more than a lease.
    def milliseconds(self, text):
        lease, more = (1, str(text)[len("lease + "):]) if str(text).startswith("lease") else (0, text)
        return int(lease * self.options.lease * 1000) + int(more) * self.pace

    def lines(self, step):
        if isinstance(step["lines"], str):
            return MADE[step["lines"]]
        return "".join((self.sentence(one) if isinstance(one, int) else one) + "\n" for one in step["lines"]).encode()

    def sentence(self, number):
        if number not in self.ids:
            value = int(self.server.now() * 1000) << 80 | 7 << 76 | random.getrandbits(12) << 64
            self.ids[number] = str(uuid.UUID(int=value | 2 << 62 | random.getrandbits(62)))
        return json.dumps({
            "id": self.ids[number], "time": "2026-05-22T03:52:00.123Z", "user": {"id": "serve_check"},
            "device": {"id": "serve_check", "run": self.run, "seq": f"{number:010d}", "sdk": "serve_check",
                       "contract": "1"},
            "location": "", "content": {"id": str(number)}, "referral": "", "action": {"type": "yukha_check"}},
            separators=(",", ":"))

    def key(self, step):
        if step["key"] not in self.keys:
            # As the library's are: of version 8.
            self.keys[step["key"]] = str(uuid.UUID(int=random.getrandbits(128) & ~(0xf << 76) & ~(3 << 62)
                                                   | 8 << 76 | 2 << 62))
        return self.keys[step["key"]] + ("." + step["part"] if "part" in step else "")

    def once(self, step, cut=None, gate=None):
        noise = step["lines"] == "1.1 MB of noise"
        body = random.randbytes(1_100_000) if noise else gzip.compress(self.lines(step), step.get("gzip_level", 6), mtime=0)
        keyid, secret = self.server.keys[step.get("by") == "second key"]
        if step.get("by") == "nobody":
            keyid = "nobody-has-this-key"
        if step.get("by") == "a wrong secret":
            secret = b"a secret that nobody has"
        clock_s, offset_ms = step.get("clock_s", 0), 0
        if "clock_s" in step:
            offset_ms = None
        if "learnt_from" in step:
            date_s = self.answers[step["learnt_from"]].date_s()
            must(date_s is not None, "the answer that it learns from has no Date that can be read")
            offset_ms = int((date_s - self.server.now() - clock_s) * 1000)
        expires = step.get("expires_s", "")
        expires = expires if isinstance(expires, str) else str(int(self.server.now()) + expires)
        fields = self.server.fields(self.key(step), body, keyid, secret, clock_s, offset_ms,
                                    step.get("content_type", "application/x-ndjson"), expires)
        if "proxy" in step:
            fields = [(name, f"{step['proxy']}, {value}" if name == "signature-input" else
                       f"proxy=:AAAA:, {value}" if name == "signature" else value) for name, value in fields]
        if step.get("framed") == "by both lengths":
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
            fields.append(("Transfer-Encoding", "chunked"))
        return self.server.send(fields, body, cut, gate)

    def ask(self, step, cut):
        """Comes again as a client does, when it is told to wait and that is not what the sequence is about."""
        until = time.monotonic() + self.options.lease + PATIENCE_S
        while True:
            answer = self.once(step, cut)
            waits = answer is not None and (answer.is_busy() or answer.status in (429, 503))
            if not waits or "409 busy" in self.promised(step) or time.monotonic() > until:
                return answer
            time.sleep(answer.retry_after_s())

    def promised(self, step):
        answers = step.get("answers", [])
        answers = answers[self.options.level] if isinstance(answers, dict) else answers
        return answers if isinstance(answers, list) else [answers]

    def judge(self, answer, step):
        promised = self.promised(step)
        if answer.status == 401:
            must(answer.date_s() is not None, f"answered {answer} without a Date, so no client can learn the time")
        if answer.is_busy():
            must(answer.fields.get("Retry-After"), f"answered {answer} without Retry-After")
        if answer.status == 200:
            self.judge_good(answer, step)
        must(any(self.is_kept(answer, one, step) for one in promised),
             f"answered {answer}\n      promised: {' or '.join(promised)}")

    def judge_good(self, answer, step):
        body = answer.body
        must(isinstance(body, dict) and isinstance(body.get("rejected"), list), f"answered {answer}, which is no answer")
        lines = self.lines(step).splitlines()
        must(body.get("accepted") == len(lines) - len(body["rejected"]),
             f"answered {answer}: accepted and rejected are not the {len(lines)} lines that were sent")
        for entry in body["rejected"]:
            must(isinstance(entry, dict) and type(entry.get("line")) is int and 1 <= entry["line"] <= len(lines)
                 and isinstance(entry.get("id"), str) and isinstance(entry.get("reason"), str),
                 f"answered {answer}: an entry of rejected wants line, id and reason")
            must(not entry["id"] or f'"id":"{entry["id"]}"'.encode() in lines[entry["line"] - 1],
                 f"answered {answer}: an id that is not its line's")
        if "policy" in body:
            must(not policy_fault(body["policy"]), f"answered {answer}, whose policy no client obeys: "
                                                   f"{policy_fault(body['policy'])}")
        if self.policy is not ...:
            must(body.get("policy") == self.policy, f"answered {answer} without the policy that was set: {self.policy}")

    def is_kept(self, answer, promised, step):
        if promised.startswith("as "):
            # At this level nobody remembers: only the numbers are the same, because the lines are.
            other = self.answers[promised[len("as "):]]
            return answer.status == 200 and answer.without_policy() == other.without_policy()
        if promised == "409 busy":
            return answer.is_busy()
        if promised == "no answer":
            return answer.status == 0
        status, _, more = promised.partition(" ")
        if answer.status != int(status):
            return False
        if status != "200":
            return not more or answer.error == more
        if more == "rejecting all":
            return answer.body["accepted"] == 0
        rejected = [int(one) for one in more[len("rejecting "):].split(",")] if more else []
        return [entry["line"] for entry in answer.body["rejected"]] == rejected


def hook(command, argument):
    done = subprocess.run(["/bin/sh", "-c", command, "serve_check", argument], check=False, timeout=PATIENCE_S,
                          stderr=subprocess.PIPE)
    must(done.returncode == 0, f"the hook {command!r} failed: {shown(done.stderr[-300:].decode(errors='replace'))}")


def count_in_lake(plays, options):
    """How often each sentence is in the lake, once all are that must be, or nothing more comes."""
    wanted = {play.ids[number] for play in plays for number, most in enumerate(play.most, 1) if most and number in play.ids}
    until = time.monotonic() + options.lake_wait
    while True:
        done = subprocess.run(["/bin/sh", "-c", options.lake, "serve_check"], check=True, timeout=PATIENCE_S,
                              stdout=subprocess.PIPE)
        counts = {}
        for line in done.stdout.split(b"\n"):
            if b'"yukha_check"' in line:
                try:
                    one = json.loads(line)["id"]
                    counts[one] = counts.get(one, 0) + 1
                except NONSENSE:
                    raise Wrong(f"a line of the lake is no sentence: {shown(line)}") from None
        if wanted <= set(counts) or time.monotonic() > until:
            return counts
        time.sleep(0.5)


def check_lake(plays, options):
    try:
        counts, failed = count_in_lake(plays, options), 0
    except Wrong as fault:
        print(f"FAIL  the lake\n      {fault}", flush=True)
        return 1
    for play in plays:
        for number, most in enumerate(play.most, 1):
            found = counts.get(play.ids.get(number), 0)
            if min(most, 1) <= found <= most:
                continue
            failed += 1
            print(f"FAIL  {play.sequence['name']}: sentence {number} is {found} times in the lake, promised: "
                  f"{'1 to ' if most > 1 else ''}{most}", flush=True)
    if not failed:
        print(f"ok    the lake has the sentences of {len(plays)} sequences as often as {options.level} promises", flush=True)
    return failed


def check_sequence(sequence, server, options):
    """The play that was kept, or None. What hangs on time gets three chances, each slower."""
    paces = (1, 2, 4) if "slow" in sequence.get("needs", []) else (1,)
    for pace in paces:
        play = Play(sequence, server, options, pace)
        play.most = sequence["stored"][options.level]
        try:
            play.play()
            print(f"ok    {sequence['name']}", flush=True)
            return play
        except Wrong as wrong:
            fault = wrong
    print(f"FAIL  {sequence['name']} ({sequence['why']})\n      {fault}", flush=True)
    return None


def check_sequences(server, options):
    has = {"second key": len(server.keys) > 1, "slow": options.slow, "lease": options.lease_given, "policy": options.policy}
    failed, kept = 0, []
    for sequence in json.loads((VECTORS / "sequences.json").read_text(encoding="utf-8")):
        if options.only not in sequence["name"]:
            continue
        missing = [need for need in sequence.get("needs", []) if not has[need]]
        if missing:
            print(f"skip  {sequence['name']}: needs {'a second key' if missing[0] == 'second key' else '--' + missing[0]}",
                  flush=True)
            continue
        play = check_sequence(sequence, server, options)
        if play:
            kept.append(play)
        else:
            failed += 1
    if kept and options.lake:
        failed += check_lake(kept, options)
    elif kept:
        print("skip  what the lake has: needs --lake", flush=True)
    return failed


def key_of(text):
    keyid, _, secret = text.rpartition(":")
    if not keyid:
        raise argparse.ArgumentTypeError("a key is KEYID:BASE64")
    return keyid, base64.b64decode(secret, validate=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("url")
    arguments.add_argument("keys", nargs="+", type=key_of, metavar="KEYID:BASE64")
    arguments.add_argument("--level", choices=LEVELS, default="exact")
    arguments.add_argument("--only", default="", metavar="TEXT", help="what has this text in its name")
    for name in ("slow", "policy", "lake"):
        arguments.add_argument("--" + name, metavar="COMMAND", help="see above")
    arguments.add_argument("--lease", type=float, metavar="SECONDS", help="see above")
    arguments.add_argument("--lake-wait", type=float, default=60, metavar="SECONDS", help="how late a lake may be (60)")
    options = arguments.parse_args()
    options.lease_given, options.lease = options.lease is not None, 60 if options.lease is None else options.lease
    server = Server(options.url, options.keys)
    first = server.send([("Content-Type", "application/x-ndjson")], b"x")
    if first.status == 0:
        print(f"{options.url} does not answer: {first.text}", file=sys.stderr)
        return 2
    if first.date_s() is not None:
        ahead_s = first.date_s() + 0.5 - time.time()
        server.ahead_s = ahead_s if abs(ahead_s) > 5 else 0.0
    failed = check_sentences(server, options.only) + check_requests(server, options.only)
    failed += check_sequences(server, options)
    print(f"{failed} failed" if failed else f"all kept that could be asked, at level {options.level}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
