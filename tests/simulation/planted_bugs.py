#!/usr/bin/env python3
"""Does the simulation see? Bugs are planted in a copy of the sources, one at a time, and each must be caught.

    tests/simulation/planted_bugs.py [--only TEXT] [--lives N]
    tests/simulation/planted_bugs.py --check      only whether each place stands in the sources exactly once

The copy is built in build/planted with the tests' own options. A bug whose place is not found, or found twice, is an
error before anything is built; --check is a test of the short run, so the list keeps pace with the code. Exit 1 when a
bug lived through all lives.
"""
import argparse
import filecmp
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build/planted/tree"
BUILD = ROOT / "build/planted/build"
SIMULATION = BUILD / "tests/yukha_simulation"

# Name, files below src/, and pairs of what stands there and what stands there instead. Left out is what the simulation
# cannot see, because it stores an append's words in an order of its own: the order of stores in Ring::publish() and the
# locks between threads are the business of tests/crash and of the thread sanitizer.
BUGS = [
    ("a batch leaves without a sync", "pipeline/upload.cpp",
     ("if (!lane.queue().make_durable()) {", "if (false) {")),
    ("a split leaves without a sync", "hold/queue/queue.cpp",
     ("  note_sealed();\n  follow([&] {\n    for (const std::int64_t id : ids)",
      "  follow([&] {\n    for (const std::int64_t id : ids)")),
    ("a batch is deleted before the answer", "pipeline/upload.cpp",
     ("  in_flight_.flight = std::move(flight);\n",
      "  in_flight_.flight = std::move(flight);\n  static_cast<void>(lane.queue().settle(batch.id, {}));\n")),
    ("the ring's position is moved before the commit", "pipeline/drain.cpp",
     ("    if (!queue.take_over(drained, last_seq, unix_ms, seal)) {",
      "    ring.release(drained.mark.position);\n    if (!queue.take_over(drained, last_seq, unix_ms, seal)) {")),
    ("sentences are taken over without a sync", "hold/queue/queue.cpp",
     ("  LedgerCommit change(database(), state_.ledger, Durable::yes);\n  for (Piece& piece",
      "  LedgerCommit change(database(), state_.ledger, Durable::no);\n  for (Piece& piece")),
    ("a retry has a new key", "pipeline/upload.cpp",
     ("  facts.idempotency_key = idempotency_key(flight.batch);",
      "  flight.batch.key.back() = static_cast<char>('0' + around_.dice.up_to(9));\n"
      "  facts.idempotency_key = idempotency_key(flight.batch);")),
    ("the last line of a split is dropped", "pipeline/splitter.cpp",
     ('parts.push_back(part_of(batch, batch.path + "1", lines, middle, lines.size()));',
      'parts.push_back(part_of(batch, batch.path + "1", lines, middle, lines.size() - (lines.size() > 2 ? 1 : 0)));')),
    ("track() ends the back-off", "pipeline/worker.cpp pipeline/back_off.cpp",
     ("  drain();\n  if (!around_", "  if (around_.lane.ring().used() != 0) back_off_.end_early(step_.now_ms);\n"
      "  drain();\n  if (!around_"),
     ("  if (now_ms - hurried_ms_ < end_early_every_ms) return;\n", "")),
    ("the age is counted by the device's clock", "pipeline/retention.cpp",
     ("true_ms = true_time_.unix_ms(now_ms);", "true_ms = around_.clock.unix_ms();"),
     ("const bool settled = true_time_.is_settled();", "const bool settled = true;")),
    ("one Date is believed for ages", "send/true_time.cpp",
     ("constexpr int answers_wanted = 3;", "constexpr int answers_wanted = 1;"),
     ("  return last_ms_ - first_ms_ >= std::max(", "  return true || last_ms_ - first_ms_ >= std::max(")),
    ("a record of an earlier lap is taken for a new one", "hold/ring_file.cpp",
     ("return candidate.position < from || candidate.ordinal <= mark.accepted;", "return false;"),
     ("  std::uint64_t position = from;\n  std::uint64_t ordinal = mark.accepted;",
      "  std::uint64_t position = 0;\n  std::uint64_t ordinal = 0;")),
    ("an erase of another process is not seen", "pipeline/worker.cpp",
     ("  if (watch_.is_of_an_old_epoch()) begin_lane_of_new_epoch();\n", "")),
    ("an erase leaves the ring, whose epoch nobody looks at", "hold/lane.cpp hold/ring_file.cpp",
     ('for (const char* ending : {".ring", ".queue-wal"', 'for (const char* ending : {".queue-wal"'),
     ("load(memory_ + at_epoch) != epoch", "(epoch, false)")),
    ("the ledger is not carried over an erase", "hold/lane.cpp",
     ("  if (directory_.carried(name_, carried, carried_for)) {\n    if (!queue_.restore",
      "  if (false) {\n    if (!queue_.restore")),
    ("a restored copy is taken for the original", "hold/queue/queue.cpp",
     ("const bool copied = !state_.place.empty();", "const bool copied = false;")),
    ("delivered ones are not counted on the disk", "hold/queue/ledger_commit.cpp",
     ("  rows::save_ledger(database_, ledger_);\n",
      "  Ledger saved = ledger_;\n  saved.delivered = published_.delivered;\n  rows::save_ledger(database_, saved);\n")),
    ("a key that brought other lines is used again", "send/verdict.cpp",
     ('if (error == "conflict") judgement.verdict = Verdict::conflict;', "")),
    ("copies of a batch get keys of their own after a conflict", "pipeline/settle.cpp",
     ("is_first ? key_of(idempotency_key(batch) + \"\\n\" + text) : system::random_uuid(around_.entropy);",
      "system::random_uuid(around_.entropy);")),
    ("Retry-After is forgotten", "send/retry.hpp",
     ("const std::int64_t asked = retry_after_ms.value_or(0);",
      "const std::int64_t asked = 0 * retry_after_ms.value_or(0);")),
    ("sentences are sent while consent is pending", "pipeline/turns.cpp",
     ("directory.state().consents.all == Consent::granted;",
      "directory.state().consents.all != Consent::denied;")),
    ("what waits for the consent to its purpose is sent", "pipeline/turns.cpp",
     ("  return has_its_purpose(kind) && (!only_critical", "  return (!only_critical")),
    ("a ring forgets what a sentence is for", "hold/ring_file.cpp",
     ("Kind::of(static_cast<int>(length_word >> 24))", "Kind::of(static_cast<int>(length_word >> 24 & 1))")),
    ("what a purpose is denied stays where it is", "pipeline/erasure.cpp",
     ("  if (erase_denied(around_.lane) && (", "  if (true || (")),
    ("a denial leaves its bytes in the ring", "pipeline/erasure.cpp",
     ("    if (is_mine ? !around_.intake.wipe_ring(from) : ring.wipe(from) != 0) return false;", "    from = until;")),
    ("a denial of everything is only heard when it is sent", "intake/append.cpp",
     ("if (consents_.of(sentence.purpose) == Consent::denied)",
      "if (consents_.purposes[static_cast<int>(sentence.purpose)] == Consent::denied)")),
    ("a consent that nobody can read is a new install's", "hold/directory.cpp",
     ("  return Consents::lost();", "  return consents;")),
    ("what a lane says of consent is not heard", "hold/statements.cpp",
     ("hear(epoch, consents ? &*consents : nullptr);", "hear(epoch, nullptr);")),
    ("an older word on consent takes the newer one's place", "hold/statements.cpp",
     ("if (its == nullptr || (knows_consents_ && its->times < consents_.times)) return;", "if (its == nullptr) return;")),
    ("files that are gone are not missed", "hold/lane.cpp",
     ("  return !queue_is_at_its_place() || !lock_->is_at(path(\".lock\")) || !ring_.is_at(path(\".ring\"));",
      "  return false;")),
    ("a lane is taken without its lock", "hold/lane.cpp",
     ("    if (file->lock(0) == EWOULDBLOCK) break;", "    static_cast<void>(file->lock(0));")),
    ("a directory is made without its lock", "hold/directory.cpp",
     ("lock_error == 0 && lock->lock(patience_ms) != EWOULDBLOCK;", "lock_error == 0;")),
    ("a lane that somebody else took is written on", "hold/ring_file.cpp hold/ring.cpp",
     ("  return load(mode_ == Mode::written ? word : memory_ + at_owner) == owner_;", "  return true;"),
     ("load(memory_ + at_owner) == owner_ : is_mine()", "true : is_mine()")),
    ("another directory's erase is brought along", "hold/directory.cpp",
     ("said.hear(same ? own.epoch : said.epoch(), &its)", "said.hear(own.epoch, &its)")),
    ("what comes out of quarantine leaves without a sync", "hold/queue/queue.cpp",
     ("  note_sealed();\n  follow([&] { batches_.add(batch.facts); });",
      "  follow([&] { batches_.add(batch.facts); });")),
    ("a flush is over before its batches are answered", "pipeline/seal.cpp",
     ("    if (turns_.has_its_purpose(batch.kind)) flush_.keys.insert(batch.key);", "    static_cast<void>(batch);")),
    ("a redirect to another origin is followed", "send/endpoint.cpp",
     ("return to.scheme == from.scheme && to.authority == from.authority;", "return to.scheme == from.scheme;")),
    ("an unnamed 400 quarantines at once", "pipeline/settle.cpp",
     ("  if (turns_.last_was_accepted()) {\n    std::vector<std::string> lines;",
      "  if (true) {\n    std::vector<std::string> lines;")),
    ("a portal's 200 is a delivery", "send/verdict.cpp",
     ("      if (!kept) {", "      if (!kept && json.is(system::Json::Kind::object)) {")),
    ("an end is taken over while its scope stays open on the disk", "pipeline/drain.cpp",
     ("    if (scopes_changed) drained.scopes = &scopes;\n", "")),
    ("what ended before a kill is cut off as well", "hold/queue/kept_scopes.cpp",
     ("  scopes.erase(std::remove_if(scopes.begin(), scopes.end(), is_over), scopes.end());\n",
      "  static_cast<void>(is_over);\n")),
    ("what a copy was made with is cut off in each", "hold/queue/queue.cpp",
     ("    scopes_.replace(database(), {});\n", "")),
]


