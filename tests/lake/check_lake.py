#!/usr/bin/env python3
"""Does the lake hold exactly the sentences that an input's rows mean?

This program shares nothing with yukha-replay: it knows no mapping file, reads the rows with Python's own csv and json,
and says by itself what each of the six parts must be. It compares as multisets, because two equal rows are two events.

  check_lake.py --input deskdrop|waves|usagov|text FILE --lake DIR

Exit code 0: all is as it must be; 1: it is not; 2: usage.
"""

import argparse
import collections
import csv
import datetime
import gzip
import io
import json
import os
import re
import sys
import urllib.parse

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SENTENCE_KEYS = ["id", "time", "user", "device", "location", "content", "referral", "action"]
LAKE_KEYS = {"received_at", "clock_offset_ms"}
# What the library writes into `device` by itself; the rows know nothing of it.
OWN_DEVICE_KEYS = {"id", "run", "seq", "sdk", "contract", "clock_offset_ms"}
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")
ANONYMOUS = object()
SHOWN = 5


def open_text(path):
    raw = gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")
    return io.TextIOWrapper(raw, encoding="utf-8", newline="")


def as_written(text):
    """JSON with every number as the text it was written as."""
    return json.loads(text, parse_int=str, parse_float=str)


def said(members):
    """The members that say something; what is empty is left out of a sentence."""
    return {name: value for name, value in members.items() if value not in ("", None)}


def utc(seconds, milliseconds=0):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + ".%03dZ" % milliseconds


def query(**parameters):
    pairs = [f"{name}={urllib.parse.quote(value, safe='-._~')}" for name, value in parameters.items() if value]
    return "?" + "&".join(pairs) if pairs else ""


def sentence(time, user, device, location, content, referral, action):
    return {"time": time, "user": user, "device": device, "location": location, "content": content,
            "referral": referral, "action": action}


def deskdrop_rows(path):
    with open_text(path) as file:
        for row in csv.DictReader(file):
            yield sentence(
                utc(int(row["timestamp"])),
                {"id": row["personId"], "session": row["sessionId"]},
                said({"user_agent": row["userAgent"]}),
                "app://deskdrop/" + query(region=row["userRegion"], country=row["userCountry"]),
                {"id": row["contentId"]},
                "",
                {"type": row["eventType"]})


def flat(members, prefix=""):
    """The members of nested objects among the others, under their names joined; everything as text."""
    texts = {}
    for name, value in members.items():
        if isinstance(value, dict):
            texts.update(flat(value, f"{prefix}{name}_"))
        elif isinstance(value, (bool, list)):
            texts[prefix + name] = json.dumps(value, separators=(",", ":"))
        else:
            texts[prefix + name] = value
    return texts


def waves_rows(path):
    with open_text(path) as file:
        for row in csv.DictReader(file, delimiter="\t"):
            data = as_written(row["event_data"])
            clock, _, fraction = row["timestamp"].partition(".")
            seconds = datetime.datetime.strptime(clock, "%Y-%m-%d %H:%M:%S") - datetime.datetime(1970, 1, 1)
            content = {}
            if "slider" in data:
                content = {"id": f"slider/{data['slider']}/{data['wave']}", "slider": data["slider"],
                           "wave": data["wave"]}
            elif "question" in data:
                content = {"id": f"question/{data['question']}", "question": data["question"]}
            action = said(flat(data))
            action.update(type=row["event_name"], row=row["row"], index=row["index"])
            yield sentence(
                utc(int(seconds.total_seconds()), int((fraction + "000")[:3])),
                {"id": row["session_id"]},
                said({"user_agent": data["http_user_agent"], "app_version": row["app_version"]}),
                "app://waves/level/" + data["level"],
                content,
                "",
                action)


def usagov_rows(path):
    with open_text(path) as file:
        for line in file:
            if not line.strip():
                continue
            row = as_written(line)
            if "_heartbeat_" in row:
                continue
            text = collections.defaultdict(str, {name: value for name, value in row.items() if isinstance(value, str)})
            yield sentence(
                utc(int(text["t"])),
                {"id": ANONYMOUS, "new": text["nk"]},
                said({"user_agent": text["a"], "locale": text["al"]}),
                "app://usagov/" + query(country=text["c"], city=text["cy"], tz=text["tz"]),
                {"id": text["u"]},
                text["r"],
                {"type": "CLICK"})


