"""What tests of real processes stand on: the collector, a driver, a tracker to be killed, a relay, a server of raw
sockets. All on loopback."""
import collections
import concurrent.futures
import contextlib
import gzip
import json
import os
import pathlib
import queue
import random
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request

PATIENCE_S = 180
SECRET = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="
KEY = re.compile(rb'Idempotency-Key: "([^"]+)"')
PROMISES = []


def seed(text):
    """For argparse: a number, or `new` for $YUKHA_SEED, or where that is not set for one that nobody chose."""
    if text == "new":
        return int(os.environ.get("YUKHA_SEED") or random.SystemRandom().randrange(1, 1 << 31))
    return int(text)


class Missing(Exception):
    """The name of a tool that is not on this machine."""


class Forbidden(Exception):
    """What this machine does not let anybody do, whatever is installed. Such a promise is skipped by name everywhere."""


def promise(text):
    def keep(function):
        PROMISES.append((text, function))
        return function
    return keep


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(word) for word in what) or "a condition does not hold")


def keep(text, function):
    """Keeps a promise in a folder of its own. Returns the exit code it asks for."""
    begin = time.monotonic()
    code, told = 0, "ok  "
    folder = pathlib.Path(tempfile.mkdtemp(prefix="yukha-test-"))
    try:
        figures = function(folder) or ""
    except Missing as tool:
        code, told, figures = 77, "SKIP", f"{tool} is missing"
    except Forbidden as what:
        code, told, figures = 78, "SKIP", f"{what} is not given here"
    except Exception as fault:
        code, told, figures = 1, "FAIL", f"{type(fault).__name__}: {fault}"
        if not isinstance(fault, AssertionError):
            traceback.print_exc()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{told} {text} ({time.monotonic() - begin:.1f} s){': ' if figures else ''}{figures}", flush=True)
    return code


