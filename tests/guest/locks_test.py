"""Files and locks of a queue directory, with what a host and its user do to them."""
import argparse
import os
import pathlib
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import PATIENCE_S, Collector, expect, keep_promises, promise, wait_until

parser = argparse.ArgumentParser()
parser.add_argument("--program", required=True)
parser.add_argument("--library")
parser.add_argument("--collector", required=True)
parser.add_argument("--in-full", action="store_true")
parser.add_argument("--only", default="")
options = parser.parse_args()


def run(*words, **more):
    done = subprocess.run([options.program, *map(str, words)], capture_output=True, text=True, timeout=20 * PATIENCE_S,
                          **more)
    expect(done.returncode == 0, words[0], "ended with", done.returncode, done.stderr)
    told = {}
    for line in done.stdout.splitlines():
        name, _, rest = line.partition(" ")
        told.setdefault(name, []).append(rest)
    return told


def numbers(told, name):
    return [int(word) for word in told[name][0].split()]


@promise("processes that make their lanes in the same moment damage none, and none lives in memory")
def lanes_made_at_once(folder):
    figures = []
    for kill in (0, 1):
        for processes in (2, 4, 8, 15):
            rounds = 200 if options.in_full else 4
            words = run("lanes", folder / f"at{processes}{kill}", processes, rounds, kill)["in_memory"][0].split()
            expect(words[0] == "0", words[0], "in memory,", processes, "processes")
            expect(words[2::2] == ["0", "0", "0"], words, processes, "processes")
            figures.append(rounds * processes)
    return f"{sum(figures)} openings, none in memory, none missing"


@promise("a backup that reads our files costs no lock: a second tracker gets a lane of its own")
def backup_reads(folder):
    queue = folder / "q"
    first = subprocess.Popen([options.program, "backup", str(queue)], stdout=subprocess.PIPE, text=True)
    expect(first.stdout.readline() == "open 1\n", "it did not open")
    expect(first.stdout.readline() == "read\n", "it did not read")
    second = run("second", queue)
    # By name, too.
    named = run("second", queue, "lane-00")
    rest, _ = first.communicate(timeout=PATIENCE_S)
    expect(numbers(second, "kept") == [1000, 0, 0], second)
    expect(numbers(named, "kept") == [0, 0, 1000], "two trackers share a lane:", named)
    expect(rest == "kept 2500 0 0\n", rest)
    expect((queue / "lane-01.queue").exists(), "there is one lane")
    expect(numbers(run("waiting", queue, 3), "waiting") == [3500], "not all that was kept waits")


@promise("a relative queue_dir stays where it was when the host goes elsewhere")
def relative(folder):
    told = run("elsewhere", folder)
    expect(told["erase"] == ["1"] and told["precious"] == ["50"], told)
    left = subprocess.run(["grep", "-rl", "SECRET", str(folder)], capture_output=True, text=True).stdout
    expect(left == "", "erased sentences are in", left)


@promise("a directory that is deleted, replaced, or loses a file is made again with what waits")
def loses_its_directory(folder):
    for how in ("deleted", "replaced", "file"):
        queue = folder / how
        told = run("loses", queue, how)
        expect(numbers(told, "tracked") == [2500, 0, 0], how, told)
        expect(told["lost"][0] in ("0 noticed 1", "0 noticed 2"), how, told)
        expect(numbers(run("waiting", queue, 3), "waiting") == [2500], how, "not all that was kept waits")


@promise("where the directory cannot be made again, sentences are said to be kept in memory")
def cannot_be_made_again(folder):
    told = run("loses", folder / "gone", "forbidden")
    kept, in_memory, refused = numbers(told, "tracked")
    expect(kept == 1000 and in_memory == 1500 and refused == 0, told)
    expect(told["lost"][0].startswith("0 noticed "), told)


def made(queue):
    run("opens", queue)
    return queue


@promise("files that somebody prepared are not used, and what is in the way is named")
def prepared(folder):
    target = folder / "target"
    target.write_text("precious")
    for name, lay in (("link", lambda at: at.symlink_to(target)), ("second name", lambda at: os.link(target, at))):
        queue = folder / name
        queue.mkdir(mode=0o700)
        lay(queue / "lane-00.ring")
        told = run("opens", queue)
        expect(told["status"] == ["memory"] and "lane-00.ring" in told["message"][0], name, told)
        expect(target.read_text() == "precious", name, "was written to")
    if os.getuid() == 0:
        queue = made(folder / "foreign")
        os.chown(queue / "lane-00.queue", 12345, -1)
        told = run("opens", queue)
        expect(told["status"] == ["memory"] and "another user" in told["message"][0], told)
        os.chown(queue, 12345, -1)
        told = run("opens", queue)
        expect(told["status"] == ["memory"] and str(queue) in told["message"][0], told)


