#!/usr/bin/env python3
"""Every host language does the same: the same answers, and the same lines in the lake.

    python3 tests/hosts/parity_test.py --data build/release/inputs --collector build/release/examples/yukha-collector \\
        --host cpp=build/release/tests/yukha_driver_cpp --host 'lua=luajit tests/hosts/lua/driver.lua …' …

The journeys of journeys.json are driven through each host's driver (PROTOCOL.md), each host with queue directories and a
collector of its own. An answer must be the one the journey names. A line of the lake must be the one every other host
has, but for ids, runs, install ids and the times nobody gave. Prints a table, host by journey, then
"N passed, N failed".
"""
import argparse
import datetime
import gzip
import json
import pathlib
import queue
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE_S = 180
KEY_ID, SECRET = "app-parity", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="
EIGHT = ["id", "time", "user", "device", "location", "content", "referral", "action"]
# A binding may tell a part's mistake at once or at track; what track answers is compared.
PARTS = {"location", "content", "referral", "action", "user", "device", "at", "critical"}
# What each command takes: a text, a number, members. `action` has -1 where no duration is given.
TAKES = {"identify": "TM", "location": "TM", "content": "TM", "referral": "T", "action": "TNM", "user": "M",
         "device": "M", "at": "N", "track_json": "T", "consent": "N", "flush": "N", "close": "N"}


class Broken(Exception):
    """The host's driver ended, or gave no answer."""


# --- journeys --------------------------------------------------------------------------------------------------------

def data_set(name, data):
    """The texts of a set."""
    if name == "blns":
        return json.loads((data / "nasty/blns/blns.json").read_text(encoding="utf-8"))
    lines = (data / "text/korean_reviews_2000.jsonl").read_text(encoding="utf-8").split("\n")[:300]
    return [json.loads(line)["review"] for line in lines if line]


def with_each(thing, text):
    if isinstance(thing, str):
        return text if thing == "$each" else thing
    if isinstance(thing, list):
        return [with_each(one, text) for one in thing]
    if isinstance(thing, dict):
        return {with_each(name, text): with_each(value, text) for name, value in thing.items()}
    return thing


def steps_of(journey, data):
    """The journey's steps, those for each text written out."""
    texts = data_set(journey["each"], data) if "each" in journey else []
    steps = []
    for step in journey["does"]:
        if isinstance(step, dict) and "each" in step:
            steps += [with_each(one, text) for text in texts for one in step["each"]]
        else:
            steps.append(step)
    return steps


def word(text):
    """A text as PROTOCOL.md writes it."""
    if text is None:
        return "null"
    if isinstance(text, dict) and "hex" in text:
        return text["hex"]
    if isinstance(text, dict) and "json" in text:
        text = json.dumps(text["json"], ensure_ascii=False)
    elif isinstance(text, dict):
        text = text["of"] * text["times"]
    return text.encode().hex() or "-"


def member_words(members):
    if isinstance(members, dict) and list(members) == ["members"] and isinstance(members["members"], int):
        members = {f"m{number}": "" for number in range(members["members"])}
    pairs = members.items() if isinstance(members, dict) else members
    return [word(half) for pair in pairs for half in pair]


def line_of(command, arguments):
    words = [command]
    arguments = list(arguments)
    if command == "action" and len(arguments) == 1:
        arguments.append(-1)
    for kind, argument in zip(TAKES.get(command, ""), arguments):
        words += {"T": lambda: [word(argument)], "N": lambda: [str(argument)], "M": lambda: member_words(argument)}[kind]()
    return "\t".join(words)


# --- a host ----------------------------------------------------------------------------------------------------------