def run(*command, **more):
    return subprocess.run(command, text=True, capture_output=True, **more)


def copy_tree():
    """The sources as they are now; what did not change is left alone, so that it is not built again."""
    def copy(source, target):
        if not os.path.exists(target) or not filecmp.cmp(source, target, shallow=False):
            shutil.copyfile(source, target)

    TREE.mkdir(parents=True, exist_ok=True)
    for name in ["CMakeLists.txt", "CMakePresets.json", "bindings", "examples", "include", "src", "tests"]:
        source, target = ROOT / name, TREE / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, copy_function=copy)
            # What was moved since the last run is built from its new place alone.
            for path in [path for path in target.rglob("*") if path.is_file() and not (ROOT / path.relative_to(TREE)).exists()]:
                path.unlink()
        else:
            copy(source, target)


def planted(where, changes, tree):
    """The files that a bug changes, as they are and with the bug in them; ValueError when a place is not found once."""
    texts = {path: path.read_text() for path in (tree / "src" / one for one in where.split())}
    buggy = dict(texts)
    for old, new in changes:
        found = [path for path in texts for _ in range(texts[path].count(old))]
        if len(found) != 1:
            raise ValueError(f"this stands {len(found)} times in {where}, and must stand there once:\n{old}")
        buggy[found[0]] = buggy[found[0]].replace(old, new)
    return texts, buggy


