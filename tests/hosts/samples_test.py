#!/usr/bin/env python3
"""The samples for engines and for Lua run as their pages say, and what they track arrives in the collector's lake.

    python3 tests/hosts/samples_test.py --collector PROGRAM --library LIBYUKHA.SO --frame-loop PROGRAM

The page of the Lua binding shows what its sample is, byte for byte. Without luajit or love their part is skipped by name;
YUKHA_STRICT=1 fails it.
"""
import argparse
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
KEY = "app-2026-11:c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="
PATIENCE_S = 180


class Collector:
    def __init__(self, program, folder):
        self.lake, ready = folder / "lake", folder / "ready"
        self.process = subprocess.Popen([program, "--port", "0", "--lake", str(self.lake), "--key", KEY, "--ready-file",
                                         str(ready)], stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit("FAIL the collector did not start")
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{ready.read_text().strip()}"

    def sentences(self):
        """What arrived, in the order it was accepted, without the ledger's; ends the collector."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        lines = []
        for path in self.lake.glob("dt=*/hour=*/*.gz"):
            lines += gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]
        found = [json.loads(line) for line in lines]
        return sorted((one for one in found if one["device"]["seq"] != "0000000000"), key=lambda one: one["device"]["seq"])


def run(command, folder, **environment):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=PATIENCE_S, check=False, env={**os.environ, **environment})
    return done.returncode, done.stdout


def lua_sample(options, folder, collector):
    code, said = run(["luajit", str(CHECKOUT / "bindings/lua/sample.lua"), options.library, collector.url], folder)
    wanted = "".join(f"{call}\t0\tok\n" for call in ("identify", "track", "flush", "close"))
    if code != 0 or said != wanted:
        return [f"it ended with {code} and said:\n{said}"]
    found = collector.sentences()
    sentence = {part: found[0][part] for part in ("user", "location", "content", "referral", "action")} if found else None
    if len(found) != 1 or sentence != {
            "user": {"id": "u_1842", "plan": "free"}, "location": "app://shop/FEED?y=3",
            "content": {"id": "card_913", "price": "12900", "type": "card"}, "referral": "CLICK",
            "action": {"type": "READ", "duration_ms": "10000"}}:
        return [f"the lake has {found}"]
    page = (CHECKOUT / "bindings/lua/README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- sample: bindings/lua/sample\.lua -->\n```lua\n(.*?)```", page, re.DOTALL)
    built = re.search(r"^-- \[readme\n(.*?)^-- readme\]$", (CHECKOUT / "bindings/lua/sample.lua").read_text(),
                      re.DOTALL | re.MULTILINE)
    return [] if shown and built and shown[1] == built[1] else ["the page shows something else than the sample"]


def love_scene(options, folder, collector):
    # No display is there for it to find, so a window would be an error.
    code, said = run(["love", str(CHECKOUT / "examples/engines/love"), "--headless", "--quick", "--library",
                      options.library, "--queue", str(folder / "queue"), "--endpoint", collector.url], folder,
                     DISPLAY="", WAYLAND_DISPLAY="", HOME=str(folder))
    if code != 0 or "accepted 9, delivered 9, waiting 0" not in said:
        return [f"it ended with {code} and said:\n{said}"]
    found = collector.sentences()
    told = [(one["action"]["type"], one["content"].get("id", "")) for one in found]
    wanted = []
    for card in ("card_901", "card_902", "card_903", "card_904", "card_905", "card_906"):
        wanted += [("READ", card)] + ([("LIKE", card)] if card in ("card_902", "card_906") else [])
    faults = [] if told == wanted + [("VISIT", "")] else [f"the lake has {told}"]
    if faults or found[1]["action"]["duration_ms"] != "4000" or found[1]["content"]["title"] != "한강의 저녁" \
            or found[1]["location"] != "app://feed/FEED?y=2" or found[1]["user"] != {"id": "reader_7", "plan": "free"}:
        faults.append(f"a sentence of the feed is {found[1] if len(found) > 1 else None}")
    return faults


def frame_loop(options, folder, collector):
    code, said = run([options.frame_loop, str(folder / "queue"), collector.url], folder)
    if code != 0 or "flush: ok, accepted 3, delivered 3, waiting 0" not in said:
        return [f"it ended with {code} and said:\n{said}"]
    told = [(one["location"], one["action"].get("score"), one["action"].get("duration_ms")) for one in collector.sentences()]
    wanted = [(f"app://arena/ARENA?round={number}", str(60 * number), "300") for number in (1, 2, 3)]
    return [] if told == wanted else [f"the lake has {told}"]


def own_network(options, folder, collector):
    code, said = run([options.own_network, str(folder / "queue"), collector.url.rsplit(":", 1)[1]], folder)
    if code != 0 or said.split() != ["track:", "ok", "flush:", "ok"] * 2:
        return [f"it ended with {code} and said:\n{said}"]
    told = [one["content"]["id"] for one in collector.sentences()]
    return [] if told == ["round_1", "round_2"] else [f"the lake has {told}"]


def main():
    parser = argparse.ArgumentParser()
    for name in ("--collector", "--library", "--frame-loop", "--own-network"):
        parser.add_argument(name, required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    options = parser.parse_args()
    passed = failed = 0
    for what, program, sample in (("the Lua sample", "luajit", lua_sample), ("the LÖVE scene, headless", "love", love_scene),
                                  ("the frame loop in C", None, frame_loop),
                                  ("the host's own network in C", None, own_network)):
        if program and not shutil.which(program):
            print(f"skipped {what}: {program} is not installed")
            failed += os.environ.get("YUKHA_STRICT") == "1"
            continue
        with tempfile.TemporaryDirectory(prefix="yukha-samples-") as name:
            collector = Collector(options.collector, pathlib.Path(name))
            try:
                faults = sample(options, pathlib.Path(name), collector)
            finally:
                if collector.process.poll() is None:
                    collector.process.kill()
                    collector.process.wait()
        failed += bool(faults)
        passed += not faults
        print(f"{'FAIL' if faults else 'ok  '} {what} is delivered")
        for fault in faults:
            print(f"  {fault}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
