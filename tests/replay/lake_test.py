#!/usr/bin/env python3
"""What goes in as rows comes out of the lake as the same sentences, once each.

Every input goes through yukha-replay and yukha-collector, undisturbed, and tests/lake/check_lake.py judges the lake:
Deskdrop, WAVES, the bitly clicks, and every naughty string and Korean review in every place of a sentence.

  lake_test.py --collector PATH --replay PATH --data DIR [--only NAME] [--require-schema]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import kill_test
from kill_test import CHECKOUT, HERE, KEY, Broken, Collector, must

MAPS = os.path.join(CHECKOUT, "examples", "replay", "maps")
LAKE = os.path.join(HERE, "..", "lake")
CASES = {  # name: input, mapping
    "deskdrop": ("deskdrop", os.path.join(MAPS, "deskdrop.json")),
    "waves": ("waves", os.path.join(MAPS, "waves.json")),
    "usagov": ("usagov", os.path.join(MAPS, "usagov.json")),
    "text": ("text", os.path.join(LAKE, "text.json")),
    "text_screen": ("text", os.path.join(LAKE, "text_screen.json")),
}


def one_case(name, options, folder):
    kind, mapping = CASES[name]
    if kind == "text":
        path = os.path.join(folder, "text.jsonl")
        kill_test.check_lake.write_text(path, options.data)
    else:
        path = os.path.join(options.data, kill_test.check_lake.INPUTS[kind][1])
    collector = Collector(options.collector, folder, 1, [])
    try:
        ran = subprocess.run([options.replay, "--endpoint", f"http://127.0.0.1:{collector.port}", "--key", KEY, "--queue",
                              os.path.join(folder, "queue"), "--map", mapping, "--deadline", "120", "--json", path],
                             stdout=subprocess.PIPE, text=True, timeout=600, check=False)
        must(ran.returncode == 0, f"replay ended with {ran.returncode}: {ran.stdout.strip()}")
        arrivals = collector.ask("/micro/all")
    finally:
        collector.stop()
    counts = json.loads(ran.stdout)
    must(counts["read"] == counts["mapped"] + counts["skipped"] and counts["mapped"] == counts["delivered"],
         f"the counts do not add up: {counts}")
    for wrong in ("duplicate_id_under_other_key", "bytes_differ_under_same_key", "bad"):
        must(arrivals[wrong] == 0, f"{wrong} is {arrivals[wrong]}: {arrivals}")
    judged = subprocess.run([sys.executable, os.path.join(LAKE, "check_lake.py"), "--input", kind, path, "--lake",
                             collector.lake] + (["--require-schema"] if options.require_schema else []), timeout=600,
                            check=False)
    must(judged.returncode == 0, "check_lake disagrees")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collector", required=True)
    parser.add_argument("--replay", required=True)
    parser.add_argument("--data", required=True, help="the folder of the inputs, such as build/release/inputs")
    parser.add_argument("--only", choices=sorted(CASES))
    parser.add_argument("--require-schema", action="store_true")
    options = parser.parse_args()
    passed = failed = 0
    for name in [options.only] if options.only else CASES:
        folder = tempfile.mkdtemp(prefix=f"yukha-lake-{name}-")
        began = time.monotonic()
        try:
            one_case(name, options, folder)
            passed += 1
            print(f"{name}: passed in {time.monotonic() - began:.1f} s", flush=True)
        except (Broken, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"{name}: FAILED; {error}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
