#!/usr/bin/env python3
"""Which answers an app may drop, and that the library itself drops none.

usage: answers_test.py
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]

MAY_DROP = ["t.event().action(\"A\").track();", "t.track_json(\"{}\");", "t.identify(\"u\");", "t.reset();",
            "t.set(Part::user, {});", "t.unset(Part::user, \"a\");", "t.set_experiment(\"a\", \"b\");",
            "t.set_advertising_id(\"\");", "t.flush(std::chrono::seconds(1));",
            "t.enter_background(std::chrono::seconds(1));", "t.enter_foreground();", "t.set_network(Network::offline);",
            "t.set_low_battery(true);", "t.work(std::chrono::seconds(1));", "t.close();",
            "t.resend_quarantined();", "Event e = t.event(); e.action(\"A\").critical(); e.track();",
            "TimedEvent s = t.event().action(\"A\").start(); s.end();"]
MAY_NOT = ["Tracker::open({});", "t.status();", "t.event();", "t.event().action(\"A\");", "t.event().location(\"F\");",
           "t.event().action(\"A\").start();", "t.set_consent(Consent::denied);", "t.consent();",
           "t.set_consent(Purpose::advertising, Consent::denied);", "t.erase();", "t.erase_quarantined();",
           "t.set_signing_keys({});", "t.stats();", "t.take_log_lines();", "t.quarantined();"]


def complaints(compiler, source, include, *arguments):
    """How often a dropped answer is complained about, and what was said."""
    done = subprocess.run([compiler, "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", f"-I{include}", *arguments,
                           "-x", "c++", "-"], input=source, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        sys.exit(f"FAIL {compiler} does not compile it:\n{done.stderr[:3000]}")
    return done.stderr.count("[-Wunused-result]") + done.stderr.count("[-Wunused-value]"), done.stderr


def program(statements):
    functions = "".join(f"void f{i}(Tracker& t) {{ static_cast<void>(t); {one} }}\n" for i, one in enumerate(statements))
    return f"#include <yukha/yukha.hpp>\nusing namespace yukha;\n{functions}"


def main():
    faults = []
    for compiler in ("g++", "clang++"):
        if shutil.which(compiler) is None:
            continue
        count, said = complaints(compiler, program(MAY_DROP), CHECKOUT / "include")
        if count != 0:
            faults.append(f"{compiler} complains about what may be dropped:\n{said[:2000]}")
        for one in MAY_NOT:
            count, _ = complaints(compiler, program([one]), CHECKOUT / "include")
            if count == 0:
                faults.append(f"{compiler} lets this pass: {one}")

    # In the library each answer is looked at, or dropped in so many words: with Status [[nodiscard]] it still compiles.
    with tempfile.TemporaryDirectory(prefix="yukha-answers-") as folder:
        strict = pathlib.Path(folder) / "include"
        shutil.copytree(CHECKOUT / "include", strict)
        header = strict / "yukha/status.hpp"
        text = header.read_text(encoding="utf-8")
        if text.count("\nclass Status {") != 1:
            sys.exit("FAIL class Status stands elsewhere")
        header.write_text(text.replace("\nclass Status {", "\nclass [[nodiscard]] Status {"), encoding="utf-8")
        sources = sorted(path for path in (CHECKOUT / "src").rglob("*.cpp") if "apple" not in path.name)
        unity = "".join(f'#include "{path}"\n' for path in sources)
        # One is dropped on purpose: a check that does not see it proves nothing.
        count, said = complaints("g++", unity + "void planted(yukha::Tracker& t) { t.close(); }\n", strict,
                                 f"-I{CHECKOUT / 'src'}")
        if count != 1:
            faults.append(f"the library drops {count - 1} answers:\n{said[:2000]}")
    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print(f"{len(MAY_DROP)} answers may be dropped, {len(MAY_NOT)} may not, and {len(sources)} sources drop none")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
