#!/usr/bin/env python3
"""What a client of src/send/CONTRACT.md must have sent, kept and told, answer by answer, in any language.

    python3 tests/contract/contract_test.py --driver build/release/tests/yukha_contract_driver [--only TEXT] [--story]
    python3 tests/contract/contract_test.py --driver … --self-test

Plays the scenarios of tests/contract/*.json (README.md there says how to read them) against a driver that speaks
tests/hosts/PROTOCOL.md. Every request is checked against the contract by this file alone, which shares no code with the
library: the body, the sentences, the digest, the signature, the key. An endpoint of level `exact` stores what is
accepted and must never be given a sentence twice. Prints a table; exit code 1 when a scenario failed.
"""
import argparse
import base64
import email.utils
import hashlib
import hmac
import json
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import uuid
import zlib

HERE = pathlib.Path(__file__).resolve().parent
START_MS = 1_779_421_925_301
KEYS = {"app-one": "b25lLW9uZS1vbmUtb25lLW9uZS1vbmUtb25lLW9uZSE=",
        "app-two": "dHdvLXR3by10d28tdHdvLXR3by10d28tdHdvLXR3byE="}
SETTINGS = {"app_id": "shop", "endpoint": "https://collect.example.com", "key_id": "app-one", "no_device_facts": "1"}
EIGHT = ["id", "time", "user", "device", "location", "content", "referral", "action"]
COVERED = ("@method", "@authority", "@path", "content-digest", "content-encoding", "content-type", "idempotency-key",
           "yukha-clock")
KEY = re.compile(r'"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12})(?:\.([01r]{1,16}))?"')
UUID_7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SIGNED = re.compile(r'yukha=(\((?:"[a-z@-]+" ?)*\);created=(\d+);nonce="([^"]{16,})";keyid="([^"]+)";'
                    r'alg="hmac-sha256";tag="yukha-v1")')
CLOCK = re.compile(r"(\d+)(?:;offset=(-?\d+))?")
UNITS_MS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
CONSENTS = ("granted", "pending", "denied")
BALANCE = ("delivered", "waiting", "quarantined", "evicted", "erased", "lost")
DRAIN_MS = 8 * 3_600_000


class Wrong(Exception):
    """The client did not do what the scenario or the contract says."""


class Skipped(Exception):
    """This driver cannot play the scenario."""


def must(truth, what):
    if not truth:
        raise Wrong(what)


def milliseconds(text):
    """'11 s', '-5 min', '0 ms'."""
    number, unit = text.split(" ")
    return int(number) * UNITS_MS[unit]


def numbers(text):
    """'1-3,7' -> [1, 2, 3, 7]"""
    out = []
    for piece in filter(None, text.replace(" ", "").split(",")):
        first, _, last = piece.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def ranges(found):
    """[1, 2, 3, 7] -> '1-3,7', in the order found."""
    out = []
    for one in found:
        if out and one == out[-1][1] + 1:
            out[-1][1] = one
        else:
            out.append([one, one])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in out) or "none"