class Driver:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.answers.put(line.decode("utf-8", "replace").rstrip("\r\n"))
        self.answers.put(None)

    def ask(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            answer = self.answers.get(timeout=PATIENCE_S)
        except (BrokenPipeError, queue.Empty) as fault:
            raise Broken(f"{type(fault).__name__} after {line[:80]!r}") from fault
        if answer is None:
            raise Broken(f"the driver ended with {self.process.wait(PATIENCE_S)} after {line[:80]!r}")
        return answer

    def end(self):
        """The exit code after the end of input."""
        try:
            self.process.stdin.close()
            return self.process.wait(PATIENCE_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            return self.process.wait(PATIENCE_S)


class Collector:
    def __init__(self, program, lake):
        self.lake = lake
        ready = lake / "ready"
        lake.mkdir()
        self.process = subprocess.Popen(
            [program, "--port", "0", "--lake", str(lake), "--key", f"{KEY_ID}:{SECRET}", "--ready-file", str(ready)],
            stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit("FAIL the collector did not start")
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{ready.read_text().strip()}"

    def fault(self, text):
        token = (self.lake / ".collector" / "token").read_text().strip()
        request = urllib.request.Request(self.url + "/micro/fault", text.encode(), {"Authorization": f"Bearer {token}"})
        urllib.request.urlopen(request, timeout=PATIENCE_S).read()

    def stopped_lines(self):
        """Every line of the lake, once the collector has written its last file."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        lines = []
        for path in sorted(self.lake.glob("dt=*/hour=*/*.gz")):
            lines += gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]
        return lines


class Host:
    """One language: its driver, its collector, its directories, and what came of every journey."""

    def __init__(self, name, command, folder, collector_program, holder_command):
        self.name, self.command, self.holder_command = name, command, holder_command
        self.folder = folder / name
        self.folder.mkdir()
        (self.folder / "file").write_text("")
        self.collector = Collector(collector_program, self.folder / "lake")
        self.driver = Driver(command)
        self.holder = None
        self.answers = {}  # journey -> [(step, answer, wanted or None)]
        self.broken = {}   # journey -> why
        self.lines = {}    # journey -> [normalised line]
        self.faults = []

    def walk(self, number, journey, steps):
        queue_dir = self.folder / f"queue-{number}"
        told = self.answers[journey["name"]] = []
        opened = 0
        try:
            for step in steps:
                if isinstance(step, dict) and "say" not in step:
                    self.do(step, queue_dir)
                    continue
                command, *arguments = step["say"] if isinstance(step, dict) else step
                wanted = step["answer"] if isinstance(step, dict) else "0 ok"
                if command in ("last_error", "version"):
                    wanted = "any"
                if command == "open":
                    opened += 1
                    line = self.open_line(queue_dir, f"{number}/{opened}", arguments[0] if arguments else {})
                else:
                    line = line_of(command, arguments)
                answer = " ".join(self.driver.ask(line).split())
                if command == "last_error":
                    answer = self.without_places(answer, queue_dir)
                if command in PARTS:
                    # Of a part's answer only matters that the command is known, and whether it was skipped.
                    answer = answer if answer in ("skip", "unknown") else "a part"
                    wanted = "a part"
                told.append((line[:200], answer, wanted))
        except Broken as fault:
            self.broken[journey["name"]] = str(fault)
            self.driver.end()
            self.driver = Driver(self.command)
        finally:
            self.do({"let_go": True}, queue_dir)

    def open_line(self, queue_dir, tag, settings):
        given = {"app_id": "parity", "queue_dir": str(queue_dir), "endpoint": self.collector.url, "key_id": KEY_ID,
                 "key_secret": SECRET, "no_device_facts": "1", "app_version": tag, "upload_interval_ms": "3600000",
                 "ring_full_wait_ms": "20000", **settings}
        if given["queue_dir"] and "$file" in given["queue_dir"]:
            given["queue_dir"] = given["queue_dir"].replace("$file", str(self.folder / "file"))
        if not given["endpoint"]:
            del given["endpoint"]
        return "\t".join(["open", *(part for name, value in given.items() for part in (name, word(value)))])

    def without_places(self, answer, queue_dir):
        """The words of an error, decoded, but for what is this host's own."""
        if answer in ("skip", "unknown", "-"):
            return answer
        try:
            text = bytes.fromhex(answer).decode()
        except UnicodeDecodeError as fault:
            return f"words that are not UTF-8, {fault}"
        for own, common in ((str(queue_dir), "QUEUE"), (str(self.folder), "FOLDER"), (self.collector.url, "ENDPOINT")):
            text = text.replace(own, common)
        return re.sub(r"after \d+ ms", "after some ms", text)

    def do(self, step, queue_dir):
        if "collector" in step:
            self.collector.fault(step["collector"])
        if "hold" in step:
            self.holder = Driver(self.holder_command)
            settings = {"app_id": "parity", "queue_dir": str(queue_dir), "lane": step["hold"]}
            answer = self.holder.ask("\t".join(
                ["open", *(part for name, value in settings.items() for part in (name, word(value)))]))
            if answer.split()[0] != "0":
                raise Broken(f"the holder of the lane was told {answer}")
        if "let_go" in step and self.holder is not None:
            self.holder.end()
            self.holder = None
        if "newer_format" in step:
            databases = [path for path in queue_dir.glob("lane-1.*") if path.read_bytes()[:15] == b"SQLite format 3"]
            if not databases:
                raise Broken("no database of the lane was found")
            for path in databases:
                database = sqlite3.connect(path)
                database.execute("PRAGMA user_version = 99")
                database.close()

    def finish(self, names):
        code = self.driver.end()
        if code != 0:
            self.faults.append(f"the driver ended with {code}")
        found = [self.normal(line) for line in self.collector.stopped_lines()]
        # Runs in the order they began, sentences in the order they were accepted.
        began = {}
        for _, run, _, identity, _ in found:
            began[run] = min(began.get(run, identity), identity)
        for number, run, seq, identity, line in sorted(found, key=lambda one: (one[0], began[one[1]], one[2])):
            if seq != 0:  # the ledger's sentences are the library's own, and come when they like
                self.lines.setdefault(names[number], []).append(line)

    def normal(self, line):
        """(journey's number, run, seq, id, what must be equal everywhere)"""
        sentence = json.loads(line, object_pairs_hook=no_doubles)
        if list(sentence)[:8] != EIGHT or sorted(list(sentence)[8:]) != ["clock_offset_ms", "received_at"]:
            self.faults.append(f"a line with the keys {list(sentence)}")
        device, user = sentence["device"], sentence["user"]
        number, run, seq, identity = int(device["app_version"].split("/")[0]), device["run"], int(device["seq"]), sentence["id"]
        if user["id"] == device["id"]:
            user["id"] = "INSTALL"
        if device.get("clock_offset_ms") != "0" or sentence["time"][:10] in near(sentence["received_at"]):
            # The tracker's own time. Whether the offset is known depends on when the first answer came, and a measured
            # one may be 0, too: a time the app gave (at) is one of another day.
            device.pop("clock_offset_ms", None)
            sentence["time"], sentence["clock_offset_ms"] = "NOW", "OFFSET"
        device["id"], device["run"], sentence["id"] = "INSTALL", "RUN", "ID"
        del sentence["received_at"]
        return number, run, seq, identity, json.dumps(sentence, ensure_ascii=False, sort_keys=True)


def near(received_at):
    """The days on which a line that came then was tracked."""
    came = datetime.datetime.fromisoformat(received_at.replace("Z", "+00:00"))
    return [(came + datetime.timedelta(days=days)).strftime("%Y-%m-%d") for days in (-1, 0, 1)]


def no_doubles(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError(f"a key twice: {[name for name, _ in pairs]}")
    return dict(pairs)


# --- comparing -------------------------------------------------------------------------------------------------------

def without_rows_of_pieces(line):
    return re.sub("(%EF%BF%BD)+", "%EF%BF%BD", re.sub("\ufffd+", "\ufffd", line))


def differences(name, host, reference, any_pieces=False):
    """What keeps this host's journey from being the reference's, and whether the host skipped a word of it."""
    if name in host.broken:
        return [host.broken[name]], False
    faults, skipped = [], False
    theirs = {index: answer for index, (_, answer, _) in enumerate(reference.answers[name])}
    for index, (line, answer, wanted) in enumerate(host.answers[name]):
        if answer == "skip":
            skipped = True
        elif answer.startswith("words that are not UTF-8"):
            faults.append(f"{line!r} answers {answer}")
        elif wanted == "any":
            if theirs.get(index) not in (answer, "skip"):
                faults.append(f"{line!r} answers {answer!r}, {reference.name} {theirs.get(index)!r}")
        elif answer not in (wanted if isinstance(wanted, list) else [wanted]):
            faults.append(f"{line!r} answers {answer!r} instead of {wanted!r}")
    if not skipped:
        mine, yours = host.lines.get(name, []), reference.lines.get(name, [])
        if len(mine) != len(yours):
            faults.append(f"{len(mine)} lines in the lake, {reference.name} has {len(yours)}")
        for line, other in zip(mine, yours):
            if line != other and not (any_pieces and without_rows_of_pieces(line) == without_rows_of_pieces(other)):
                faults.append(f"a line of the lake differs:\n    {line[:600]}\n    {other[:600]}")
    return faults, skipped


def reference_for(name, hosts):
    """The first host that did all of the journey."""
    for host in hosts:
        if name not in host.broken and not any(answer == "skip" for _, answer, _ in host.answers[name]):
            return host
    return hosts[0]


def planted_difference_is_found(name, host):
    """Without it nothing above would prove anything."""
    class Planted:
        pass
    planted = Planted()
    planted.name, planted.broken, planted.answers = "planted", {}, {name: list(host.answers[name])}
    planted.lines = {name: list(host.lines[name])}
    if differences(name, planted, host)[0]:
        return True  # it differs for itself already, and was reported
    planted.lines[name][0] = planted.lines[name][0].replace("FEED", "FEAD")
    by_line = differences(name, planted, host)[0]
    planted.lines[name] = host.lines[name]
    planted.answers[name][-1] = (*planted.answers[name][-1][:1], "-2 closed", planted.answers[name][-1][2])
    return bool(by_line and differences(name, planted, host)[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collector", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path, help="the folder of the texts")
    parser.add_argument("--host", action="append", required=True, metavar="NAME=COMMAND")
    parser.add_argument("--only", help="journeys whose name has this in it")
    parser.add_argument("--keep", action="store_true", help="leave the lakes and queues for a look")
    options = parser.parse_args()
    commands = dict((name, shlex.split(command)) for name, command in (one.split("=", 1) for one in options.host))

    journeys = [one for one in json.loads((HERE / "journeys.json").read_text(encoding="utf-8"))["journeys"]
                if not options.only or options.only in one["name"]]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="yukha-parity-"))
    hosts = []
    try:
        holder = next(iter(commands.values()))
        hosts = [Host(name, command, folder, options.collector, holder) for name, command in commands.items()]
        for number, journey in enumerate(journeys):
            steps = steps_of(journey, options.data)
            for host in hosts:
                host.walk(number, journey, steps)
        for host in hosts:
            host.finish([journey["name"] for journey in journeys])
    finally:
        for host in hosts:
            for process in (host.driver.process, host.collector.process):
                if process.poll() is None:
                    process.kill()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)

    passed = failed = 0
    told = []
    width = max(len(journey["name"]) for journey in journeys)
    print(f"{'journey':{width}}  answers  lines  " + "  ".join(f"{host.name:6}" for host in hosts))
    for journey in journeys:
        name = journey["name"]
        reference = reference_for(name, hosts)
        cells = []
        for host in hosts:
            faults, skipped = differences(name, host, reference, journey.get("pieces") == "any")
            cells.append("FAIL" if faults else "part" if skipped else "same")
            failed += bool(faults)
            passed += not faults
            told += [f"FAIL {name}, {host.name}: {fault}" for fault in faults[:8]]
        print(f"{name:{width}}  {len(reference.answers[name]):7}  {len(reference.lines.get(name, [])):5}  "
              + "  ".join(f"{cell:6}" for cell in cells))
    print("same: as every other host. part: without the words this language cannot say.")
    for host in hosts:
        failed += len(host.faults)
        told += [f"FAIL {host.name}: {fault}" for fault in host.faults[:8]]
    if not options.only and not planted_difference_is_found("the six verbs", hosts[0]):
        told.append("FAIL a planted difference was not noticed")
        failed += 1
    print("\n".join(told) if told else "no differences")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