def text_rows(path):
    """One text in every place of a sentence that takes one."""
    with open_text(path) as file:
        for line in file:
            row = json.loads(line)
            text = row["text"]
            yield sentence(
                utc(int(row["n"])),
                said({"id": "u" + row["n"], "text": text}),
                said({"text": text}),
                {"n": row["n"], "q": text},
                said({"id": text, "text": text}),
                text,
                said({"type": "TEXT", "source": row["source"], "text": text}))


INPUTS = {
    "deskdrop": (deskdrop_rows, "deskdrop_users_interactions.csv.gz"),
    "waves": (waves_rows, "waves_game_events.tsv.gz"),
    "usagov": (usagov_rows, "usagov_bitly_clicks.jsonl.gz"),
    "text": (text_rows, None),
}


def write_text(out, data):
    """The file for `text`: every naughty string and every Korean review."""
    with open(os.path.join(data, "nasty", "blns", "blns.json"), encoding="utf-8") as file:
        texts = [("blns", text) for text in json.load(file)]
    with open(os.path.join(data, "text", "korean_reviews_2000.jsonl"), encoding="utf-8") as file:
        texts += [("korean", json.loads(line)["review"]) for line in file]
    with open(out, "w", encoding="utf-8", newline="\n") as file:
        for number, (source, text) in enumerate(texts, 1):
            row = {"n": str(number), "source": source, "text": text}
            # Every other line as escapes, so that both ways of writing a character are read.
            file.write(json.dumps(row, ensure_ascii=number % 2 == 0) + "\n")
    print(f"{len(texts)} texts written to {out}")


class Findings:
    """What is wrong, each kind counted, the first few of it told."""

    def __init__(self):
        self.counts = collections.Counter()

    def add(self, kind, detail=""):
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            print(f"  {kind}: {detail}"[:2000])


def unrepeated(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result


def lake_lines(lake, findings):
    """Every line of every file; a file that is not whole is a finding."""
    for folder, folders, names in os.walk(lake):
        folders.sort()
        place = os.path.relpath(folder, lake)
        if place.split(os.sep)[0].startswith("dt=") is False:
            continue
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.startswith((".", "_")):
                continue  # query engines pass these over, too
            if not re.fullmatch(r"dt=\d{4}-\d\d-\d\d/hour=\d\d", place.replace(os.sep, "/")) or \
                    not name.endswith(".json.gz"):
                findings.add("file that does not belong into the lake", path)
                continue
            try:
                with gzip.open(path, "rb") as file:
                    content = file.read()
            except (OSError, EOFError) as error:
                findings.add("half file", f"{path}: {error}")
                continue
            if content and not content.endswith(b"\n"):
                findings.add("half file", f"{path}: its last line does not end")
            for number, line in enumerate(content.split(b"\n")[:-1], 1):
                yield f"{path}:{number}", line


def validator_of(path, required):
    if path == "none":
        return None, "not checked"
    try:
        import jsonschema
    except ImportError:
        if required:
            sys.exit("check_lake: the Python module jsonschema is missing, and --require-schema was given")
        return None, "NOT CHECKED: the Python module jsonschema is missing"
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft7Validator)
    kind.check_schema(schema)
    return kind(schema), "every line"


def check_line(line, where, validator, findings):
    try:
        event = json.loads(line.decode("utf-8"), object_pairs_hook=unrepeated)
    except ValueError as error:
        findings.add("line that is no JSON", f"{where}: {error}")
        return None
    if not isinstance(event, dict) or list(event)[:8] != SENTENCE_KEYS or set(event) - set(SENTENCE_KEYS) != LAKE_KEYS:
        findings.add("line with other keys", f"{where}: {line[:200]!r}")
        return None
    leaves = [value for part in event.values() for value in (part.values() if isinstance(part, dict) else [part])]
    if not all(isinstance(leaf, str) for leaf in leaves):
        findings.add("leaf that is no string", where)
        return None
    if validator is not None:
        for error in validator.iter_errors(event):
            findings.add("line against the schema", f"{where}: {error.message}")
            break
    if not UUID7.fullmatch(event["id"]):
        findings.add("id that is no UUIDv7", f"{where}: {event['id']}")
    if event["location"] and not URI.fullmatch(event["location"]):
        findings.add("location that is no URI", f"{where}: {event['location']}")
    return event


def comparable(expected):
    return json.dumps(expected, sort_keys=True, ensure_ascii=False)


