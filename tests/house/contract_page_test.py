#!/usr/bin/env python3
"""src/send/CONTRACT.md is true where a script can tell, and every sentence that cites it names a section it has.

The worked example is computed again from its secret and its line alone, and is a request of the vectors, byte for byte.
The table of answers has the verdicts of answers.json; the limits are those of the endpoint to copy.
"""
import base64
import hashlib
import hmac
import json
import pathlib
import re
import subprocess
import sys
import uuid
import zlib

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "src/send/CONTRACT.md"
VECTORS = CHECKOUT / "tests/vectors"
EXAMPLE = re.compile(r"<!-- example: ([^>]+) -->\n```\w+\n(.*?)\n```", re.DOTALL)
# A citation is the page's name or "wire contract", then a section in quotes: CONTRACT.md, "The key".
CITED = re.compile(r'(?:CONTRACT\.md|[Ww]ire contract)[,:]? "([^"\n]+)"')
# A number, a table or "the draft" says nothing to who has the page.
VAGUE = re.compile(r"\brules? [1-5]( and [1-5])?\b.{0,20}contract|contract'?s? ?,? rules? [1-5]|contract's table")
READ = {".cpp", ".hpp", ".h", ".py", ".md", ".txt", ".json", ".mm", ".java", ".lua", ".sh"}


def sections(page):
    return re.findall(r"^#{2,3} (.+)$", page, re.MULTILINE)


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def faults_of_example(page):
    shown = dict(EXAMPLE.findall(page))
    lines = (shown["line"] + "\n").encode()
    digest = hashlib.sha256(lines)
    number = int.from_bytes(digest.digest()[:16], "big")
    key = uuid.UUID(int=number & ~(0xf << 76) & ~(3 << 62) | 8 << 76 | 2 << 62)
    body = base64.b64decode(shown["body"])
    base = shown["base"]
    mac = base64.b64encode(hmac.new(base64.b64decode(shown["secret"]), base.encode(), hashlib.sha256).digest()).decode()
    fields = dict(row.split(": ", 1) for row in shown["fields"].split("\n"))
    content_digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    vector = next(one for one in json.loads((VECTORS / "requests.json").read_text(encoding="utf-8"))["requests"]
                  if one["name"] == "what the contract's page shows")
    covered = re.findall(r'^"([@a-z-]+)": (.*)$', base, re.MULTILINE)
    known = {name.lower(): value for name, value in fields.items()}
    known.update({"@method": "POST", "@authority": "collect.example.com", "@path": "/v1/events",
                  "@signature-params": fields["Signature-Input"].partition("=")[2]})
    for truth, what in (
            (shown["lines sha-256"] == digest.hexdigest(), "the SHA-256 of the lines"),
            (zlib.decompress(body, 31) == lines, "the body's lines"),
            (f"{len(lines)} bytes. The SHA-256" in page and f"{len(body)} bytes in base64" in page, "the sizes"),
            (fields["Idempotency-Key"] == f'"{key}"', "the key"),
            (fields["Content-Digest"] == f"sha-256=:{content_digest}:", "the digest"),
            (all(known[name] == value for name, value in covered), "a line of the signature base"),
            (fields["Signature"] == f"yukha=:{mac}:" and page.count(mac) >= 2, "the signature"),
            ([list(row) for row in fields.items()] == vector["headers"], "the vector's fields"),
            (base64.b64encode(body).decode() == vector["body_base64"], "the vector's body"),
            (base == vector["signature_base"], "the vector's base"),
            (json.loads(shown["answer"]) == vector["expect"]["body"], "the vector's answer")):
        if not truth:
            yield f"the example: {what} is another one"


def faults_of_page(page):
    yield from faults_of_example(page)
    table = page[page.index("\n## Answers\n"):page.index("\n## Pace\n")]
    told = set(re.findall(r"\| `([a-z_]+)` \|", table))
    given = {row["verdict"] for row in json.loads((VECTORS / "answers.json").read_text(encoding="utf-8"))}
    for verdict in sorted(told ^ given):
        yield f"the verdict {verdict} stands in {'the page' if verdict in told else 'answers.json'} alone"
    for number in ("500", "1,000,000", "1,048,576", "4,194,304", "32,768", "300 s", "35 days", "60 s"):
        if number not in page:
            yield f"the limit {number} is not said"
    anchors = {anchor(heading) for heading in sections(page)}
    for linked in re.findall(r"\]\(#([^)]+)\)", page):
        if linked not in anchors:
            yield f"a link to #{linked}, where no section is"
    pattern = re.search(r'```text\n("\[0-9a-f\].*")\n```', page)[1]
    for one in json.loads((VECTORS / "requests.json").read_text(encoding="utf-8"))["requests"]:
        raw = dict(one["headers"]).get("Idempotency-Key", "")
        if one["expect"]["status"] == 200 and not re.fullmatch(pattern, raw):
            yield f"the form of a key does not take {raw}"
        if one["name"].startswith("a key that is none") and re.fullmatch(pattern, raw):
            yield f"the form of a key takes {raw}"


def faults_of_citations(name, text, headings):
    for cited in CITED.findall(text):
        if cited not in headings:
            yield f"{name} cites \"{cited}\", which is no section of the contract"
    for vague in VAGUE.finditer(text):
        yield f"{name} says \"{vague[0]}\" and no section"


def main():
    page = PAGE.read_text(encoding="utf-8")
    headings = set(sections(page))
    faults = list(faults_of_page(page))
    tracked = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout.split("\n")
    files = [CHECKOUT / name for name in tracked if name] or list(CHECKOUT.glob("*/**/*"))
    cited = 0
    for path in files:
        if path.suffix not in READ or not path.is_file() or path == pathlib.Path(__file__).resolve():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        cited += len(CITED.findall(text))
        faults += faults_of_citations(path.relative_to(CHECKOUT), text, headings)
    if not faults:
        for planted in (page.replace("d3cc45b1-93fc", "d3cc45b1-93fd"), page.replace(";created=1779421925;", ";created=1779421926;"),
                        page.replace("| `conflict` |", "| `clash` |"), page.replace("](#parts)", "](#pieces)")):
            if not list(faults_of_page(planted)):
                faults.append("a planted fault of the page was not noticed")
        if len(list(faults_of_citations("x", 'wire contract, "No such section"; rule 3 of the contract', headings))) != 2:
            faults.append("a planted citation was not noticed")
    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print(f"the example is right byte for byte, {cited} citations have their sections")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
