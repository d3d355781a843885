#!/usr/bin/env python3
"""The worked examples of examples/replay/README.md give the sentences that stand there.

  maps_test.py --replay PATH [--write]

--write puts what the program says into the README, to be read before it is committed.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

README = pathlib.Path(__file__).resolve().parents[2] / "examples" / "replay" / "README.md"
EXAMPLE = re.compile(r"^### (\d+\. [^\n]+)\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OWN_DEVICE = ("id", "run", "seq", "sdk", "contract", "clock_offset_ms")


def shown(line):
    """A sentence without what the library writes into it and what is empty."""
    sentence = json.loads(line)
    own = sentence["device"]["id"]
    del sentence["id"]
    for name in OWN_DEVICE:
        sentence["device"].pop(name, None)
    if sentence["user"].get("id") == own:
        del sentence["user"]["id"]
    return {name: value for name, value in sentence.items() if value}


def as_text(sentences):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in sentences)


def run(replay, title, body):
    blocks = dict(BLOCK.findall(body))
    name = next(one for one in blocks if "." in one)
    mapping = json.loads(blocks["map"])
    with tempfile.TemporaryDirectory(prefix="yukha-maps-") as folder:
        encoding = {"euc-kr": "cp949"}.get(mapping.get("encoding", "utf-8"), mapping.get("encoding", "utf-8"))
        (pathlib.Path(folder) / name).write_bytes(blocks[name].encode(encoding))
        (pathlib.Path(folder) / "map.json").write_text(blocks["map"], encoding="utf-8")
        program = str(pathlib.Path(replay).resolve())
        ran = subprocess.run([program, "--dry-run", "100", "--json", "--map", "map.json", name], cwd=folder,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=1800, check=False)
    *sentences, counts = ran.stdout.decode().splitlines()
    counts = json.loads(counts)
    told = "".join(line + "\n" for line in ran.stderr.decode().splitlines() if "a dry run" not in line)
    faults = []
    if counts["read"] != counts["mapped"] + counts["unmapped"] + counts["skipped"]:
        faults.append(f"the three numbers do not add up: {counts}")
    if counts["mapped"] != len(sentences):
        faults.append(f"{len(sentences)} sentences of {counts['mapped']}")
    if ran.returncode != (2 if counts["unmapped"] else 0):
        faults.append(f"exit code {ran.returncode}")
    wanted = [json.loads(line) for line in blocks["sentences"].splitlines()]
    found = [shown(line) for line in sentences]
    if wanted != found:
        faults.append("it gives\n" + as_text(found))
    if blocks.get("told", "") != told:
        faults.append("it tells\n" + told)
    for fault in faults:
        print(f"{title}: {fault}")
    return faults, as_text(found), told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replay", required=True)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    failed = 0
    examples = EXAMPLE.findall(text)
    for title, body in examples:
        faults, sentences, told = run(options.replay, title, body)
        failed += bool(faults)
        if options.write:
            changed = body
            for head, content in (("```json sentences\n", sentences), ("```text told\n", told)):
                changed = re.sub(f"^{head}.*?^```$", lambda _: f"{head}{content}```", changed, flags=re.M | re.S)
            text = text.replace(body, changed)
        else:
            print(f"{title}: {'FAILED' if faults else 'ok'}")
    if options.write:
        README.write_text(text, encoding="utf-8")
    if len(examples) != 10:
        print(f"there are {len(examples)} examples, not ten")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