def decoded_location(location):
    """The parameters of a text row's location, decoded; None when it is not one."""
    match = re.fullmatch(r"app://text/(?:TEXT)?\?n=([0-9]+)(?:&q=([^&#]*))?", location)
    if not match:
        return None
    try:
        return {"n": match[1], "q": urllib.parse.unquote_to_bytes(match[2] or "").decode("utf-8")}
    except UnicodeDecodeError:
        return None


def parts_of(event, kind, anonymous, findings, where):
    """What the line says, in the shape of what was expected of it."""
    user = dict(event["user"])
    if kind == "usagov":
        anonymous.add(user.get("id"))
        user["id"] = "(anonymous)"
    device = {name: value for name, value in event["device"].items() if name not in OWN_DEVICE_KEYS}
    # The rows say when they happened, so their clock needs no correction.
    if event["device"].get("clock_offset_ms") != "0" or event["clock_offset_ms"] != "0":
        findings.add("clock offset of a row that brought its own time", where)
    location = decoded_location(event["location"]) if kind == "text" else event["location"]
    return sentence(event["time"], user, device, location, event["content"], event["referral"], event["action"])


def check(kind, path, lake, validator, schema_note):
    findings = Findings()
    expected = collections.Counter()
    rows = 0
    for row in INPUTS[kind][0](path):
        if row["user"].get("id") is ANONYMOUS:
            row["user"]["id"] = "(anonymous)"
        expected[comparable(row)] += 1
        rows += 1

    ids = set()
    runs = collections.defaultdict(list)
    anonymous = set()
    found = collections.Counter()
    lines = ledgers = 0
    if not os.path.isdir(lake):
        findings.add("no lake", lake)
    for where, line in lake_lines(lake, findings):
        event = check_line(line, where, validator, findings)
        if event is None:
            continue
        if event["id"] in ids:
            findings.add("id that stands twice", f"{where}: {event['id']}")
        ids.add(event["id"])
        if event["action"].get("type") == "yukha_ledger":
            ledgers += 1
            if event["device"].get("seq") != "0000000000":
                findings.add("ledger sentence with a number", where)
            continue
        lines += 1
        runs[event["device"].get("id"), event["device"].get("run")].append(int(event["device"].get("seq", "0")))
        found[comparable(parts_of(event, kind, anonymous, findings, where))] += 1

    for (_, run), numbers in runs.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
            findings.add("gap in a run", f"run {run}: {len(missing)} of {max(numbers)} numbers are missing, {missing[:5]}")
    if len(anonymous) > 1 or None in anonymous or "" in anonymous:
        findings.add("anonymous users that differ", str(sorted(map(str, anonymous))[:3]))
    for text, count in (expected - found).items():
        for _ in range(count):
            findings.add("row without its line", text)
    for text, count in (found - expected).items():
        for _ in range(count):
            findings.add("line without its row", text)

    print(f"{'rows':<22}{rows:>9}")
    print(f"{'lines':<22}{lines:>9}")
    print(f"{'ledger sentences':<22}{ledgers:>9}")
    print(f"{'distinct ids':<22}{len(ids):>9}")
    print(f"{'runs':<22}{len(runs):>9}")
    print(f"{'equal rows, together':<22}{sum(count - 1 for count in expected.values()):>9}")
    print(f"{'schema':<22}{schema_note:>9}")
    if lines != rows:
        findings.add("other number of lines than rows", f"{lines} and {rows}")
    for kind_of, count in findings.counts.items():
        print(f"WRONG {count:>6}  {kind_of}")
    if not findings.counts:
        print("the lake holds exactly the rows")
    return not findings.counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs=2, required=True, metavar=("KIND", "FILE"))
    parser.add_argument("--lake", required=True, metavar="DIR")
    parser.add_argument("--schema", metavar="FILE", help="lake_line.schema.json, or none",
                        default=os.path.join(CHECKOUT, "tests", "vectors", "lake_line.schema.json"))
    parser.add_argument("--require-schema", action="store_true", help="fail when the lines cannot be validated")
    options = parser.parse_args()
    kind, path = options.input
    if kind not in INPUTS:
        parser.error(f"{kind} is none of {', '.join(INPUTS)}")
    validator, note = validator_of(options.schema, options.require_schema)
    if options.require_schema and validator is None:
        parser.error("--require-schema and --schema none contradict each other")
    return 0 if check(kind, path, options.lake, validator, note) else 1


if __name__ == "__main__":
    sys.exit(main())