@promise("a directory that others can write in is refused by name; wider rights on our own files are taken back")
def rights(folder):
    queue = folder / "open"
    queue.mkdir()
    queue.chmod(0o777)
    told = run("opens", queue)
    expect(told["status"] == ["memory"] and str(queue) in told["message"][0], told)
    expect("others can write" in told["message"][0], told)
    queue = made(folder / "restored")
    for file in queue.iterdir():
        file.chmod(0o666)
    told = run("opens", queue)
    expect(told["status"] == ["ok"] and told["waiting"] == ["20"] and "notice" in told, told)
    for file in queue.iterdir():
        expect(file.stat().st_mode & 0o077 == 0, file, "is still for others")




@promise("a hostile or damaged schema is set aside at once")
def schemas(folder):
    endless = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)"
    columns = "epoch ring_id ring_position accepted delivered quarantined evicted erased lost refused_ring_full " \
              "refused_consent refused_invalid refused_closed run last_seq closed ledger_sent place copied_until refused_policy".split()
    view = "CREATE VIEW state AS SELECT " + ", ".join(f"{endless} AS {name}" for name in columns)
    for name, statements in {
        "view": ["ALTER TABLE state RENAME TO state2", view],
        "trigger": [f"CREATE TRIGGER t AFTER UPDATE ON state BEGIN SELECT {endless}; END"],
        "index": ["CREATE INDEX i ON chunk(hex(zeroblob(1000)))"],
        "virtual": ["CREATE VIRTUAL TABLE v USING fts5(a)"],
    }.items():
        for file in ("lane-00.queue", "directory.db"):
            queue = made(folder / name / file)
            database = sqlite3.connect(queue / file)
            for statement in statements:
                if file == "directory.db":
                    statement = statement.replace("state2", "old").replace("ON state", "ON directory") \
                        .replace("ON chunk", "ON note").replace("TABLE state ", "TABLE directory ") \
                        .replace("VIEW state", "VIEW directory")
                database.execute(statement)
            database.commit()
            database.close()
            told = run("opens", queue)
            expect(told["status"] == ["ok"], name, file, told)
            expect(numbers(told, "kept") == [10, 0, 0], name, file, told)
            if file == "directory.db":
                made_of = [row[0] for row in sqlite3.connect(queue / file).execute(
                    "SELECT name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")]
                expect(made_of == ["carried", "directory", "note"], name, "in", file, "was used", made_of)
            else:
                expect((queue / file.replace("queue", "damaged")).exists(), name, "in", file, "was used")


@promise("a path is as long as the system takes, or refused with the number")
def long_paths(folder):
    for size in (100, 250, 400, 460, 461, 520, 2000):
        path = str(folder) + "/" + str(size)
        while len(path) + 102 < size:
            path += "/" + "d" * 100
        path += "/" + "e" * (size - len(path) - 1)
        told = run("opens", path)
        expect(told["status"] == ["ok" if size <= 460 else "config"], size, told)
        expect(size <= 460 or str(size) in told["message"][0], told)


@promise("what a delivered backlog took is given back")
def space(folder):
    with Collector(options.collector, folder) as collector:
        queue = folder / "q"
        host = subprocess.Popen([options.program, "backlog", str(queue), collector.url], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        host.stdout.readline()
        host.stdin.write("\n")
        host.stdin.flush()
        expect(host.stdout.readline() == "flush 1\n", "it was not delivered")
        expect(host.stdout.readline() == "waiting 0\n", "not all was delivered")

        def used():
            return sum(file.stat().st_blocks * 512 for file in queue.iterdir())

        # What an empty lane takes, and less free room than is worth the work.
        wait_until(lambda: used() < 5_000_000 + (4 << 20), PATIENCE_S, "the space is given back:")
        left = used()
        host.stdin.write("\n")
        host.stdin.close()
        host.wait(PATIENCE_S)
        return f"{left} bytes"


keep_promises(options.only)