def keep_promises(only="", at_once=1):
    """Exit code 1 when a promise failed, 77 when one was only skipped."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        codes = list(pool.map(lambda one: keep(*one), [one for one in PROMISES if only in one[0]]))
    strict = os.environ.get("YUKHA_STRICT") == "1"
    sys.exit(1 if 1 in codes or (77 in codes and strict) else 77 if any(codes) else 0)


def wait_until(done, seconds, what):
    until = time.monotonic() + seconds
    while not done():
        expect(time.monotonic() < until, what, "not within", seconds, "s")
        time.sleep(0.02)


def preloading(library):
    """The environment of a program that loads this library before all others."""
    # LD_PRELOAD ends a path at a space, LD_LIBRARY_PATH does not.
    folder, name = os.path.split(library)
    return {"LD_PRELOAD": name, "LD_LIBRARY_PATH": ":".join(filter(None, [folder, os.environ.get("LD_LIBRARY_PATH")]))}


# --- our programs ----------------------------------------------------------------------------------------------------

class Collector:
    """yukha-collector over a lake of its own."""

    def __init__(self, program, folder, *arguments, keys=("key",), port=0):
        self.lake = folder / "lake"
        ready = folder / "ready"
        ready.unlink(missing_ok=True)
        command = [program, "--port", str(port), "--lake", str(self.lake), "--ready-file", str(ready), *arguments]
        for key in keys:
            command += ["--key", f"{key}:{SECRET}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: ready.exists() or self.process.poll() is not None, PATIENCE_S, "the collector is ready:")
        expect(self.process.poll() is None, "the collector ended by itself")
        self.port = int(ready.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def ask(self, path, body=None):
        # Each start has a token of its own; only what changes something asks for it.
        token = (self.lake / ".collector" / "token").read_text().strip()
        request = urllib.request.Request(self.url + path, body, {"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read()

    def fault(self, text):
        self.ask("/micro/fault", text.encode())

    def counts(self):
        return json.loads(self.ask("/micro/all"))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def expect_sane(self):
        """No sentence under two keys, no key with two bodies, no line that is not a sentence."""
        counts = self.counts()
        for name in ("duplicate_id_under_other_key", "bytes_differ_under_same_key", "bad"):
            expect(counts[name] == 0, name, "is", counts[name], counts)
        return counts

    def lines(self):
        """The app's lines in the lake, after the collector's end."""
        self.stop()
        found = []
        for path in sorted(self.lake.glob("dt=*/hour=*/*.gz")):
            found += [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
        return [line for line in found if line["action"]["type"] != "yukha_ledger"]

    def expect_once(self, ids):
        """Exactly these content ids are in the lake, each once."""
        times = collections.Counter(line["content"]["id"] for line in self.lines())
        wanted = set(ids)
        lost = sorted(wanted - set(times))
        twice = sorted(one for one, count in times.items() if count > 1)
        strange = sorted(set(times) - wanted)
        expect(not lost and not twice and not strange, "of", len(wanted), "lost", len(lost), lost[:5], "twice",
               len(twice), twice[:5], "strange", strange[:5])


class LastingCollector(Collector):
    """One that is started again, on its port and lake, whenever a fault of its own killed it."""

    def __init__(self, program, folder, *arguments, **more):
        self.stopping = threading.Event()
        self.deaths = 0
        self.faults = ""
        self.again = (program, folder, *arguments), more
        super().__init__(program, folder, *arguments, **more)
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def watch(self):
        (program, folder, *arguments), more = self.again
        while not self.stopping.wait(0.02):
            if self.process.poll() == -signal.SIGKILL:
                self.deaths += 1
                # Another seed each time: with the same dice it would die at the same request again and again.
                faults = [half for fault in self.faults.splitlines() for half in ("--fault", fault)]
                arguments_now = ["--seed", str(self.deaths), *faults, *arguments]
                wait_until(lambda: self.starts_again(program, folder, arguments_now, more), PATIENCE_S,
                           "the collector's port:")

    # While nobody listened, a client that asked for the port may have been given it for its own end.
    def starts_again(self, program, folder, arguments, more):
        try:
            Collector.__init__(self, program, folder, *arguments, **{**more, "port": self.port})
        except AssertionError:
            return False
        return True

    def fault(self, text):
        self.faults = text
        wait_until(self.is_told, PATIENCE_S, "the collector heard of its faults:")

    def is_told(self):
        try:
            super().fault(self.faults)
        except OSError:
            return False  # it died just now
        return True

    def stop(self):
        self.stopping.set()
        self.watcher.join(PATIENCE_S)
        super().stop()


def word(text):
    return str(text).encode().hex() or "-"


class Driver:
    """A driver of tests/hosts/PROTOCOL.md in a process of its own."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, **(environment or {})})
        self.answers = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
            self.process.wait(PATIENCE_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()

    def read(self):
        for line in self.process.stdout:
            self.answers.put(line.decode().rstrip("\n"))
        self.answers.put("the driver ended")

    def ask(self, *words, seconds=PATIENCE_S):
        self.process.stdin.write("\t".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()
        return self.answers.get(timeout=seconds)

    def open(self, folder, endpoint, **settings):
        settings = {"app_id": "network", "queue_dir": folder / "queue", "endpoint": endpoint, "key_id": "key",
                    "key_secret": SECRET, "no_device_facts": "1", **settings}
        answer = self.ask("open", *[half for name, value in settings.items() for half in (name, word(value))])
        expect(answer == "0 ok", "open answered", answer)

    def track(self, content):
        self.ask("begin")
        self.ask("content", word(content))
        self.ask("action", word("READ"), -1)
        answer = self.ask("track")
        expect(answer == "0 ok", "track answered", answer)

    def stats(self):
        names = ["accepted", "delivered", "waiting", "quarantined", "evicted", "erased", "lost", "refused"]
        return dict(zip(names, map(int, self.ask("stats").split())))

    def flush(self, seconds):
        return self.ask("flush", int(seconds * 1000), seconds=seconds + PATIENCE_S)

    def close(self):
        answer = self.ask("close", 2000)
        expect(self.ask("free") == "0 ok")
        return answer

    def kilobytes(self, name="RssAnon"):
        return kilobytes(self.process.pid, name)


class Account:
    """What a tracker of tests/crash/tracker.cpp was told of its sentences, over all of its lives."""

    def __init__(self):
        self.kept = set()     # must arrive once
        self.perhaps = set()  # may arrive once: in memory at a kill, or killed between the answer and its note
        self.refused = 0

    def expect_in(self, lines, lost=0):
        """Each kept sentence is among these lines of a lake once and whole, but for `lost` ones; nothing else is."""
        times = collections.Counter()
        for line in lines:
            content = line["content"]
            times[content["id"]] += 1
            number = int(content["id"].rsplit("-", 1)[1])
            size = 9000 if number % 97 == 96 else number * 7919 % 600
            expect(content.get("text", "") == "x" * size, content["id"], "has another text than it was given")
        missing = sorted(self.kept - set(times))
        twice = sorted(one for one, count in times.items() if count > 1)
        strange = sorted(set(times) - self.kept - self.perhaps)
        expect(len(missing) <= lost and not twice and not strange, "of", len(self.kept), "kept", len(missing),
               "are missing", missing[:5], "twice", twice[:5], "strange", strange[:5])
        return len(times)


class Tracker:
    """tests/crash/tracker.cpp in a process of its own. Nothing but its answers may be printed."""

    def __init__(self, program, account, before=(), environment=None):
        self.account = account
        self.printed = tempfile.TemporaryFile()
        self.process = subprocess.Popen([*before, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.printed, env={**os.environ, **(environment or {})})
        self.answers = queue.Queue()
        self.notes = []
        self.id = None
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None and kind is None:
            self.end()
        elif self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def read(self):
        for line in self.process.stdout:
            if line[:1] == b"=":
                self.answers.put(line[1:].decode().rstrip("\n"))
            else:
                self.notes.append(line)
        self.answers.put("the tracker ended")

    def tell(self, *words):
        self.process.stdin.write("\t".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, seconds=PATIENCE_S):
        return self.answers.get(timeout=seconds)

    def ask(self, *words, seconds=PATIENCE_S):
        try:
            self.tell(*words)
        except BrokenPipeError:
            pass
        answer = self.answer(seconds)
        expect(answer != "the tracker ended", "the tracker ended with", self.process.poll(), "at", words[0],
               self.said())
        return answer

    def said(self):
        self.printed.seek(0)
        return self.printed.read().decode(errors="replace")

    def settings(self, folder, endpoint, **settings):
        settings = {"app_id": "crash", "queue_dir": folder / "queue", "key_id": "key", "key_secret": SECRET,
                    "no_device_facts": "1", **({"endpoint": endpoint} if endpoint else {}), **settings}
        return [half for name, value in settings.items() for half in (name, word(value))]

    def open(self, folder, endpoint, wanted="0 ok", **settings):
        """The message, when the answer is one of the wanted."""
        code, name, message = self.ask("open", *self.settings(folder, endpoint, **settings)).split()
        expect(f"{code} {name}" in wanted, "open answered", code, name, bytes.fromhex(message))
        return "" if message == "-" else bytes.fromhex(message).decode()

    def run(self, name, threads=4, per_second=0, count=1 << 40, notes="notes"):
        """Sentences of many lengths, each noted. `short`: without notes; `critical`: short ones, all critical."""
        self.id = name
        expect(self.ask("run", name, threads, per_second, count, notes) == "0 ok")

    def finish_run(self, how="wait", seconds=PATIENCE_S):
        """Ends the run: (kept, kept in memory, refused, the first refusal's name)."""
        kept, in_memory, refused, why = self.ask(how, seconds=seconds).split()
        self.settle(killed=False)
        return int(kept), int(in_memory), int(refused), why

    def settle(self, killed):
        """The notes go into the account."""
        last = {}
        for note in self.notes:
            name = note[1:-1].decode()
            thread, number = name.split("-")
            last[thread] = int(number)
            if note[:1] == b"+":
                self.account.kept.add(f"{self.id}-{name}")
            elif note[:1] == b"~":
                (self.account.perhaps if killed else self.account.kept).add(f"{self.id}-{name}")
            else:
                self.account.refused += 1
        self.notes.clear()
        if killed and self.id:
            for thread in range(16):
                self.account.perhaps.add(f"{self.id}-{thread}-{last.get(str(thread), -1) + 1}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(PATIENCE_S)
        self.settle(killed=True)
        expect(self.said() == "", "it printed", self.said()[:500])

    def flush(self, seconds=PATIENCE_S, wanted="0 ok"):
        code, name, message = self.ask("flush", int(seconds * 1000), seconds=seconds + PATIENCE_S).split()
        expect(f"{code} {name}" in wanted, "flush answered", code, name, message != "-" and bytes.fromhex(message),
               self.stats())

    def stats(self):
        names = ["accepted", "delivered", "waiting", "quarantined", "evicted", "erased", "lost", "refused", "requests",
                 "failures"]
        return dict(zip(names, map(int, self.ask("stats").split())))

    def close(self, wanted="0 ok"):
        answer = self.ask("close", 2000)
        expect(answer in wanted, "close answered", answer)

    def end(self):
        """The end of input: exit() with the tracker as it is. It must end in good order."""
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the tracker does not end") from None
        self.reader.join(PATIENCE_S)
        expect(self.process.returncode == 0, "the tracker ended with", self.process.returncode, self.said()[:2000])
        expect(self.said() == "", "it printed", self.said()[:500])

    def kilobytes(self, name="RssAnon"):
        return kilobytes(self.process.pid, name)


def expect_balanced(stats):
    settled = sum(stats[name] for name in ("delivered", "waiting", "quarantined", "evicted", "erased", "lost"))
    expect(stats["accepted"] == settled, "the ledger does not balance:", stats)


def kilobytes(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(f"/proc/…/status has no {name}")


# --- the ring's bytes, as src/hold/FORMAT.md has them -----------------------------------------------------------------

RING_HEADER = 4096


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def records(ring):
    """(offset in the file, ordinal, length) of each record from `consumed` on; the first one's checksum is checked."""
    if len(ring) < RING_HEADER or ring[:8] != b"ykaring1":
        return []
    ring_id, _, capacity = struct.unpack_from("<QQQ", ring, 16)
    position, = struct.unpack_from("<Q", ring, 64)
    found = []
    while True:
        at = RING_HEADER + position % capacity
        # A word is never split, but the second or third may lie at the data's beginning.
        stored, ordinal, last = (struct.unpack_from("<Q", ring, RING_HEADER + (position + word) % capacity)[0]
                                 for word in (0, 8, 16))
        if stored != position:
            return found
        size = last & 0xFFFFFF
        if not found:
            begin = (position + 24) % capacity
            data = ring[RING_HEADER:RING_HEADER + capacity]
            payload = data[begin:begin + size]
            payload += data[:size - len(payload)]
            crc = crc32c(struct.pack("<QQQI", ring_id, position, ordinal, last & 0xFFFFFFFF) + payload)
            if crc != last >> 32:
                return found
        found.append((at, ordinal, size))
        position += 24 + size + 7 & ~7


# --- the network in between ------------------------------------------------------------------------------------------

class Server:
    """Listens on a free port of loopback and has `serve(connection)` deal with each connection, in a thread."""

    def __init__(self, serve):
        self.serve = serve
        self.accepted = 0
        self.stopping = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.listener.settimeout(0.1)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(PATIENCE_S)
        self.listener.close()

    def listen(self):
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except socket.timeout:
                continue
            self.accepted += 1
            threading.Thread(target=self.deal_with, args=(connection,), daemon=True).start()

    def deal_with(self, connection):
        with connection:
            connection.settimeout(PATIENCE_S)
            try:
                self.serve(connection)
            except OSError:
                pass  # the client went away, as it may


def read_request(connection):
    """One request's head and body, or None when the connection ended."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return head, body


class Relay(Server):
    """Passes bytes on to a port, each way after `delay_s`. It counts connections, and notes the key of each
    request; a client that writes a head in one piece is asked for, as libcurl does."""

    def __init__(self, delay_s=0.0):
        self.to_port = None
        self.delay_s = delay_s
        self.keys = []
        super().__init__(self.pass_on)

    @property
    def requests(self):
        return len(self.keys)

    def pass_on(self, client):
        with socket.create_connection(("127.0.0.1", self.to_port)) as server, selectors.DefaultSelector() as ready:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            under_way = collections.deque()  # (when due, where to, bytes)
            while not self.stopping.is_set():
                wait = 0.1 if not under_way else max(0.0, min(0.1, under_way[0][0] - time.monotonic()))
                for key, _ in ready.select(wait):
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if key.fileobj is client:
                        self.keys += [found.decode() for found in KEY.findall(data)]
                    under_way.append((time.monotonic() + self.delay_s, key.data, data))
                while under_way and under_way[0][0] <= time.monotonic():
                    _, to, data = under_way.popleft()
                    to.sendall(data)


@contextlib.contextmanager
def relayed_collector(program, folder, delay_s=0.0, **arguments):
    """A collector and the relay in front of it, which is where clients think the endpoint is."""
    with Relay(delay_s) as relay, Collector(program, folder, "--public-url", relay.url, **arguments) as collector:
        relay.to_port = collector.port
        yield collector, relay
