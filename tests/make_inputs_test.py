#!/usr/bin/env python3
"""make_inputs.py writes the bytes again that the build has from it, and they have the oddities that tests of them need.

usage: make_inputs_test.py INPUTS
"""
import collections
import csv
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unicodedata

SCRIPT = pathlib.Path(__file__).resolve().parent / "make_inputs.py"


def made(folder, *arguments):
    subprocess.run([sys.executable, SCRIPT, folder, *arguments], check=True)
    return files_of(folder)


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def table(data, delimiter):
    return list(csv.DictReader(gzip.decompress(data).decode().splitlines(keepends=True), delimiter=delimiter))


def is_json(data):
    try:
        json.loads(data.decode("utf-8", "surrogateescape"))
        return True
    except ValueError:
        return False


def findings(files):
    """(what must be so, whether it is) of each oddity."""
    rows = table(files["deskdrop_users_interactions.csv.gz"], ",")
    times = collections.Counter(tuple(row.values()) for row in rows)
    yield "deskdrop: 20,000 rows of 8 columns", [len(row) for row in rows] == [8] * 20_000
    yield "deskdrop: rows that stand there twice", sum(count - 1 for count in times.values()) >= 10
    yield "deskdrop: not sorted by time", rows != sorted(rows, key=lambda row: int(row["timestamp"]))
    yield "deskdrop: empty columns", 0 < sum(row["userAgent"] == "" for row in rows) < len(rows)
    yield "deskdrop: a user agent and no country", any(row["userAgent"] and not row["userCountry"] for row in rows)
    yield "deskdrop: commas and quotes in a column", any('"' in row["userAgent"] and "," in row["userAgent"] for row in rows)
    yield "deskdrop: ids that no double holds", any(int(float(row["personId"])) != int(row["personId"]) for row in rows)
    yield "deskdrop: a kind with a space", any(" " in row["eventType"] for row in rows)
    yield "deskdrop: a region that must be encoded", any(row["userRegion"] == "?" for row in rows)

    rows = table(files["waves_game_events.tsv.gz"], "\t")
    members = [json.loads(row["event_data"]) for row in rows]
    yield "waves: 4,000 rows of 15 columns", [len(row) for row in rows] == [15] * 4_000
    yield "waves: doubled quotes", b'\t"{""' in gzip.decompress(files["waves_game_events.tsv.gz"])
    yield "waves: doubles of 15 digits and more", all(
        isinstance(one["began_at"], float) for one in members if "slider" in one) and sum(
            len(re.sub(r"\D", "", repr(one["began_at"]))) >= 15 for one in members if "slider" in one) > 500
    yield "waves: nested members", any(isinstance(one.get("shape"), dict) and one["shape"]["ours"] for one in members)
    yield "waves: arrays and truths", any(isinstance(one.get("given"), list) and one["right"] is True for one in members)
    yield "waves: sliders, questions and neither", {("slider" in one, "question" in one) for one in members} == {
        (True, False), (False, True), (False, False)}
    yield "waves: times to the microsecond", any(re.search(r"\.\d{6}$", row["timestamp"]) for row in rows)
    yield "waves: times with and without a fraction", {"." in row["timestamp"] for row in rows} == {True, False}

    text = gzip.decompress(files["usagov_bitly_clicks.jsonl.gz"]).decode()
    rows = [json.loads(line) for line in text.split("\n") if line]
    clicks = [row for row in rows if "_heartbeat_" not in row]
    yield "usagov: 2,000 lines, the last one empty", len(rows) == 2_000 and text.endswith("}\n\n")
    yield "usagov: heartbeats", 50 <= len(rows) - len(clicks) <= 100
    yield "usagov: nested arrays", any(isinstance(row.get("ll"), list) for row in clicks)
    for name in ("cy", "tz", "al", "ll"):
        yield f"usagov: clicks with and without {name}", {name in row for row in clicks} == {True, False}
    yield "usagov: escaped and plain", "\\/" in text and "://" in text and "\\u00" in text and re.search("[^ -~\n]", text)
    yield "usagov: long URLs", max(len(row["u"]) for row in clicks) > 500

    rows = [json.loads(line) for line in files["text/korean_reviews_2000.jsonl"].decode().split("\n")[:-1]]
    early = "".join(row["review"] for row in rows[:300])
    yield "reviews: 2,000 of six members", [sorted(row) for row in rows] == [
        ["author", "date", "movie_id", "rating", "review", "review_id"]] * 2_000
    yield "reviews: Hangul and emoji in the first 300", re.search("[가-힣]", early) and re.search("[\U0001f300-\U0001ffff]", early)

    strings = json.loads(files["nasty/blns/blns.json"])
    yield "naughty strings: more than 500, each once", len(strings) == len(set(strings)) > 500
    yield "naughty strings: no NUL", not any("\0" in one for one in strings)
    yield "naughty strings: an empty one, long ones", "" in strings and max(map(len, strings)) >= 1000
    kinds = {unicodedata.category(character) for one in strings for character in one}
    yield "naughty strings: characters of many kinds, no surrogates", "Cs" not in kinds and kinds >= {
        "Cc", "Cf", "Cn", "Co", "Ll", "Lo", "Lt", "Lu", "Mn", "Nd", "Nl", "No", "So", "Zl", "Zp", "Zs"}
    for what, pattern in (("a path", r"\.\./"), ("a URL", r"://"), ("a tag", r"<\w+"), ("a format", r"%[snx]"),
                          ("something half encoded", r"%[0-9A-Fa-f]?$|%[G-Zg-z]"),
                          ("right to left", r"[\u0590-\u06ff]"), ("Korean", r"[가-힣]"), ("a number", r"^-?\d+(\.\d+)?$"),
                          ("JSON", r"^[\[{]"), ("white space alone", r"^\s+$")):
        yield f"naughty strings: {what}", any(re.search(pattern, one) for one in strings)
    yield "naughty strings: beyond 16 bits, never to be in use", any("\U0001ffff" in one for one in strings)

    documents = {pathlib.Path(name).name: data for name, data in files.items() if "test_parsing" in name}
    kinds = collections.Counter(name[:2] for name in documents)
    yield "JSON: 283 documents with a verdict", set(kinds) == {"y_", "n_", "i_"} and kinds["y_"] + kinds["n_"] >= 283
    yield "JSON: 100 of each verdict", min(kinds["y_"], kinds["n_"]) >= 100
    valid = b"".join(data for name, data in documents.items() if name[:2] == "y_")
    broken = collections.Counter(name.split("_")[1].rstrip("0123456789") for name in documents if name[:2] == "n_")
    yield "JSON: broken by 50 rules and by 200 changes", broken["rule"] >= 50 and broken["changed"] >= 200
    yield "JSON: nesting, escapes, white space and exponents in the valid ones", all(
        re.search(pattern, valid) for pattern in (rb"[\[{]\s*[\[{]", rb"\\u[0-9a-fA-F]{4}", rb"\s[\[{]", rb"\d[eE][+-]?\d"))
    yield "JSON: Python reads the valid ones", all(is_json(data) for name, data in documents.items() if name[:2] == "y_")
    lax = [name for name, data in documents.items() if name[:2] == "n_" and is_json(data)]
    yield "JSON: of the invalid ones Python reads only NaN and its like", all(
        re.search(b"NaN|Infinity", documents[name]) for name in lax)


def main():
    first = files_of(pathlib.Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        again = made(pathlib.Path(folder, "again"))
        other = made(pathlib.Path(folder, "other"), "--seed", "2")
    faults = [what for what, is_so in findings(first) if not is_so]
    if first != again:
        faults.append("the same bytes for the same seed")
    for name in first:
        if name.endswith((".gz", ".jsonl", "blns.json")) and first[name] == other[name]:
            faults.append(f"other bytes for another seed, in {name}")
    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print(f"{len(first)} files, the same twice, as odd as they must be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