def http_date(unix_ms):
    return email.utils.formatdate(unix_ms // 1000, usegmt=True)


# --- one request, read and checked by the contract --------------------------------------------------------------------


class Request:
    """Reads the driver's words; `check` refuses what the contract does not allow in any request."""

    def __init__(self, url, body, headers):
        self.url, self.body, self.headers = url, body, headers

    def header(self, name):
        values = [value for one, value in self.headers if one.lower() == name]
        must(len(values) == 1, f"{len(values)} headers {name}")
        return values[0]

    def check(self):
        must(self.header("content-type") == "application/x-ndjson", "another Content-Type")
        must(self.header("content-encoding") == "gzip", "another Content-Encoding")
        key = KEY.fullmatch(self.header("idempotency-key"))
        must(key, f"not the form of a key: {self.header('idempotency-key')}")
        self.uuid, self.path = key[1], key[2] or ""
        self.key = self.uuid + ("." + self.path if self.path else "")
        clock = CLOCK.fullmatch(self.header("yukha-clock"))
        must(clock, f"not the form of Yukha-Clock: {self.header('yukha-clock')}")
        self.clock_ms, self.offset_ms = int(clock[1]), clock[2] and int(clock[2])
        digest = base64.b64encode(hashlib.sha256(self.body).digest()).decode()
        must(self.header("content-digest") == f"sha-256=:{digest}:", "Content-Digest is another body's")
        self.check_signature()
        self.check_body()

    def check_signature(self):
        found = SIGNED.fullmatch(self.header("signature-input"))
        must(found, f"not the contract's signature: {self.header('signature-input')}")
        parameters, created, self.nonce, self.key_id = found[1], int(found[2]), found[3], found[4]
        covered = re.findall(r'"([^"]+)"', parameters[:parameters.index(")")])
        must(sorted(covered) == sorted(COVERED), f"the signature covers {covered}")
        must(self.key_id in KEYS, f"signed with {self.key_id}")
        url = urllib.parse.urlsplit(self.url)
        values = {"@method": "POST", "@authority": url.netloc, "@path": url.path}
        base = "".join(f'"{name}": {values.get(name) or self.header(name)}\n' for name in covered)
        base += f'"@signature-params": {parameters}'
        signature = hmac.new(base64.b64decode(KEYS[self.key_id]), base.encode(), "sha256").digest()
        must(self.header("signature") == f"yukha=:{base64.b64encode(signature).decode()}:", "the signature is wrong")
        must(created == (self.clock_ms + (self.offset_ms or 0)) // 1000, "created is not own clock + offset")

    def check_body(self):
        unpacker = zlib.decompressobj(31)
        try:
            text = unpacker.decompress(self.body)
        except zlib.error as error:
            raise Wrong(f"the body is not gzip: {error}") from None
        must(unpacker.eof and not unpacker.unused_data, "the body is not one whole gzip member")
        must(0 < len(text) <= 1_000_000, f"{len(text)} bytes before compression")
        must(text.endswith(b"\n"), "the last line has no end")
        self.lines = text[:-1].split(b"\n")
        must(len(self.lines) <= 500, f"{len(self.lines)} lines")
        self.sentences = [sentence_of(line) for line in self.lines]
        self.ids = [sentence["id"] for sentence in self.sentences]
        must(len(set(self.ids)) == len(self.ids), "a sentence twice in one request")
        self.bytes = len(text)
        number = int.from_bytes(hashlib.sha256(f"{self.key}\n".encode() + text).digest()[:16], "big")
        self.key_after_conflict = str(uuid.UUID(int=number & ~(0xf << 76) & ~(3 << 62) | 8 << 76 | 2 << 62))
        self.tracked = [int(one["content"]["id"]) for one in self.sentences if not is_ledger(one)]

    def line_of(self, number):
        return 1 + next(at for at, one in enumerate(self.sentences)
                        if not is_ledger(one) and one["content"]["id"] == str(number))

    def __str__(self):
        return f"{self.key} with {ranges(self.tracked)} to {self.url}"


def is_ledger(sentence):
    return sentence["device"]["seq"] == "0000000000"


def sentence_of(line):
    must(len(line) <= 32_768, f"a sentence of {len(line)} bytes")
    sentence = json.loads(line.decode("utf-8"))
    must(list(sentence) == EIGHT, f"the keys of a sentence are {list(sentence)}")
    must(UUID_7.fullmatch(sentence["id"]), f"not a UUIDv7: {sentence['id']}")
    must(TIME.fullmatch(sentence["time"]), f"not a time: {sentence['time']}")
    for part in ("location", "referral"):
        must(isinstance(sentence[part], str), f"{part} is not a string")
    for part, required in (("user", ["id"]), ("device", ["id", "run", "seq", "sdk", "contract"]), ("content", []),
                           ("action", ["type"])):
        members = sentence[part]
        must(isinstance(members, dict) and all(isinstance(value, str) for value in members.values()),
             f"{part} is not an object of strings")
        must(all(re.fullmatch("[a-z][a-z0-9_]{0,63}", name) for name in members), f"{part} has {list(members)}")
        must(all(name in members for name in required), f"{part} lacks one of {required}")
    must(re.fullmatch(r"\d{10}", sentence["device"]["seq"]), f"seq {sentence['device']['seq']}")
    return sentence


# --- an endpoint of level `exact` -------------------------------------------------------------------------------------


class Endpoint:
    """Stores what it accepts, and remembers keys as the contract says in "The key" and "Parts"."""

    def __init__(self):
        self.done, self.split, self.stored = {}, set(), {}
        self.bytes_of, self.nonces, self.seqs = {}, set(), {}
        self.numbers = {}  # of the app's sentences, to their ids

    def note(self, request):
        """What must hold for every request, whatever it is answered."""
        must(self.bytes_of.setdefault(request.key, request.body) == request.body, f"{request.key} came with other bytes")
        must(request.nonce not in self.nonces, "a nonce came twice")
        self.nonces.add(request.nonce)
        for sentence in request.sentences:
            if is_ledger(sentence):
                continue
            number = int(sentence["content"]["id"])
            must(self.numbers.setdefault(number, sentence["id"]) == sentence["id"], f"sentence {number} changed its id")
            place = (sentence["device"]["run"], sentence["device"]["seq"])
            must(self.seqs.setdefault(place, sentence["id"]) == sentence["id"], f"two sentences have {place}")

    def take(self, request, reject=(), reason="schema: no"):
        """Status and body for a request whose sentences are good, except those of `reject`."""
        if request.key in self.done:
            lines, answer = self.done[request.key]
            return (200, json.loads(answer)) if lines == request.lines else (409, {"error": "conflict"})
        ancestors = [f"{request.uuid}.{request.path[:i]}" for i in range(len(request.path) - 1, 0, -1)]
        ancestors += [request.uuid] if request.path else []
        nearest = next((self.done[key] for key in ancestors if key in self.done), None)
        if nearest is None and request.key in self.split:
            return 409, {"error": "split"}
        had = dict.fromkeys(nearest[0], None) if nearest else {}
        for one in json.loads(nearest[1])["rejected"] if nearest else []:
            had[nearest[0][one["line"] - 1]] = one["reason"]
        rejected = []
        for number, (line, one) in enumerate(zip(request.lines, request.sentences), 1):
            refused = reason if not is_ledger(one) and int(one["content"]["id"]) in reject else None
            if had.get(line, refused) is not None:
                rejected.append({"line": number, "id": one["id"], "reason": had.get(line, refused)})
            elif line not in had:
                must(one["id"] not in self.stored, f"sentence {one['content']['id']} was stored twice: under "
                                                   f"{self.stored.get(one['id'])} and {request.key}")
                self.stored[one["id"]] = request.key
        body = {"accepted": len(request.lines) - len(rejected), "rejected": rejected}
        self.done[request.key] = request.lines, json.dumps(body)
        self.split.update(key for key in ancestors if key not in self.done)
        return 200, body


# --- the driver -------------------------------------------------------------------------------------------------------


class Driver:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *commands):
        """One command a tuple of words; the answers in their order."""
        self.process.stdin.write("".join("\t".join(words) + "\n" for words in commands))
        self.process.stdin.flush()
        answers = []
        for words in commands:
            answer = self.process.stdout.readline().rstrip("\n")
            must(answer, f"the driver ended at {words[0]}")
            if answer == "unknown":
                raise Skipped(f"the driver does not know {words[0]}")
            answers.append(answer)
        return answers

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def in_hex(text):
    data = text if isinstance(text, bytes) else str(text).encode()
    return data.hex() or "-"


def out_of_hex(word):
    return b"" if word == "-" else bytes.fromhex(word)


# --- a scenario -------------------------------------------------------------------------------------------------------


class Play:
    def __init__(self, command, scenario, seed, story):
        self.command, self.scenario, self.seed, self.story = command, scenario, seed, story
        self.folder = tempfile.mkdtemp(prefix="yukha-contract-")
        self.settings = dict(SETTINGS, queue_dir=self.folder + "/events", **scenario.get("settings", {}))
        self.endpoint = Endpoint()
        self.driver, self.lives = None, 0
        self.true_ms = START_MS
        self.device_off_ms = milliseconds(scenario.get("clock", "0 ms"))  # the device's wall clock minus true time
        self.waiting, self.taken, self.seen = None, True, 0  # the request that waits, whether a step asked for it
        self.named, self.tracked, self.requests = {}, 0, 0
        self.forget_time()

    # What the client can know of the endpoint's time.
    def forget_time(self):
        self.date_shift_ms, self.round_trip_ms = None, None

    def tell(self, text):
        if self.story:
            print(f"    {(self.true_ms - START_MS) / 1000:10.3f} s  {text}")

    def run(self):
        try:
            self.begin_life()
            for number, step in enumerate(self.scenario["does"], 1):
                try:
                    self.step(step)
                except Wrong as wrong:
                    raise Wrong(f"step {number}, {json.dumps(step)}: {wrong}") from None
            try:
                self.check_end()
            except Wrong as wrong:
                raise Wrong(f"at the end: {wrong}") from None
        finally:
            if self.driver:
                self.driver.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    def step(self, step):
        """A step's first name says what is done; the others say how."""
        verb = next(iter(step))
        deed = getattr(self, "do_" + verb, None)
        must(deed, f"no such step: {verb}")
        self.tell(json.dumps(step))
        deed(step[verb], {name: value for name, value in step.items() if name not in (verb, "why")})

    # --- lives

    def begin_life(self):
        self.driver = Driver(self.command)
        self.lives += 1
        # A driver with dice of its own plays as well; only the waits differ from run to run.
        dice = zlib.crc32(self.scenario["name"].encode()) + 7919 * self.lives + 104_729 * self.seed
        try:
            self.driver.ask(("seed", str(dice)))
        except Skipped:
            pass
        self.open()

    def open(self):
        self.set_clock()
        self.forget_time()
        self.waiting, self.taken, self.seen = None, True, 0
        words = ["open"]
        for name, value in self.settings.items():
            words += [name, in_hex(value)]
            if name in ("key_id", "other_key_id"):
                words += [name[:-2] + "secret", in_hex(KEYS[value])]
        answer = self.driver.ask(tuple(words))[0]
        must(answer == "0 ok", f"open answers {answer}")
        self.driver.ask(("work",))
        self.look()

    def do_restart(self, settings, how):
        self.settings.update(settings)
        must(self.driver.ask(("close", "0"), ("free",))[1] == "0 ok", "free")
        self.open()

    def do_kill(self, settings, how):
        self.settings.update(settings)
        self.driver.kill()
        self.begin_life()

    def do_clock(self, change, how):
        self.device_off_ms += milliseconds(change)
        self.set_clock()
        self.forget_time()

    def set_clock(self):
        self.driver.ask(("clock", str(self.true_ms + self.device_off_ms)))

    # --- what an app does

    def do_track(self, count, how):
        for _ in range(count):
            content = ["content", in_hex(str(self.tracked + 1))]
            if "bytes" in how:
                content += [in_hex("padding"), in_hex("x" * how["bytes"])]
            commands = [("begin",), tuple(content), ("action", in_hex(how.get("action", "READ")), "-1"), ("track",)]
            if how.get("critical"):
                commands.insert(1, ("critical",))
            answer = self.driver.ask(*commands)[-1]
            must(answer == how.get("answers", "0 ok"), f"track answers {answer}")
            self.tracked += answer == "0 ok"

    def do_flush(self, deadline, how):
        self.call("flush", deadline, how)

    def do_close(self, deadline, how):
        self.call("close", deadline, how)

    def call(self, verb, deadline, how):
        answer = self.driver.ask((verb, str(milliseconds(deadline))))[0]
        self.look()
        must(answer == how.get("answers", "0 ok"), f"{verb} answers {answer}")

    def do_outcome(self, expected, how):
        answer = self.driver.ask(("outcome",))[0]
        must(answer == expected, f"it is {answer}")

    def do_consent(self, name, how):
        answer = self.driver.ask(("consent", str(CONSENTS.index(name))))[0]
        self.look()
        must(answer == "0 ok", f"consent answers {answer}")

    def do_consent_is(self, name, how):
        answer = self.driver.ask(("get_consent",))[0]
        must(answer == str(CONSENTS.index(name)), f"it is {answer}")

    # --- time

    def pass_time(self, ms):
        """Up to `ms`, less when a request begins."""
        passed = int(self.driver.ask(("advance", str(ms)))[0])
        self.true_ms += passed
        self.look()
        return passed

    def do_pass(self, span, how):
        left = milliseconds(span)
        while left > 0:
            left -= self.pass_time(left)

    def do_away(self, span, how):
        """Time in which no process of the client runs."""
        self.true_ms += milliseconds(span)

    def do_quiet(self, span, how):
        left = milliseconds(span)
        seen = self.seen
        must(self.taken, f"a request waits that no step asked for: {self.waiting}")
        while left > 0:
            left -= self.pass_time(left)
            must(self.seen == seen, f"a request came {left} ms too early: {self.waiting}")

    def look(self):
        """Reads the request that waits, and checks it when it is a new one."""
        words = self.driver.ask(("request",))[0].split(" ")
        if words[0] == "none":
            self.waiting, self.taken = None, True
            return
        if int(words[0]) == self.seen:
            return
        must(self.taken, f"a second request while one waits: {self.waiting}")
        self.seen, self.taken = int(words[0]), False
        self.requests += 1
        pairs = [out_of_hex(word).decode() for word in words[3:]]
        request = Request(out_of_hex(words[1]).decode(), out_of_hex(words[2]), list(zip(pairs[::2], pairs[1::2])))
        self.waiting = request
        request.check()
        self.tell(f"        came {request}")
        self.endpoint.note(request)
        wall_ms = self.true_ms + self.device_off_ms
        must(request.clock_ms == wall_ms, f"Yukha-Clock is {request.clock_ms - wall_ms} ms off the device's clock")
        if self.date_shift_ms is None:
            must(request.offset_ms is None, "an offset is told, and no answer had a Date")
        else:
            must(request.offset_ms is not None, "no offset is told, and an answer had a Date")
            off = wall_ms + request.offset_ms - self.true_ms - self.date_shift_ms
            must(abs(off) <= 501 + self.round_trip_ms // 2, f"own clock + offset is {off} ms off the endpoint's")
        self.came_ms = self.true_ms

    # --- requests and answers

    def do_request(self, name, how):
        if self.taken:
            must(self.waiting is None, "the request before it was not answered")
            left = limit = milliseconds(how.get("within", "0 ms"))
            while left > 0 and self.taken:
                left -= self.pass_time(left)
            must(not self.taken, "none came")
            must(limit - left >= milliseconds(how.get("not_before", "0 ms")), f"it came after {limit - left} ms")
        self.taken = True
        request = self.named[name] = self.waiting
        if "sentences" in how:
            must(request.tracked == numbers(how["sentences"]), f"it holds {ranges(request.tracked)}")
        if "count" in how:
            must(len(request.tracked) == how["count"], f"it holds {len(request.tracked)} sentences")
        if "same_as" in how:
            other = self.named[how["same_as"]]
            must(request.key == other.key, f"its key is {request.key}, not {other.key}")
        elif "renewed" in how:
            other = self.named[how["renewed"]]
            must(request.key == other.key_after_conflict, f"its key is {request.key}, not {other.key_after_conflict}")
            must(request.lines == other.lines, f"it holds other lines than {how['renewed']}")
        elif "one_of" in how:
            must(request.key in [self.named[one].key for one in how["one_of"]], f"it is another batch: {request.key}")
        elif "part" in how:
            parent, _, path = how["part"].partition(".")
            must(request.key == f"{self.named[parent].uuid}.{path}", f"its key is {request.key}")
        else:
            must(not request.path, f"it is a part: {request.key}")
            must(all(other.uuid != request.uuid for one, other in self.named.items() if one != name),
                 "its key was used before")
        if "version" in how:
            must(request.uuid[14] == str(how["version"]), f"its key is {request.key}")
        if "other_than" in how:
            must(request.key != self.named[how["other_than"]].key, "it is the same batch")
        if "to" in how:
            must(request.url == how["to"], f"it goes to {request.url}")
        else:
            must(request.url == "https://collect.example.com/v1/events", f"it goes to {request.url}")
        must(request.key_id == how.get("signed_by", self.settings["key_id"]), f"it is signed by {request.key_id}")

    def do_answer(self, what, how):
        must(self.waiting is not None, "no request waits")
        must(self.taken, f"a request that no step asked for: {self.waiting}")
        if what == "accept":
            status, body = self.endpoint.take(self.waiting, numbers(how.get("reject", "")))
            for entry in body.get("rejected", []):
                entry.update(how.get("entries", {}))
                entry["reason"] *= how.get("reason_times", 1)
            body.update(how.get("members", {}))
        else:
            status, body = what, how.get("body", "")
        if isinstance(body, dict):
            body = self.written_out(body)
        body = body * how.get("body_times", 1) + how.get("after", "")
        if what == "none" or how.get("lost"):
            self.waiting, self.taken = None, True
            self.driver.ask(("no_answer", in_hex(how.get("text", "connection reset"))))
        else:
            self.send(status, body, dict(how.get("headers", {})), how)
        self.look()

    def written_out(self, body):
        """An entry may name its line by the number of the sentence, and `accepted` be "the rest"."""
        request, body = self.waiting, json.loads(json.dumps(body))
        rejected = body.get("rejected", [])
        for entry in rejected:
            if "sentence" in entry:
                line = request.line_of(entry.pop("sentence"))
                form = entry.pop("named_by", "line and id")
                if "line" in form:
                    entry["line"] = line
                if "id" in form:
                    entry["id"] = request.ids[line - 1]
        if body.get("accepted") == "the rest":
            body["accepted"] = len(request.lines) - len(rejected)
        return json.dumps(body)

    def send(self, status, body, headers, how):
        if how.get("date") != "none":
            shift = milliseconds(how.get("date", "0 ms"))
            headers["date"] = http_date(self.true_ms + shift)
            round_trip = self.true_ms - self.came_ms
            if self.date_shift_ms != shift:
                self.round_trip_ms = round_trip
            self.date_shift_ms, self.round_trip_ms = shift, min(self.round_trip_ms, round_trip)
        if "retry_after_date" in how:
            headers["retry-after"] = http_date(self.true_ms + milliseconds(how["retry_after_date"]))
        for number in range(how.get("more_headers", 0)):
            headers[f"x-{number}"] = "y"
        self.waiting, self.taken = None, True
        words = ["answer", str(status), in_hex(body)]
        for name, value in headers.items():
            words += [in_hex(name), in_hex(value)]
        must(self.driver.ask(tuple(words))[0] == "0 ok", "the driver took no answer")

    def do_serve(self, span, how):
        """The endpoint works by rules until nothing waits any more or the time is over."""
        left, count = milliseconds(span), 0
        everything = how.get("refuse") == "everything"
        refuse, status = set() if everything else set(numbers(how.get("refuse", ""))), how.get("status", 400)
        while True:
            if self.waiting is None:
                if left <= 0 or self.told()["waiting"] == 0:
                    break
                left -= self.pass_time(left)
                continue
            request, self.taken = self.waiting, True
            count += 1
            if "lines_bytes_max" in how and request.bytes > how["lines_bytes_max"]:
                self.send(413, "", {}, how)
            elif everything or refuse & set(request.tracked):
                self.send(status, "", {}, how)
            else:
                status_200, body = self.endpoint.take(request)
                self.send(status_200, json.dumps(body), {}, how)
            self.look()
        must(count <= how.get("requests_most", count), f"it took {count} requests")

    def do_repeat(self, count, how):
        for number in range(count):
            for step in how["does"]:
                try:
                    self.step(step)
                except Wrong as wrong:
                    raise Wrong(f"time {number + 1}, {json.dumps(step)}: {wrong}") from None

    # --- what is told

    def told(self):
        words = self.driver.ask(("told",))[0].split(" ")
        told = dict(zip(words[::2], words[1::2]))
        trouble = out_of_hex(told.pop("last_trouble")).decode()
        told = {name: int(value) for name, value in told.items()}
        must(told["accepted"] == sum(told[name] for name in BALANCE), f"the ledger does not balance: {told}")
        must(told["delivered"] <= len(self.endpoint.stored), f"more is told delivered than was stored: {told}")
        told["last_trouble"] = trouble
        return told

    def do_told(self, expected, how):
        told = self.told()
        for name, value in expected.items():
            if name == "last_trouble":
                must(value in told[name] and (value or not told[name]), f"last_trouble is '{told[name]}'")
            elif isinstance(value, list):
                low, high = (milliseconds(one) if isinstance(one, str) else one for one in value)
                must(low <= told[name] <= high, f"{name} is {told[name]}")
            else:
                must(told[name] == value, f"{name} is {told[name]}")

    def do_elapsed(self, span, how):
        low, high = (milliseconds(one) for one in span)
        passed = self.true_ms - START_MS
        must(low <= passed <= high, f"{passed} ms passed since the beginning")

    def do_stored(self, expected, how):
        must(sorted(self.stored()) == numbers(expected), f"stored are {ranges(sorted(self.stored()))}")

    def stored(self):
        """The numbers of the sentences that the endpoint has."""
        return [number for number, one in self.endpoint.numbers.items() if one in self.endpoint.stored]

    def check_end(self):
        """Whatever was answered before: once the endpoint is well, everything comes, and nothing twice."""
        told = self.told()
        must(told["accepted"] == self.tracked, f"{self.tracked} were kept, and accepted is {told['accepted']}")
        if self.scenario.get("ends") == "as it is":
            return
        self.do_serve(f"{DRAIN_MS} ms", {})
        told = self.told()
        must(told["waiting"] == 0, f"{told['waiting']} still wait for an endpoint that is well: {told}")
        stored = len(self.stored())
        must(told["delivered"] == stored, f"{stored} were stored, and delivered is {told['delivered']}")
        must(told["lost"] == 0, f"{told['lost']} were lost")


# --- the whole --------------------------------------------------------------------------------------------------------


def written_for_each(scenario):
    """A scenario with `each` is as many as that has entries, the entry standing where the steps say "$each"."""
    for name, entry in scenario.get("each", {"": None}).items():
        steps = []
        for step in scenario["does"]:
            steps += (entry if isinstance(entry, list) else [entry]) if step == "$each" else [step]
        yield dict(scenario, name=scenario["name"] + (": " + name if name else ""), does=steps)


def scenarios(only):
    for path in sorted(HERE.glob("*.json")):
        for scenario in json.loads(path.read_text(encoding="utf-8"))["scenarios"]:
            for one in written_for_each(scenario):
                if only in f"{path.stem}: {one['name']}":
                    yield path.stem, one


def play_all(options):
    failed, skipped, passed = [], 0, 0
    theme = None
    for stem, scenario in scenarios(options.only):
        if stem != theme:
            theme = stem
            print(f"{stem}.json")
        play = Play(options.driver, scenario, options.seed, options.story)
        result, why = "ok", ""
        try:
            play.run()
        except Wrong as wrong:
            result, why = "FAILED", str(wrong)
        except Skipped as skip:
            result, why = "skipped", str(skip)
        print(f"  {scenario['name']:<86} {play.requests:4}  {result}" + (f"\n      {why}" if why else ""), flush=True)
        failed += [scenario["name"]] * (result == "FAILED")
        skipped += result == "skipped"
        passed += result == "ok"
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    if skipped and not passed and not failed:
        return 77
    return 1 if failed or not passed else 0


# --- does the suite itself see? ---------------------------------------------------------------------------------------

A_REQUEST = [{"track": 3}, {"request": "a", "within": "11 s"}]
# Scenarios that are wrong, and what must be said of each.
WRONG = [
    ([*A_REQUEST[:1], {"request": "a", "within": "11 s", "sentences": "1-2"}], "it holds 1-3"),
    ([*A_REQUEST[:1], {"request": "a", "within": "2 s"}], "none came"),
    ([*A_REQUEST[:1], {"request": "a", "within": "11 s", "not_before": "12 s"}], "it came after"),
    ([*A_REQUEST[:1], {"request": "a", "within": "11 s", "signed_by": "app-two"}], "it is signed by"),
    ([*A_REQUEST[:1], {"request": "a", "within": "11 s", "to": "https://other.example.com/"}], "it goes to"),
    ([*A_REQUEST[:1], {"quiet": "20 s"}], "a request came"),
    ([*A_REQUEST, {"answer": 503}, {"track": 1}, {"request": "b", "within": "5 s"}], "its key was used before"),
    ([*A_REQUEST, {"answer": 503}, {"request": "b", "within": "5 s", "part": "a.0"}], "its key is"),
    ([*A_REQUEST, {"answer": "accept"}, {"told": {"delivered": 2}}], "delivered is 3"),
    ([*A_REQUEST, {"answer": 503}, {"told": {"failures": [2, 9]}}], "failures is 1"),
    ([*A_REQUEST, {"answer": 503}, {"told": {"last_trouble": ""}}], "last_trouble is"),
    ([*A_REQUEST, {"answer": "accept"}, {"stored": "1-2"}], "stored are 1-3"),
    ([*A_REQUEST, {"answer": "accept"}, {"track": 1, "answers": "1 kept_in_memory"}], "track answers"),
    ([{"track": 3}, {"serve": "5 min", "refuse": "2", "requests_most": 2}], "requests"),
    ([*A_REQUEST, {"answer": 200, "body": {"accepted": "the rest", "rejected": []}}], "delivered than was stored"),
    ([{"consent_is": "denied"}], "it is 0"),
    ([*A_REQUEST, {"fly": 1}], "no such step"),
]


def planted(request):
    """What must be said of a request, and the request with that fault in it."""
    def with_header(name, change):
        return request.url, request.body, [(one, change(value) if one.lower() == name else value)
                                           for one, value in request.headers]

    def with_body(body, signed=True):
        """Digest and signature are made anew, so that only the body is at fault."""
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        changed = Request(*with_header("content-digest", lambda _: digest if signed else _))
        changed.body = body
        if signed:
            parameters = changed.header("signature-input")[len("yukha="):]
            names = re.findall(r'"([^"]+)"', parameters[:parameters.index(")")])
            url = urllib.parse.urlsplit(request.url)
            special = {"@method": "POST", "@authority": url.netloc, "@path": url.path}
            base = "".join(f'"{name}": {special.get(name) or changed.header(name)}\n' for name in names)
            mac = hmac.new(base64.b64decode(KEYS["app-one"]),
                           (base + f'"@signature-params": {parameters}').encode(), "sha256").digest()
            changed.headers = [(one, f"yukha=:{base64.b64encode(mac).decode()}:" if one.lower() == "signature" else value)
                               for one, value in changed.headers]
        return changed.url, changed.body, changed.headers

    def gzip_of(text):
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        return packer.compress(text) + packer.flush()

    text = zlib.decompress(request.body, 31)
    first = text.split(b"\n")[0] + b"\n"
    sentence = json.loads(first)
    turned = json.dumps({name: sentence[name] for name in reversed(sentence)}, separators=(",", ":")).encode() + b"\n"
    yield "headers idempotency-key", (request.url, request.body, request.headers + [("Idempotency-Key", '"x"')])
    yield "form of a key", with_header("idempotency-key", lambda value: value.strip('"'))
    yield "form of Yukha-Clock", with_header("yukha-clock", lambda value: value + ";offset=x")
    yield "another body's", with_body(request.body[:-1] + b"\1", signed=False)
    yield "signature is wrong", (request.url + "/x", request.body, request.headers)
    yield "signature is wrong", with_header("yukha-clock", lambda value: str(int(value) + 1))
    yield "signature covers", with_header("signature-input", lambda value: value.replace(' "yukha-clock"', ""))
    yield "contract's signature", with_header("signature-input", lambda value: value.replace("yukha-v1", "yukha-v2"))
    yield "not one whole gzip member", with_body(request.body + gzip_of(b"{}\n"))
    yield "not one whole gzip member", with_body(request.body[:-4])
    yield "not gzip", with_body(text)
    yield "has no end", with_body(gzip_of(text[:-1]))
    yield "lines", with_body(gzip_of(first * 501))
    yield "bytes before compression", with_body(gzip_of(first * 4000))
    yield "sentence twice", with_body(gzip_of(first * 2))
    yield "keys of a sentence", with_body(gzip_of(turned))
    yield "not an object of strings", with_body(gzip_of(first.replace(b'"type":"READ"', b'"type":7')
                                                        .replace(b'"type":"yukha_ledger"', b'"type":7')))


def self_test(options):
    count = 0
    for steps, expected in WRONG:
        try:
            Play(options.driver, {"name": "wrong", "does": steps}, options.seed, False).run()
        except Wrong as wrong:
            if expected not in str(wrong):
                sys.exit(f"not '{expected}', but: {wrong}")
        else:
            sys.exit(f"nothing was said of {steps}")
        count += 1
    play = Play(options.driver, {"name": "good", "does": A_REQUEST}, options.seed, False)
    play.run()
    request = play.named["a"]
    for expected, parts in planted(request):
        try:
            Request(*parts).check()
        except Wrong as wrong:
            if expected not in str(wrong):
                sys.exit(f"not '{expected}', but: {wrong}")
        else:
            sys.exit(f"a request passed that must not: {expected}")
        count += 1
    for expected, change in (("nonce came twice", {}), ("other bytes", {"body": b"", "nonce": "another"}),
                             ("stored twice", {"uuid": "another", "key": "another", "nonce": "a third"})):
        again = Request(request.url, request.body, request.headers)
        again.check()
        vars(again).update(change)
        try:
            play.endpoint.note(again)
            play.endpoint.take(again)
        except Wrong as wrong:
            if expected not in str(wrong):
                sys.exit(f"not '{expected}', but: {wrong}")
        else:
            sys.exit(f"the endpoint did not see: {expected}")
        count += 1
    print(f"{count} planted faults, each found")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", required=True, type=shlex.split, help="the driver's command")
    parser.add_argument("--only", default="", help="scenarios whose file and name hold this text")
    parser.add_argument("--seed", type=int, default=0, help="other dice: waits differ, what is promised does not")
    parser.add_argument("--story", action="store_true", help="tell every step and request")
    parser.add_argument("--self-test", action="store_true", help="are planted faults found?")
    options = parser.parse_args()
    if options.self_test:
        return self_test(options)
    return play_all(options)


if __name__ == "__main__":
    sys.exit(main())