def check():
    """Names every bug that cannot be planted."""
    faults = 0
    for name, where, *changes in BUGS:
        try:
            texts, buggy = planted(where, changes, ROOT)
            if texts == buggy:
                raise ValueError("it changes nothing")
        except (OSError, ValueError) as fault:
            faults += 1
            print(f"{name}: {fault}")
    if faults:
        sys.exit(f"{faults} of {len(BUGS)} bugs cannot be planted")
    print(f"each of {len(BUGS)} bugs has its place")


def build():
    result = run("cmake", "--build", str(BUILD), "--target", "yukha_simulation")
    if result.returncode != 0:
        sys.exit(f"the copy does not build:\n{result.stdout[-3000:]}{result.stderr[-3000:]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="bugs whose name holds this text")
    parser.add_argument("--lives", type=int, default=2000, help="that a bug may live through")
    parser.add_argument("--check", action="store_true", help="build and run nothing")
    options = parser.parse_args()
    check()
    if options.check:
        return
    copy_tree()
    run("cmake", "-S", str(TREE), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DYUKHA_WERROR=OFF",
        check=True)
    build()
    clean = run(str(SIMULATION), "--lives", "20")
    if clean.returncode != 0:
        sys.exit(f"the copy without a bug fails already:\n{clean.stdout}")
    alive = 0
    for name, where, *changes in BUGS:
        if options.only not in name:
            continue
        texts, buggy = planted(where, changes, TREE)
        began = time.monotonic()
        try:
            for path, text in buggy.items():
                path.write_text(text)
            build()
            result = run(str(SIMULATION), "--lives", str(options.lives), "--first")
        finally:
            for path, text in texts.items():
                path.write_text(text)
        lives = int(re.search(r"^lives (\d+)", result.stdout, re.M)[1]) if result.returncode in (0, 1) else 0
        broken = re.search(r"^seed .*", result.stdout, re.M)
        how = f"in life {lives}: {broken[0][:110]}" if broken else f"NOT in {lives} lives"
        if result.returncode not in (0, 1):
            how = f"by its end with {result.returncode}"
        elif not broken:
            alive += 1
        print(f"{name:<62} {how}   ({time.monotonic() - began:.0f} s)", flush=True)
    sys.exit(1 if alive else 0)


if __name__ == "__main__":
    main()
