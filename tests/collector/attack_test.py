#!/usr/bin/env python3
"""What somebody does who wants to harm the collector: a page in the browser beside it, a neighbour on the network, a
client with a wrong program, another user of the machine. One promise an attack, with the answer it gets.

    python3 tests/collector/attack_test.py --collector build/release/examples/yukha-collector
"""
import argparse
import base64
import contextlib
import ctypes
import fcntl
import gzip
import http.client
import json
import os
import pathlib
import select
import socket
import stat
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
import collector_test as wire  # noqa: E402
from collector_test import equal, gzipped, new_uuid7, sentence  # noqa: E402
from support import PATIENCE_S, SECRET, Collector, Forbidden, expect, keep_promises, kilobytes, promise, wait_until  # noqa: E402

options = None


class Target(Collector):
    """The collector, with two sentences in its lake that must still be there after the attack."""

    def __init__(self, folder, *arguments, address="127.0.0.1", **more):
        super().__init__(options.collector, folder, *arguments, **more)
        self.address = address
        self.authority = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self.token = (self.lake / ".collector" / "token")
        self.token = self.token.read_text().strip() if self.token.exists() else ""
        self.before = [sentence(), sentence()]
        equal(self.send(self.before)[0], 200)

    def __exit__(self, kind, *_):
        if kind is None:
            expect(self.process.poll() is None, "the collector ended with", self.process.poll())
            equal(self.send([sentence()])[0], 200, "it serves as before")
            expect(set(wire.ids_of(self.before)) <= {line["id"] for line in self.lines()}, "something was lost")
        self.stop()

    def call(self, method, path, body=None, fields=(), host=None):
        """Status, body and fields of the answer. `fields` are pairs, so that one may come twice."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=PATIENCE_S)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in [("Host", host or self.authority), *fields]:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def send(self, lines, key=None, body=None, fields=(), host=None, authority=None):
        body = gzipped(lines) if body is None else body
        signed = wire.signed(body, key or new_uuid7(), authority=authority or self.authority, keyid="key",
                             secret=base64.b64decode(SECRET))
        return self.call("POST", "/v1/events", body, [*signed.items(), *fields], host)

    def kilobytes(self, name):
        return kilobytes(self.process.pid, name)

    def is_sanitized(self):
        """With a sanitizer's shadow, which takes terabytes of addresses."""
        return self.kilobytes("VmSize") > 2**30

    def cpu_seconds(self):
        """What the collector has used of the processor."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def raw(self, data, wait=True):
        return wire.Collector.talk(self, data, wait)

    def bearer(self):
        return [("Authorization", f"Bearer {self.token}")]


def head(target, *lines, method=b"GET", path=b"/micro/all", end=b"\r\n"):
    own = [f"Host: {target.authority}".encode(), f"Authorization: Bearer {target.token}".encode()]
    return end.join([method + b" " + path + b" HTTP/1.1", *own, *lines, b"", b""])


# --- a page in the browser beside it ---------------------------------------------------------------------------------

@promise("a name made to point here (DNS rebinding) gets 421 on every path, also with token and signature")
def _(folder):
    with Target(folder) as target:
        for host in ("evil.example", f"evil.example:{target.port}", "127.0.0.1", f"127.0.0.1:{target.port + 1}",
                     f"127.0.0.1.evil.example:{target.port}", f"x@{target.authority}", f"{target.authority},evil", ""):
            for method, path in (("GET", "/micro/good"), ("POST", "/micro/reset"), ("GET", "/"), ("OPTIONS", "/v1/events"),
                                 ("POST", "/nothing"), ("HEAD", "/micro/all")):
                status, body, _ = target.call(method, path, None, target.bearer(), host=host or " ")
                equal((status, body), (421, b'{"error":"host"}' if method != "HEAD" else b""), host, method, path)
            equal(target.send([sentence()], host=host or " ")[0], 421)
        for host in ("localhost", "127.0.0.1", "[::1]"):
            equal(target.call("GET", "/micro/all", None, target.bearer(), f"{host}:{target.port}")[0], 200, host)
        equal(target.counts()["good"], 2)


@promise("a page of another site gets 403 on every path: by Origin, and where there is none by Sec-Fetch-Site")
def _(folder):
    with Target(folder) as target:
        for field in (("Origin", "https://evil.example"), ("Origin", "null"), ("Origin", f"http://127.0.0.1:{target.port + 1}"),
                      ("Origin", f"https://{target.authority}"), ("Origin", ""), ("Sec-Fetch-Site", "cross-site"),
                      ("Sec-Fetch-Site", "same-site")):
            for method, path in (("GET", "/micro/good"), ("POST", "/micro/reset"), ("OPTIONS", "/micro/reset"),
                                 ("POST", "/micro/fault"), ("GET", "/nothing")):
                status, body, fields = target.call(method, path, None, [field, *target.bearer()])
                equal((status, body), (403, b'{"error":"origin"}'), field, method, path)
                equal(fields["Access-Control-Allow-Origin"], None)
            equal(target.send([sentence()], fields=[field])[0], 403, field)
        own = [("Origin", f"http://{target.authority}"), ("Sec-Fetch-Site", "same-origin")]
        equal(target.call("GET", "/micro/all", None, [*own, *target.bearer()])[0], 200)
        status, _, fields = target.call("GET", "/micro/all", None, [("Sec-Fetch-Site", "none"), *target.bearer()])
        equal((status, fields["X-Content-Type-Options"], fields["Cross-Origin-Resource-Policy"]),
              (200, "nosniff", "same-origin"))
        equal(target.counts()["good"], 2)


@promise("without the token nothing is read or changed: 401 for all below /micro/, however its path is written; GET has no effect")
def _(folder):
    with Target(folder) as target:
        wrong = [[], [("Authorization", "Bearer ")], [("Authorization", "Bearer " + "0" * 32)],
                 [("Authorization", "Bearer " + target.token[:-1])], [("Authorization", "Bearer " + target.token + "0")],
                 [("Authorization", target.token)], [("Authorization", "Basic " + target.token)],
                 [("Authorization", "Bearer x"), ("Authorization", "Bearer " + target.token)],
                 [("Content-Type", "text/plain"), ("Cookie", f"token={target.token}")]]
        for fields in wrong:
            for path in ("reset", "fault", "clock", "policy", "nothing", f"reset?token={target.token}"):
                status, body, answered = target.call("POST", "/micro/" + path, b"status=503", fields)
                equal((status, body), (401, b'{"error":"token"}'), path, fields)
                expect(answered["WWW-Authenticate"].startswith("Bearer"))
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
                equal(target.call(method, "/micro/reset", b"", fields)[0], 401, method)
            for path in ("all", "good", "bad", "policy", "nothing", "reset", f"good?token={target.token}"):
                for method in ("GET", "HEAD"):
                    status, body, _ = target.call(method, "/micro/" + path, None, fields)
                    equal((status, body), (401, b'{"error":"token"}' if method == "GET" else b""), path, fields)
        for path in ("/%6dicro/reset", "/micro%2freset", "//micro/reset", "/./micro/reset", "/MICRO/reset", "/x/../micro/reset"):
            equal(target.call("POST", path, b"")[0], 404, path)
        for path in ("/%6dicro/good", "/micro%2fgood", "//micro/good", "/./micro/good", "/MICRO/good", "/x/../micro/good"):
            equal(target.call("GET", path)[0], 404, path)
        for path in ("reset", "fault", "clock"):
            equal(target.call("GET", f"/micro/{path}?status=503", None, target.bearer())[0], 405)
            equal(target.call("HEAD", f"/micro/{path}", None, target.bearer())[0], 405)
        equal(target.counts()["good"], 2)
        equal(target.call("POST", "/micro/fault", b"", [("authorization", f"bearer {target.token}")])[0], 200)


@promise("the token is new at each start, only its owner can read its file, and it goes with the collector")
def _(folder):
    tokens = set()
    for _ in range(2):
        with Target(folder) as target:
            path = target.lake / ".collector" / "token"
            equal(stat.S_IMODE(path.stat().st_mode), 0o600)
            tokens.add(target.token)
        expect(not path.exists())
    equal((len(tokens), {len(token) for token in tokens}), (2, {32}))


@promise("--no-token says so aloud, and is refused where others reach the port")
def _(folder):
    with Target(folder, "--no-token") as target:
        equal(target.call("POST", "/micro/fault", b"")[0], 200)
        equal(target.call("GET", "/micro/good")[0], 200)
        equal(target.call("POST", "/micro/reset", b"", host="evil.example")[0], 421)
    command = [options.collector, "--port", "0", "--lake", str(folder / "other"), "--key", f"key:{SECRET}"]
    for more, says in ((["--no-token", "--address", "10.1.2.3"], "--no-token is for loopback"),
                       (["--address", "0.0.0.0"], "--public-url"), (["--address", "localhost"], "IPv4 or IPv6")):
        done = subprocess.run([*command, *more], capture_output=True, timeout=PATIENCE_S, check=False)
        equal(done.returncode, 64, more)
        expect(says in done.stderr.decode(), done.stderr)
    process = subprocess.Popen([*command, "--no-token"], stdout=subprocess.PIPE)
    try:
        expect("read and empty the lake" in process.stdout.readline().decode() + process.stdout.readline().decode())
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


# --- a neighbour on the network --------------------------------------------------------------------------------------

def set_up_network():
    """A network where only this process is, with 10.1.2.3 and fd00::1 to fd00::70 on its loopback device. False where
    the machine gives none."""
    clone_new_net, clone_new_user = 0x40000000, 0x10000000
    if ctypes.CDLL(None).unshare(clone_new_net | (0 if os.geteuid() == 0 else clone_new_user)) != 0:
        return False
    set_address, set_flags, up = 0x8916, 0x8914, 1
    with socket.socket() as any_socket:
        for name, address in ((b"lo", "127.0.0.1"), (b"lo:1", "10.1.2.3")):
            wanted = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(any_socket, set_address, wanted)
            fcntl.ioctl(any_socket, set_flags, struct.pack("16sH14x", name, up))
    try:
        with socket.socket(socket.AF_INET6) as any_socket:
            for number in range(1, 71):
                wanted = struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, f"fd00::{number}"), 64, 1)
                fcntl.ioctl(any_socket, set_address, wanted)
    except OSError:
        return False
    return True


def reach(folder):
    with Target(folder, "--address", "10.1.2.3", address="10.1.2.3") as target:
        for path in ("all", "good", "bad", "policy", "nothing"):
            for method in ("GET", "HEAD", "POST"):
                equal(target.call(method, "/micro/" + path)[0], 401, path)
        equal(target.call("GET", "/micro/all", None, target.bearer())[0], 200)
        equal(target.call("GET", "/micro/all", None, target.bearer(), host="evil.example")[0], 421)


def crowd_of_one_network(folder):
    with Target(folder, "--address", "fd00::1", address="fd00::1") as target:
        with contextlib.ExitStack() as open_until_the_end:
            crowd = [open_until_the_end.enter_context(
                socket.create_connection(("fd00::1", target.port), PATIENCE_S, (f"fd00::{number}", 0))) for number in range(2, 67)]
            shut = select.select(crowd, [], [], PATIENCE_S)[0]
            equal([connection.recv(1) for connection in shut], [b""], "one of them was shut")
            time.sleep(1)  # had it been idle for too long, they would all be shut by now
            other = crowd[-1] if crowd[-1] not in shut else crowd[0]
            other.sendall(head(target))
            expect(other.recv(65536).startswith(b"HTTP/1.1 200 "), "the others were not")


FROM_OUTSIDE = {"reach": reach, "crowd": crowd_of_one_network}


def from_outside(attack, folder):
    done = subprocess.run([sys.executable, __file__, "--collector", options.collector, "--from-outside", attack, str(folder)],
                          capture_output=True, timeout=PATIENCE_S, check=False)
    if done.returncode == 78:
        raise Forbidden("a network of its own")
    equal(done.returncode, 0, done.stderr.decode())


@promise("on an address that others reach, all below /micro/ wants the token")
def _(folder):
    from_outside("reach", folder)


@promise("a crowd of addresses in one IPv6 network is one peer")
def _(folder):
    from_outside("crowd", folder)


# --- heads -----------------------------------------------------------------------------------------------------------

@promise("a head that two readers could read differently gets 400: control characters, bare LF and CR, folding, Host twice or never")
def _(folder):
    with Target(folder) as target:
        def refused(data, status=b"400"):
            answer = target.raw(data)
            expect(answer.startswith(b"HTTP/1.1 " + status + b" "), data[:200], answer[:100])
            expect(answer.count(b"HTTP/1.1 ") == 1, "the rest was taken for another request", answer)

        expect(target.raw(head(target, b"Connection: close")).startswith(b"HTTP/1.1 200 "))
        for byte in [*range(0x00, 0x20), 0x7f]:
            one = bytes([byte])
            if byte != 0x09:
                refused(head(target, b"X-Note: a" + one + b"b"))
            refused(head(target, b"X-No" + one + b"te: a"))
            refused(head(target, path=b"/micro/all" + one))
            refused(head(target, method=b"GE" + one + b"T"))
        refused(head(target, end=b"\n"))
        refused(head(target, b"X: a\nY: b"))
        refused(head(target, b"X: a\rY: b"))
        refused(head(target, b"X: a\r"))
        refused(head(target, b"X: a", b" folded"))
        refused(head(target, b"X : a"))
        refused(head(target, b": a"))
        refused(head(target, b"no colon"))
        refused(head(target, path=b"/micro/\xff"))
        refused(head(target, path=f"http://{target.authority}/micro/all".encode()))
        refused(head(target, path=b"*", method=b"OPTIONS"))
        refused(head(target, f"Host: {target.authority}".encode()))
        refused(head(target, b"Host: evil.example"))
        refused(b"GET /micro/all HTTP/1.1\r\nX: y\r\n\r\n")
        refused(b"GET /micro/all HTTP/1.0\r\n\r\n")
        refused(b"GET /micro/all\r\n\r\n")
        for version in (b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 "):
            refused(head(target).replace(b"HTTP/1.1", version))
        for length in (b"+2", b"-1", b"0x2", b"2, 2", b"", b"9999999999999999", b"2 2"):
            refused(head(target, b"Content-Length: " + length, method=b"POST") + b"{}")
        for coding in (b"gzip, chunked", b"identity", b"chunked, chunked", b"xchunked", b""):
            refused(head(target, b"Transfer-Encoding: " + coding, method=b"POST") + b"0\r\n\r\n")
        refused(head(target, b"Transfer-Encoding: chunked", b"Content-Length: 5", method=b"POST") + b"0\r\n\r\n")
        refused(head(target, *[b"X: y"] * 100))
        refused(head(target, b"X: " + b"y" * 33000), b"431")
        expect(target.raw(head(target, *[b"X: y"] * 97, b"Connection: close")).startswith(b"HTTP/1.1 200 "))


@promise("a body in chunks gets 411 and ends its connection, however its chunks are written")
def _(folder):
    with Target(folder) as target:
        body = gzipped([sentence()])
        size = f"{len(body):x}".encode()
        behind = head(target)
        for method, path in ((b"POST", b"/v1/events"), (b"POST", b"/micro/fault"), (b"GET", b"/micro/all"), (b"PUT", b"/nothing")):
            for chunks in (size + b"\r\n" + body + b"\r\n0\r\n\r\n", b"0x" + size + b"\r\n" + body + b"\r\n0\r\n\r\n",
                           size + b"\n" + body + b"\n0\n\n", size + b"\r\n" + body + b"XX0\r\n\r\n", b"0\r\n\r\n", b""):
                signed = wire.signed(body, new_uuid7(), authority=target.authority, keyid="key", secret=base64.b64decode(SECRET))
                fields = [f"{name}: {value}".encode() for name, value in signed.items()]
                answer = target.raw(head(target, b"Transfer-Encoding: chunked", *fields, method=method, path=path) + chunks + behind)
                expect(answer.startswith(b"HTTP/1.1 411 "), chunks[:9], answer[:100])
                expect(answer.count(b"HTTP/1.1 ") == 1, "the rest was taken for another request", answer)
        equal(target.counts()["good"], 2)


@promise("a body that says it is a form is taken as it came, not apart")
def _(folder):
    with Target(folder) as target:
        for kind in ("multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded"):
            body = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n"
            equal(target.call("POST", "/micro/fault", body, [("Content-Type", kind), *target.bearer()])[0], 400, kind)
            equal(target.call("POST", "/v1/events", body, [("Content-Type", kind)])[0], 401, kind)


# --- bodies and signature fields -------------------------------------------------------------------------------------

@promise("a gzip bomb gets 413, and costs no more than the limit's memory")
def _(folder):
    with Target(folder) as target:
        before = target.kilobytes("VmHWM")
        bomb = gzip.compress(b"\0" * 200_000_000, 1)
        expect(len(bomb) < 1024 * 1024)
        for _ in range(5):
            equal(target.send(None, body=bomb)[:2], (413, b'{"error":"inflated size"}'))
        # A member behind a member, and one of nothing but empty blocks.
        equal(target.send(None, body=gzip.compress(b"{}\n") * 100)[0], 400)
        empty_blocks = gzip.compress(b"")[:10] + b"\x00\x00\x00\xff\xff" * 150_000
        equal(target.send(None, body=empty_blocks)[0], 400)
        newlines = gzip.compress(b"\n" * 4_000_000)
        equal(target.send(None, body=newlines)[:2], (413, b'{"error":"lines"}'))
        grown = target.kilobytes("VmHWM") - before
        expect(grown < 150 * 1024, "it grew by", grown, "KiB")


@promise("a line of thousands of members costs what its bytes cost, not the square of their number")
def _(folder):
    def cost(members):
        line = json.dumps({f"a{number:04}": 1 for number in range(members)}).encode() + b"\n"
        path = folder / str(members)
        path.write_bytes(line * (1_000_000 // len(line)) if members else b"")

        def once():
            with open(path, "rb") as lines:
                judge = subprocess.Popen([options.collector, "--judge"], stdin=lines, stdout=subprocess.DEVNULL)
                _, status, used = os.wait4(judge.pid, 0)
            judge.returncode = os.waitstatus_to_exitcode(status)
            equal(judge.returncode, 0)
            return used.ru_utime + used.ru_stime
        return min(once() for _ in range(3))
    start = cost(0)
    few, many = cost(100) - start, cost(2500) - start
    expect(many < 3 * few, "a megabyte of lines with 2500 members took", many, "s, with 100 of them", few)
    return f"{many / few:.2f} times what 100 members cost"


@promise("a good line of thousands of members, as a client writes it, costs what its bytes cost")
def _(folder):
    # No lake file is written meanwhile, which costs more.
    with Target(folder, "--lake-seconds", "600") as target:
        def cost(members):
            user = {"id": "u", **{f"a{number:04}": "1" for number in range(members)}}
            count = 400_000 // len(sentence(user=user))
            before = target.cpu_seconds()
            for _ in range(4):
                lines = [sentence(user=user) for _ in range(count)]
                equal(json.loads(target.send(lines)[1])["accepted"], count)
            return target.cpu_seconds() - before
        few, many = cost(50), cost(1500)
        expect(many < 3 * few + 0.1, "1.6 MB of lines with 1500 members took", many, "s, with 50 of them", few)
        return f"{few:.2f} s with 50 members, {many:.2f} s with 1500"


@promise("a body made to be dear is judged like any other: thousands of members, deep nesting, escapes")
def _(folder):
    with Target(folder) as target:
        plain = json.loads(sentence())

        def user(count, value="1", name="a"):
            members = {f"{name}{number}": value for number in range(count)}
            return json.dumps({**plain, "user": {"id": "u", **members}}, separators=(",", ":"))

        for good, line in ((1, user(2500)), (1, user(2500).replace('"id"', '"i\\u0064"', 1)), (0, user(2500, 1)),
                           (0, user(2500, "1", "A")), (0, user(2500, {})), (0, "[" * 16_000 + "]" * 16_000),
                           (0, "[" * 32_000), (0, '{"a":' * 5000 + "1" + "}" * 5000), (0, json.dumps({"id": "\x01" * 5000})),
                           (0, "{" + ",".join(['"aA":1', '"Aa":1'] * 2000) + "}"), (0, "9" * 32_000), (0, "{}" * 10_000)):
            answer = json.loads(target.send([line] * 3)[1])
            equal((answer["accepted"], len(answer["rejected"])), (3 * good, 3 - 3 * good), line[:60])


@promise("signature fields with more labels, components, parameters or longer names than anybody signs get 401")
def _(folder):
    with Target(folder) as target:
        body = gzipped([sentence()])
        signed = wire.signed(body, new_uuid7(), authority=target.authority, keyid="key", secret=base64.b64decode(SECRET))
        usual = signed["Signature-Input"]
        cost = target.cpu_seconds()
        for field in ([f"a{number}=1" for number in range(1200)], [f"a{number}=()" for number in range(16)],
                      ["yukha=(" + " ".join(f'"a{number}"' for number in range(33)) + ')' + usual[usual.index(";created"):]],
                      [usual + "".join(f";a{number}" for number in range(16))], [usual + ";" + "a" * 65],
                      ["a" * 65 + "=1, " + usual], ["yukha=" + "(" * 4000], ["\"" * 4000], [usual, usual],
                      [usual[:-1]], [usual + ","], ["=" + usual], [usual.replace("yukha=", "Yukha=", 1)], [""]):
            fields = {**signed, "Signature-Input": ""}
            del fields["Signature-Input"]
            # Several fields are one list, so a line's limit is none for all of them.
            lines = [("Signature-Input", ", ".join(field[begin:begin + 300])) for begin in range(0, len(field), 300)]
            status, answer, _ = target.call("POST", "/v1/events", body, [*fields.items(), *lines])
            equal((status, answer), (401, b'{"error":"signature"}'), field[0][:60])
        equal(target.call("POST", "/v1/events", body, [*signed.items()])[0], 200)
        # A proxy's own, with a number of each kind.
        for number, status in (("0.5", 200), ("-123456789012.125", 200), ("999999999999999", 200), ("1234567890123.5", 401),
                               ("0.1234", 401), ("1.", 401), (".5", 401), ("-", 401), ("1.5.5", 401), ("1e3", 401)):
            proxy = {**signed, "Signature-Input": f'proxy=("@method");q={number};tag="proxy", {usual}',
                     "Signature": f'proxy=:AAAA:;q={number}, {signed["Signature"]}'}
            equal(target.call("POST", "/v1/events", body, [*proxy.items()])[0], status, number)
        return f"{target.cpu_seconds() - cost:.2f} s of CPU"


@promise("whoever learnt a key cannot swallow its owner's batch, nor the owner's parts")
def _(folder):
    with Target(folder) as target:
        key, mine, theirs = new_uuid7(), [sentence() for _ in range(4)], [sentence() for _ in range(4)]
        equal(target.send(theirs, key)[0], 200)
        equal(target.send(mine, key)[:2], (409, b'{"error":"conflict"}'))
        for part, lines in ((".0", mine[:2]), (".1", mine[2:])):
            equal(json.loads(target.send(lines, key + part)[1]), {"accepted": 2, "rejected": []})
        target.before += mine + theirs


# --- time and numbers ------------------------------------------------------------------------------------------------

def drip(connection):
    """A byte now and then, until the other end has had enough: what it answered."""
    connection.settimeout(1)
    got = b""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            connection.sendall(b"y")
        except OSError:
            pass
        try:
            more = connection.recv(65536)
            if not more:
                return got
            got += more
        except TimeoutError:
            continue
        except OSError:
            return got
    raise AssertionError("it never had enough")


@promise("a head that comes a byte at a time ends with 408")
def _(folder):
    with Target(folder) as target, socket.create_connection(("127.0.0.1", target.port)) as slow:
        slow.sendall(head(target, b"X: ")[:-4])
        expect(drip(slow).startswith(b"HTTP/1.1 408 "))


@promise("a body that comes a byte at a time ends with 408")
def _(folder):
    with Target(folder) as target, socket.create_connection(("127.0.0.1", target.port)) as slow:
        slow.sendall(head(target, b"Content-Length: 1000", method=b"POST", path=b"/v1/events"))
        expect(drip(slow).startswith(b"HTTP/1.1 408 "))


@promise("an answer that its peer does not read holds nobody up, and ends")
def _(folder):
    with Target(folder) as target:
        long_lines = [sentence(location="app://shop/" + "x" * 30_000) for _ in range(130)]
        for _ in range(2):
            equal(target.send(long_lines, new_uuid7())[0], 200)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", target.port))
            deaf.sendall(head(target, path=b"/micro/good?limit=10000", method=b"GET"))
            equal(target.send([sentence()])[0], 200)

            def has_ended():
                try:
                    deaf.send(b"y")
                    return False
                except OSError:
                    return True
            wait_until(has_ended, PATIENCE_S, "the connection ended:")


@promise("answers that nobody reads cost the memory of two: a third is told to come again, and gets its turn")
def _(folder):
    with Target(folder) as target, contextlib.ExitStack() as open_until_the_end:
        # Each byte becomes six, so that no answer fits into the system's own buffers.
        equal(target.send(["\x01" * 30_000] * 100)[0], 200)

        def deaf():
            connection = open_until_the_end.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", target.port))
            connection.sendall(head(target, path=b"/micro/bad?limit=10000"))
            return connection

        def look():
            return target.call("GET", "/micro/bad?limit=1", None, target.bearer())

        before = target.kilobytes("VmHWM")
        crowd, answers = [], []

        def third_is_refused():
            crowd.append(deaf())
            answers.append(look())
            return answers[-1][0] == 503
        wait_until(third_is_refused, PATIENCE_S, "two are shown lines:")
        equal(answers[-1][2]["Retry-After"], "1")
        crowd += [deaf() for _ in range(50)]
        equal(target.call("GET", "/micro/all", None, target.bearer())[0], 200)
        grown = target.kilobytes("VmHWM") - before
        expect(grown < 100 * 1024 or target.is_sanitized(), "it grew by", grown, "KiB")
        for connection in crowd:
            connection.close()
        wait_until(lambda: look()[0] == 200, PATIENCE_S, "somebody is shown lines again:")
        return f"it grew by {grown} KiB"


@promise("a connection that rests after a large body keeps no memory for it")
def _(folder):
    with Target(folder) as target, contextlib.ExitStack() as open_until_the_end:
        before = target.kilobytes("VmRSS")
        body = b"y" * (1024 * 1024)
        for _ in range(60):
            connection = open_until_the_end.enter_context(socket.create_connection(("127.0.0.1", target.port), PATIENCE_S))
            connection.sendall(head(target, f"Content-Length: {len(body)}".encode(), method=b"POST", path=b"/v1/events") + body)
            expect(connection.recv(65536).startswith(b"HTTP/1.1 401 "))
        grown = target.kilobytes("VmRSS") - before
        # A sanitizer keeps what was freed, to find who still uses it.
        expect(grown < 40 * 1024 or target.is_sanitized(), "it grew by", grown, "KiB")
        return f"it grew by {grown} KiB"


@promise("idle and slow connections, as many as somebody likes, keep nobody out: the one that waited longest is shut")
def _(folder):
    with Target(folder) as target:
        crowd = []
        try:
            for number in range(64):
                crowd.append(socket.create_connection(("127.0.0.1", target.port), PATIENCE_S))
                # By turns nothing at all, half a head, and half a body.
                crowd[-1].sendall([b"", head(target)[:30], head(target, b"Content-Length: 9", method=b"POST",
                                                                path=b"/v1/events") + b"y"][number % 3])
                time.sleep(0.002 if number else 1)  # the first one has waited longest, also on a busy machine
            equal(target.send([sentence()])[0], 200)
            crowd[0].settimeout(PATIENCE_S)
            equal(crowd[0].recv(1), b"", "the first one was shut")
            crowd[6].settimeout(PATIENCE_S)
            crowd[6].sendall(head(target, b"Connection: close"))
            expect(crowd[6].recv(65536).startswith(b"HTTP/1.1 200 "), "the others were not")
            for _ in range(200):
                crowd.append(socket.create_connection(("127.0.0.1", target.port), PATIENCE_S))
                crowd[-1].sendall(head(target, b"Content-Length: 9", method=b"POST", path=b"/v1/events") + b"y")
            equal(target.send([sentence()])[0], 200)
        finally:
            for connection in crowd:
                connection.close()


@promise("many neighbours with a connection each shut nobody's request: the one that waited longest without one goes")
def _(folder):
    def from_address(address):
        return socket.create_connection(("127.0.0.1", target.port), PATIENCE_S, (address, 0))

    with Target(folder) as target, contextlib.ExitStack() as open_until_the_end:
        # Texts below and above 127.0.0.1, which is the client's.
        idle = [open_until_the_end.enter_context(from_address(f"127.0.{number % 2}.{number + 2}")) for number in range(127)]
        body = gzipped([sentence()])
        signed = wire.signed(body, new_uuid7(), authority=target.authority, keyid="key", secret=base64.b64decode(SECRET))
        fields = [f"{name}: {value}".encode() for name, value in signed.items()]
        client = open_until_the_end.enter_context(from_address("127.0.0.1"))
        client.sendall(head(target, b"Expect: 100-continue", f"Content-Length: {len(body)}".encode(), *fields, method=b"POST",
                            path=b"/v1/events"))
        expect(client.recv(65536).startswith(b"HTTP/1.1 100 "), "the collector has its head")
        client.sendall(body[:9])
        # Each of these is served, so there was room made for it.
        for number in range(60):
            with from_address(f"127.0.3.{number + 1}") as new:
                new.sendall(head(target, path=b"/nothing"))
                expect(new.recv(65536).startswith(b"HTTP/1.1 404 "))
                idle.append(open_until_the_end.enter_context(from_address(f"127.0.4.{number + 1}")))
        client.sendall(body[9:])
        expect(client.recv(65536).startswith(b"HTTP/1.1 200 "), "the client's request was shut")


# --- another user of the machine -------------------------------------------------------------------------------------

@promise("what the collector did not write stays: other *.tmp and other files below dt= survive a start and a reset")
def _(folder):
    lake = folder / "lake"
    hour = lake / "dt=2026-11-29" / "hour=10"
    hour.mkdir(parents=True)
    others = [lake / "mine.tmp", hour / "mine.json.gz", hour / "mine.json.gz.tmp", lake / "dt=notes" / "mine.txt"]
    others[-1].parent.mkdir()
    mine = gzip.compress(b"")
    for path in others:
        path.write_bytes(mine)
    with Target(folder, "--lake-seconds", "0.05") as target:
        while not list(lake.glob("dt=*/hour=*/yukha-*.gz")):
            time.sleep(0.02)
        equal(target.call("POST", "/micro/reset", b"", target.bearer())[0], 200)
        equal([path.read_bytes() for path in others], [mine] * len(others))
        found = [path for path in lake.glob("**/*") if path.is_file() and path.parent.name != ".collector"]
        equal(sorted(found), sorted(others))
        expect(not list(lake.glob("dt=*/hour=*/yukha-*")))
        equal(target.send(target.before)[0], 200)


@promise("a lake file that cannot be put in its place leaves no unfinished one, and comes when there is room")
def _(folder):
    with Target(folder, "--lake-seconds", "0.5") as target:
        hour = target.lake / "dt=2026-05-22" / "hour=03"
        wait_until(lambda: list(target.lake.glob("dt=*/hour=*/yukha-*.gz")), PATIENCE_S, "the first lake file:")
        in_the_way = hour / "yukha-20260522T035200Z-000000002.json.gz"
        in_the_way.mkdir(parents=True)
        for path in (hour.parent, hour):
            path.chmod(0o700)
        equal(target.call("POST", "/micro/clock", b"1779421920000", target.bearer())[0], 200)
        body = gzipped([sentence()])
        equal(target.call("POST", "/v1/events", body, wire.signed(
            body, new_uuid7(), authority=target.authority, keyid="key", secret=base64.b64decode(SECRET),
            created=1779421920).items())[0], 200)
        time.sleep(1.5)
        equal(target.call("POST", "/micro/clock", b"", target.bearer())[0], 200)
        # While it tries again there is one for a moment.
        seen = []
        for _ in range(21):
            seen.append(sorted(hour.iterdir()))
            time.sleep(0.05)
        equal(sorted(seen)[10], [in_the_way])
        in_the_way.rmdir()
        wait_until(in_the_way.is_file, PATIENCE_S, "the file that was in the way:")


@promise("planted links are not followed: at --ready-file, its unfinished name, the token, a lake file, a day, the database")
def _(folder):
    victim = folder / "victim"
    victim.mkdir()
    (victim / "file").write_text("mine")
    (folder / "ready").symlink_to(victim / "file")
    (folder / "ready.tmp").symlink_to(victim / "file")
    own = folder / "lake" / ".collector"
    own.mkdir(parents=True)
    (own / "token").symlink_to(victim / "file")
    (own / "token.tmp").symlink_to(victim / "file")
    now = 1779421920
    (folder / "lake" / "dt=2026-05-22" / "hour=03").mkdir(parents=True)
    for number in range(1, 4):
        (folder / "lake" / "dt=2026-05-22" / "hour=03" / f"yukha-20260522T035200Z-{number:09d}.json.gz.tmp").symlink_to(
            victim / "file")
    (folder / "lake" / "dt=2026-05-23").symlink_to(victim)
    command = [options.collector, "--port", "0", "--lake", str(folder / "lake"), "--key", f"key:{SECRET}",
               "--ready-file", str(folder / "ready")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while (folder / "ready").is_symlink() or not (folder / "ready").exists():
            expect(process.poll() is None, "the collector ended")
            time.sleep(0.02)
        port = int((folder / "ready").read_text())
        token = (own / "token").read_text().strip()
        for moment in (now, now + 86400):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            connection.request("POST", "/micro/clock", str(moment * 1000), {"Authorization": f"Bearer {token}"})
            connection.getresponse().read()
            body = gzipped([sentence()])
            connection.request("POST", "/v1/events", body, wire.signed(
                body, new_uuid7(), authority=f"127.0.0.1:{port}", keyid="key", secret=base64.b64decode(SECRET),
                created=moment))
            equal(connection.getresponse().status, 200)
    finally:
        process.terminate()
        said = process.communicate(timeout=PATIENCE_S)[1].decode()
    equal([path.name for path in victim.iterdir()], ["file"])
    equal((victim / "file").read_text(), "mine")
    expect("dt=2026-05-23" in said, "it told of the day that it cannot write:", said)
    expect(list((folder / "lake" / "dt=2026-05-22").glob("*/yukha-*.json.gz")))
    # A link in place of the database or its folder is refused.
    for link in (own / "collector.db", own):
        link.rename(folder / f"{link.name}-away")
        link.symlink_to(folder / f"{link.name}-away")
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
        equal(done.returncode, 1, link)
        link.unlink()
        (folder / f"{link.name}-away").rename(link)


@promise("--ready-file does not take the place of a file that is something else")
def _(folder):
    (folder / "notes").write_text("twelve pages")
    command = [options.collector, "--port", "0", "--lake", str(folder / "lake"), "--key", f"key:{SECRET}", "--ready-file"]
    for path in (folder / "notes", folder):
        done = subprocess.run([*command, str(path)], capture_output=True, timeout=PATIENCE_S, check=False)
        equal(done.returncode, 1)
        expect("--ready-file" in done.stderr.decode(), done.stderr)
    equal((folder / "notes").read_text(), "twelve pages")


@promise("lake, database and token are their owner's alone; another user's folder in their place is refused")
def _(folder):
    own = folder / "lake" / ".collector"
    own.mkdir(parents=True)
    own.parent.chmod(0o700)
    own.chmod(0o777)
    with Target(folder, "--lake-seconds", "0.05") as target:
        while not list(target.lake.glob("dt=*/hour=*/*.gz")):
            time.sleep(0.02)
        for path in [folder / "ready", *target.lake.glob("**/*")]:
            equal(oct(stat.S_IMODE(path.stat().st_mode)), "0o700" if path.is_dir() else "0o600", path)
    if os.geteuid() == 0:
        try:
            os.chown(own, 12345, -1)
        except OSError:
            return "no other user is known here"
        done = subprocess.run([options.collector, "--port", "0", "--lake", str(own.parent), "--key", f"key:{SECRET}"],
                              capture_output=True, timeout=PATIENCE_S, check=False)
        equal(done.returncode, 1)
        expect("another user owns" in done.stderr.decode(), done.stderr)
    return None


@promise("a lake, or a ready file's folder, that others can write into or own is refused, and so is a day in it that is a stranger's")
def _(folder):
    lake, place = folder / "lake", folder / "place"
    for path in (lake, place):
        path.mkdir(mode=0o700)
    (place / "ready").write_text("6666\n")

    def refused(path, says):
        ready = ["--ready-file", str(place / "ready")] if path == place else []
        done = subprocess.run([options.collector, "--port", "0", "--lake", str(lake), "--key", f"key:{SECRET}", *ready],
                              capture_output=True, timeout=PATIENCE_S, check=False)
        equal(done.returncode, 1)
        expect(f"{says} {path}:" in done.stderr.decode(), done.stderr)
        equal((list(lake.iterdir()), (place / "ready").read_text()), ([], "6666\n"))

    for path in (lake, place):
        for mode, says in ((0o777, "everybody can write into"), (0o1777, "everybody can write into"),
                           (0o770, "its group can write into"), (0o2775, "its group can write into")):
            path.chmod(mode)
            refused(path, says)
        path.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(path, 12345, -1)
            refused(path, "another user owns")
            os.chown(path, 0, -1)
    if os.geteuid() != 0:
        return "no other user is known here"
    (folder / "other").mkdir()
    with Target(folder / "other", "--lake-seconds", "1") as target:
        day = target.lake / time.strftime("dt=%Y-%m-%d", time.gmtime())
        day.mkdir()
        os.chown(day, 12345, -1)
        target.send([sentence()])
        time.sleep(3)
        equal([path for path in day.rglob("*") if path.is_file()], [])
        os.chown(day, 0, -1)
        until = time.monotonic() + PATIENCE_S
        while not list(day.rglob("*.json.gz")):
            expect(time.monotonic() < until, "nothing is written into a day that is its own again")
            time.sleep(0.1)
    return None


@promise("a method that brings a body and does not tell its length is not waited for")
def _(folder):
    with Target(folder) as target:
        for method, path in (("PUT", "/micro/policy"), ("PATCH", "/micro/policy"), ("PUT", "/v1/events"),
                             ("POST", "/v1/events"), ("POST", "/nothing")):
            began = time.monotonic()
            equal(target.call(method, path, None, target.bearer())[0], 411, method, path)
            expect(time.monotonic() - began < 15, "it was waited for")
        equal(target.call("POST", "/micro/policy", None, target.bearer())[0], 200)


def main():
    global options
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collector", required=True, type=os.path.abspath)
    parser.add_argument("--only", default="", help="promises that contain this text")
    parser.add_argument("--from-outside", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.from_outside:
        attack, folder = options.from_outside
        if not set_up_network():
            sys.exit(78)
        sys.exit(FROM_OUTSIDE[attack](pathlib.Path(folder)))
    # Most of them wait for the collector's patience to end.
    keep_promises(options.only, at_once=8)


if __name__ == "__main__":
    main()
