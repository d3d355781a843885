#!/usr/bin/env python3
"""Whatever a disk does ends in a clear status, and costs no sentence that was answered `kept`.

    disk_test.py --tracker PATH --collector PATH [--turns N] [--at-once N] [--only TEXT]

A real process tracks from four threads while its disk is full, fails, or loses files, or finds at its beginning what a
killed one left after we damaged it. It must not crash or print, and must end in good order; each sentence it kept
is in the real collector's lake once, or, where we destroyed its bytes, the ledger counts it lost.

Faults come from a small tmpfs (mounting wants root), from libfiu while the process runs, and from strace, with which
each system call of a short life fails in its turn.
"""
import argparse
import collections
import contextlib
import functools
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import (RING_HEADER, Account, Collector, Forbidden, Missing, Tracker, expect,  # noqa: E402
                     expect_balanced, keep_promises, promise, records, wait_until)

NOWHERE = "http://127.0.0.1:9"  # nobody listens there
GOOD = ["0 ok", "1 kept_in_memory"]


def tool(name):
    if shutil.which(name) is None:
        raise Missing(name)
    return name


@contextlib.contextmanager
def small_disk(folder, size):
    """A tmpfs of so many bytes."""
    disk = folder / "disk"
    disk.mkdir()
    done = subprocess.run([tool("mount"), "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Forbidden("the right to mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk):
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def free(disk):
    (disk / "filler").unlink()


def drain(folder, url, account, **settings):
    """A new process sends what is here: its stats, and the message of open()."""
    with Tracker(options.tracker, account) as tracker:
        message = tracker.open(folder, url, GOOD, **settings)
        tracker.flush()
        stats = tracker.stats()
        tracker.close()
    expect_balanced(stats)
    return stats, message


# --- the full disk ---------------------------------------------------------------------------------------------------

@promise("a disk that is full for 7 s of a 3,200-event stream: all is accepted or refused, every accepted one arrives")
def _(folder):
    account = Account()
    with small_disk(folder, "8m") as disk, Collector(options.collector, folder) as collector, \
            Tracker(options.tracker, account) as tracker:
        tracker.open(disk, collector.url, upload_interval_ms=200, sync_interval_ms=100)
        tracker.run("s", 4, 80, 800)
        time.sleep(1.5)
        fill(disk)
        before = tracker.stats()
        time.sleep(7)
        during = tracker.stats()
        free(disk)
        kept, in_memory, refused, why = tracker.finish_run()
        tracker.flush()
        stats = tracker.stats()
        tracker.close()
        expect(kept + refused == 3200 and in_memory == 0, kept, refused, why)
        expect(stats["accepted"] == kept and stats["refused"] == refused, stats, kept, refused)
        expect_balanced(stats)
        expect(during["delivered"] >= before["delivered"] + 500, "delivered before", before, "after 7 s", during)
        expect(stats["delivered"] == kept and stats["lost"] == 0, stats)
        arrived = account.expect_in(collector.lines())
    return (f"{kept} accepted, {refused} refused ({why}), {arrived} arrived once, "
            f"{during['delivered'] - before['delivered']} of them while the disk was full")


def fill_disk_and_ring(folder, **settings):
    account = Account()
    with small_disk(folder, "8m") as disk, Collector(options.collector, folder) as collector:
        tracker = Tracker(options.tracker, account)
        tracker.open(disk, NOWHERE, sync_interval_ms=10, **settings)
        tracker.run("before", 4, 1000, 500)
        tracker.finish_run()
        fill(disk)
        tracker.run("full", 4, 4000, 10000)
        kept, _, refused, why = tracker.finish_run()
        expect(refused > 1000 and why == "ring_full", "only", refused, "refused", why)
        tracker.kill()
        # Opened while there is no room for anything.
        with Tracker(options.tracker, account) as second:
            message = second.open(disk, collector.url, GOOD, **settings)
            second.run("still", 2, 1000, 100)
            second.finish_run()
            second.flush()
            first = second.stats()
            second.close(["0 ok", "3 cut_short"])
        free(disk)
        stats, _ = drain(disk, collector.url, account, **settings)
        expect(stats["lost"] == stats["evicted"] == stats["waiting"] == 0, stats)
        collector.expect_sane()
        arrived = account.expect_in(collector.lines())
        # Deliveries make room, so that all of it goes while the disk is still full.
        expect(first["waiting"] == 0, first)
    return f"{kept} kept and {refused} refused while full, {arrived} arrived once; it opened as: {message}"


RING_FILLS = "a full disk and no endpoint: the ring fills, the rest is refused, a kill and an opening cost nothing kept"
promise(RING_FILLS)(fill_disk_and_ring)
promise(RING_FILLS + ", with the least limits")(functools.partial(
    fill_disk_and_ring, ring_bytes=64 << 10, queue_bytes_max=8 << 20, batch_bytes_max=33 << 10))


@promise("a disk of 512 KiB is too small to keep on: memory keeps what is delivered, and with more room the disk does")
def _(folder):
    account = Account()
    with small_disk(folder, "512k") as disk, Collector(options.collector, folder) as collector:
        for _ in range(3):
            with Tracker(options.tracker, account) as tracker:
                message = tracker.open(disk, collector.url, "1 kept_in_memory", upload_interval_ms=200)
                expect("full" in message or "ENOSPC" in message, "the message does not tell why:", message)
                tracker.run(f"small{_}", 4, 1000, 250)
                kept, in_memory, refused, _why = tracker.finish_run()
                expect(in_memory == 1000 and refused == 0, kept, in_memory, refused)
                tracker.flush()
                expect_balanced(tracker.stats())
                tracker.close()
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        with Tracker(options.tracker, account) as tracker:
            tracker.open(disk, collector.url)
            tracker.run("large", 4, 1000, 250)
            expect(tracker.finish_run()[0] == 1000)
            tracker.flush()
            tracker.close()
        arrived = account.expect_in(collector.lines())
    return f"{message!r}; {arrived} arrived once"


# --- calls that fail while it runs -----------------------------------------------------------------------------------

FAULTS = {
    "no space": "enable name=posix/io/rw/pwrite,failinfo=28",
    "input/output errors": "enable name=posix/io/rw/pwrite,failinfo=5",
    "a third of the writes fails": "enable_random name=posix/io/rw/pwrite,probability=0.3,failinfo=5",
    "a disk that became read-only": "enable name=posix/io/rw/pwrite,failinfo=30",
    "short writes": "enable_random name=posix/io/rw/pwrite/reduce,probability=0.5",
    "no fdatasync": "enable name=posix/io/sync/fdatasync,failinfo=5",
    "no fsync": "enable name=posix/io/sync/fsync,failinfo=5",
    "a third of the reads fails": "enable_random name=posix/io/rw/pread,probability=0.3,failinfo=5",
    "no reads": "enable name=posix/io/rw/pread,failinfo=5",
    "no open": "enable name=posix/io/oc/open,failinfo=24",
    "no ftruncate": "enable name=posix/io/rw/ftruncate,failinfo=5",
    "no unlink": "enable name=posix/io/dir/unlink,failinfo=30",
    "no memory maps": "enable name=posix/mm/mmap,failinfo=12",
}


def suffer(folder, fault, written):
    account = Account()
    control = str(folder / "fiu")
    tool("fiu-run")
    # Its shell would count a fault of its own as ours: the preload is told by the environment only once it runs.
    with Collector(options.collector, folder) as collector, \
            Tracker(options.tracker, account, before=["fiu-run", "-x", "-f", control]) as tracker:
        def tell(command):
            done = subprocess.run(["fiu-ctrl", "-f", control, "-c", command, str(tracker.process.pid)], check=True,
                                  stdout=subprocess.PIPE, text=True, timeout=600)
            expect(done.stdout == "", done.stdout)

        if written:
            expect(tracker.ask("deny", "fallocate", 95) == "0 ok")
        tracker.open(folder, collector.url, upload_interval_ms=100, sync_interval_ms=10)
        mapped = f"{folder}/queue/lane-00.ring" in pathlib.Path(f"/proc/{tracker.process.pid}/maps").read_text()
        expect(mapped != written, "the ring is mapped:", mapped)
        tracker.run("s", 4, 250)
        time.sleep(0.3)
        tell(fault)
        time.sleep(1.2)
        tell("disable name=" + re.search("name=([^,]+)", fault)[1])
        time.sleep(0.3)
        kept, in_memory, refused, why = tracker.finish_run("stop")
        tracker.flush()
        stats = tracker.stats()
        tracker.close()
        tracker.end()
        expect_balanced(stats)
        expect(in_memory == 0 and stats["accepted"] == stats["delivered"] == kept, stats, kept, in_memory)
        expect(stats["refused"] == refused, stats, refused, why)
        collector.expect_sane()
        account.expect_in(collector.lines())
        expect(drain(folder, NOWHERE, Account())[0]["accepted"] == kept)
    return f"{kept} kept, {refused} refused ({why})"


for name, fault_text in FAULTS.items():
    for as_written in (False, True):
        promise(f"{name} for a second, the ring {'written' if as_written else 'mapped'}")(
            lambda folder, fault=fault_text, written=as_written: suffer(folder, fault, written))


# --- files that go away under a running tracker ----------------------------------------------------------------------

def lose(folder, names):
    account = Account()
    with Collector(options.collector, folder) as collector, Tracker(options.tracker, account) as tracker:
        tracker.open(folder, collector.url, upload_interval_ms=100, sync_interval_ms=10)
        tracker.run("s", 4, 500)
        time.sleep(0.3)
        for path in (folder / "queue").iterdir():
            if path.name in names or not names:
                path.unlink()
        if not names:
            (folder / "queue").rmdir()
        time.sleep(0.5)
        kept, in_memory, refused, why = tracker.finish_run("stop")
        tracker.flush()
        stats = tracker.stats()
        tracker.close()
        tracker.end()
        expect_balanced(stats)
        expect(kept + in_memory == stats["accepted"] == stats["delivered"], stats, kept, in_memory, refused, why)
        # And the next one begins anew, or with what is left.
        tracker_after = Account()
        with Tracker(options.tracker, tracker_after) as after:
            after.open(folder, collector.url)
            after.run("after", 1, 0, 100)
            after.finish_run()
            after.flush()
            expect_balanced(after.stats())
            after.close()
        account.kept |= tracker_after.kept
        if names == ["lane-00.queue-wal"]:
            # The database without its log is an earlier one: what was sent since then comes again, and is not lost.
            arrived = len(ids := {line["content"]["id"] for line in collector.lines()})
            expect(ids == account.kept, "of", len(account.kept), "kept", len(account.kept - ids), "are missing")
        else:
            collector.expect_sane()
            arrived = account.expect_in(collector.lines())
    return f"{arrived} arrived, {refused} refused ({why})"


for gone in (["lane-00.ring"], ["lane-00.queue"], ["lane-00.queue-wal"], ["lane-00.queue", "lane-00.queue-wal"],
             ["directory.db"], ["directory.db", "directory.copy"], []):
    promise(f"{' and '.join(gone) or 'the whole directory'} deleted while it runs")(
        lambda folder, names=gone: lose(folder, names))


# --- damage before open ----------------------------------------------------------------------------------------------

def valid_frames(log):
    """The frames of SQLite's log that carry its present salt, as offsets."""
    data = log.read_bytes()
    return [at for at in range(32, len(data) - 4119, 4120) if data[at + 8:at + 16] == data[16:24]]


class Remains:
    """What a killed process left: batches and chunks in the database and its log, and lines in the ring."""

    def __init__(self, folder):
        self.folder = folder
        self.account = Account()
        with Tracker(options.tracker, self.account) as tracker:
            # Too little for a checkpoint of the log: what that adds to damage is another promise's.
            tracker.open(folder, NOWHERE, sync_interval_ms=50, ring_full_wait_ms=60000)
            tracker.run("held", 4, 2000, 200)
            expect(tracker.finish_run()[0] == 800, "not everything was kept")
            tracker.close()
        expect(len(valid_frames(folder / "queue" / "lane-00.queue-wal")) < 250, "the log was folded away")
        tracker = Tracker(options.tracker, self.account)
        tracker.open(folder, NOWHERE, no_thread=1)  # which would empty the ring, if late
        tracker.run("ring", 4, 0, 40)
        expect(tracker.finish_run()[0] == 160, "not everything was kept")
        tracker.kill()
        self.account.perhaps.clear()
        self.ring = (folder / "queue" / "lane-00.ring").read_bytes()
        expect(len(records(self.ring)) == 160, "the ring has", len(records(self.ring)), "lines")

    def fail_at(self, folder, call, number, error):
        """The n-th such call on a file of the directory fails, in a process that opens, tracks, flushes and closes."""
        shutil.copytree(self.folder / "queue", folder / "queue")
        log = folder / "strace"
        queue = folder / "queue"
        names = ["lane-00.ring", "lane-00.queue", "lane-00.queue-wal", "lane-00.queue-journal", "directory.db",
                 "directory.db-journal"]
        paths = [queue, *(queue / name for name in names)]
        account = Account()
        before = [tool("strace"), "-D", "-f", "-qq", "-o", str(log), "-e", f"trace={call}",
                  "-e", f"inject={call}:error={error}:when={number}"]
        before += [half for path in paths for half in ("-P", str(path))]
        with Collector(options.collector, folder) as collector:
            with Tracker(options.tracker, account, before=before) as tracker:
                message = tracker.open(folder, collector.url, GOOD, upload_interval_ms=100, sync_interval_ms=10)
                tracker.run("more", 2, 0, 20)
                tracker.finish_run()
                tracker.flush(5, ["0 ok", "2 still_waiting"])
                expect_balanced(tracker.stats())
                tracker.close(["0 ok", "3 cut_short"])
            happened = "INJECTED" in log.read_text()
            stats, _ = drain(folder, collector.url, Account())
            expect(stats["lost"] == stats["waiting"] == stats["evicted"] == 0, stats, message)
            collector.expect_sane()
            lines = collector.lines()
        account.kept |= self.account.kept
        account.expect_in(lines)
        return happened, message

    def open(self, folder, spoil):
        """What is missing from the lake and nobody knows why, the stats, and the message of open()."""
        shutil.copytree(self.folder / "queue", folder / "queue")
        spoil(folder / "queue")
        with Collector(options.collector, folder) as collector:
            stats, message = drain(folder, collector.url, Account())
            again, _ = drain(folder, collector.url, Account())
            counts = collector.counts()
            expect(counts["duplicate_id_under_other_key"] == counts["bytes_differ_under_same_key"] == 0, counts)
            times = collections.Counter(line["content"].get("id") for line in collector.lines())
        expect(max(times.values(), default=1) == 1, "some arrived twice:", times.most_common(3))
        expect(stats["waiting"] == again["waiting"] == 0, stats, again)
        expect(again["lost"] == stats["lost"] and again["delivered"] == stats["delivered"], stats, again)
        # A byte of a line in the database may be another without anybody's noticing: no checksum covers it there. The
        # line then arrives under another id, or is refused by the endpoint.
        changed = len(set(times) - self.account.kept)
        return len(self.account.kept - set(times)) - changed - stats["quarantined"], stats, message


def put(name, at, data):
    """Overwrites bytes of a file; at is counted from its end when negative."""
    def spoil(queue):
        with (queue / name).open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(at if at >= 0 else size + at)
            file.write(data)
    return spoil


def cut(name, size):
    """Cuts a file to so many bytes, so many less when negative, or to this share of it."""
    def spoil(queue):
        now = (queue / name).stat().st_size
        os.truncate(queue / name, int(now * size) if isinstance(size, float) else size if size >= 0 else now + size)
    return spoil


def flip(name, share, length=1):
    """Other bytes somewhere in the used part of a file."""
    def spoil(queue):
        data = (queue / name).read_bytes().rstrip(b"\0")
        at = min(int(len(data) * share), len(data) - length)
        put(name, at, bytes(byte ^ 0xA5 for byte in data[at:at + length]))(queue)
    return spoil


def remove(*names):
    def spoil(queue):
        for name in names:
            (queue / name).unlink()
    return spoil


def word(value):
    return value.to_bytes(8, "little")


def damages(remains):
    """name -> (how, how many sentences may be missing)"""
    ring, queue, log, shared = "lane-00.ring", "lane-00.queue", "lane-00.queue-wal", "directory.db"
    noise = random.Random(1).randbytes
    found = records(remains.ring)
    whole = {}

    def add(name, how, missing=0):
        whole[name] = (how, missing)

    for field, at in (("magic", 0), ("version", 8), ("id", 16), ("epoch", 24), ("capacity", 32), ("checksum", 40)):
        add(f"the ring's {field} is noise", put(ring, at, noise(8)))
    add("the ring's capacity is 0", put(ring, 32, word(0)))
    add("the ring's capacity is huge", put(ring, 32, word(1 << 62)))
    add("the ring's consumed position is 0", put(ring, 64, word(0)))
    add("the ring's consumed position is far ahead", put(ring, 64, word(1 << 60)))
    add("the ring's accepted ordinal is 0", put(ring, 72, word(0)))
    add("the ring's accepted ordinal is far ahead", put(ring, 72, word(1 << 60)))
    add("the ring's refused counts are noise", put(ring, 80, noise(32)))
    add("the ring's header is zeros", put(ring, 0, bytes(RING_HEADER)))
    add("the ring's header is noise", put(ring, 0, noise(RING_HEADER)))
    for where, number in (("first", 0), ("middle", 80), ("last", 159)):
        at, _, size = found[number]
        for field, place, length in (("position", 0, 8), ("ordinal", 8, 8), ("length", 16, 3), ("priority", 19, 1),
                                     ("checksum", 20, 4), ("payload", 24, 1), ("end", 23 + size, 1)):
            at_field = at + place
            was = remains.ring[at_field:at_field + length]
            add(f"the {where} record's {field} is another", put(ring, at_field, bytes(byte ^ 0x5A for byte in was)), 1)
    add("the ring's data is zeros", put(ring, RING_HEADER, bytes(len(remains.ring) - RING_HEADER)), 160)
    add("the ring's data is noise", put(ring, RING_HEADER, noise(len(remains.ring) - RING_HEADER)), 160)
    for size in (0, 1, 79, RING_HEADER - 1, RING_HEADER, RING_HEADER + 8, found[80][0] + 12, -8):
        after = sum(1 for at, _, length in found if at + 24 + length > size) if size >= 0 else 0
        add(f"the ring is cut to {size}", cut(ring, size), after)
    add("the ring is gone", remove(ring), 160)

    everything = 960
    for name, file in (("database", queue), ("log", log), ("directory's database", shared)):
        most = 0 if file == shared else everything
        for field, at, length in (("magic", 0, 4), ("first 24 bytes", 0, 24), ("first 100 bytes", 0, 100),
                                  ("bytes 100 to 140", 100, 40), ("first page", 0, 4096), ("second page", 4096, 4096)):
            add(f"the {name}'s {field} are noise", put(file, at, noise(length)), most)
        for share in (0.3, 0.5, 0.7, 1.0):
            add(f"a byte at {share} of the {name} is another", flip(file, share), most)
            add(f"a page at {share} of the {name} is another", flip(file, share, 4096), most)
        for size in (0, 1, 32, 4096, 0.5, -1, -4096):
            add(f"the {name} is cut to {size}", cut(file, size), most)
        add(f"the {name} is gone", remove(file), most)
        add(f"the {name} is noise", lambda queue_dir, file=file: (queue_dir / file).write_bytes(noise(50000)), most)
    add("the database and its log are gone", remove(queue, log), everything)
    add("the directory's copy is noise", lambda queue_dir: (queue_dir / "directory.copy").write_bytes(noise(100)))
    add("a journal of noise lies beside", lambda queue_dir: (queue_dir / (queue + "-journal")).write_bytes(noise(5000)))
    return whole


@promise("ring and databases damaged at every kind of place: what can be read arrives, the rest is counted lost")
def _(folder):
    (folder / "remains").mkdir()
    remains = Remains(folder / "remains")
    faults, told = [], collections.Counter()
    every = {name: one for name, one in damages(remains).items() if options.damage in name}
    for number, (name, (spoil, most)) in enumerate(every.items()):
        place = folder / str(number)
        place.mkdir()
        try:
            missing, stats, message = remains.open(place, spoil)
            expect(missing <= most, missing, "are missing, at most", most, "may be;", stats, message)
            # How many the ring had, nothing but its file knows.
            known = name not in ("the ring is gone", "the ring is cut to 0", "the ring is cut to 1")
            expect(stats["lost"] >= missing or not known, missing, "are missing;", stats, message)
            told["with nothing missing" if missing == 0 else "with some missing"] += 1
            if options.damage:
                print(f"    {name}: {missing} missing, {stats} {message}")
        except AssertionError as fault:
            faults.append(f"{name}: {fault}")
        shutil.rmtree(place, ignore_errors=True)
    expect(not faults, f"{len(faults)} of {len(every)}:\n    " + "\n    ".join(faults))
    return f"{len(every)} kinds of damage, {dict(told)}"


@promise("a log with a hole behind its checkpoint: what cannot be read is counted lost")
def _(folder):
    # SQLite reads the log up to the hole and the rest from the database, which has newer pages by then.
    account = Account()
    for number in range(40):
        tracker = Tracker(options.tracker, account)
        tracker.open(folder, NOWHERE, sync_interval_ms=10, ring_full_wait_ms=60000)
        tracker.run(f"held{number}", 4, 2000, 40)
        expect(tracker.finish_run()[0] == 160, "not everything was kept")
        tracker.kill()
        frames = valid_frames(folder / "queue" / "lane-00.queue-wal")
        if len(frames) >= 256:
            break
    expect(len(frames) >= 256, "the log has only", len(frames), "frames")
    put("lane-00.queue-wal", frames[len(frames) // 2] + 100, b"hole")(folder / "queue")
    with Collector(options.collector, folder) as collector:
        stats, _message = drain(folder, collector.url, Account())
        lines = collector.lines()
    missing = len(account.kept - {line["content"]["id"] for line in lines})
    account.expect_in(lines, lost=missing)
    expect(stats["lost"] >= missing, missing, "are missing, counted lost", stats["lost"], stats)
    return f"{missing} of {len(account.kept)} missing, {stats['lost']} counted lost"


CALLS = {"openat": "EMFILE", "pread64": "EIO", "pwrite64": "EIO", "fdatasync": "EIO", "fsync": "EIO",
         "fallocate": "ENOSPC", "mmap": "ENOMEM", "ftruncate": "EIO", "newfstatat": "EACCES", "fstatfs": "EIO",
         "unlink": "EROFS", "fcntl": "ENOLCK"}


def fail_in_turn(folder, call, error, most):
    (folder / "remains").mkdir()
    remains = Remains(folder / "remains")
    faults, in_memory, number = [], 0, 0
    happened = True
    while happened and number < most:
        number += 1
        place = folder / str(number)
        place.mkdir()
        try:
            happened, message = remains.fail_at(place, call, number, error)
            in_memory += message != "done"
        except AssertionError as fault:
            faults.append(f"the {number}. {call} answers {error}: {fault}")
        shutil.rmtree(place, ignore_errors=True)
    expect(not faults, f"{len(faults)} of {number}:\n    " + "\n    ".join(faults))
    return f"{number - (not happened)} calls, {in_memory} of them left only memory to keep in"


for call_name, errno_name in CALLS.items():
    promise(f"each {call_name} on the directory fails in its turn")(
        lambda folder, call=call_name, error=errno_name: fail_in_turn(folder, call, error, options.turns))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--tracker", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--turns", type=int, default=1000, help="of a call, at most")
parser.add_argument("--only", default="")
parser.add_argument("--at-once", type=int, default=1, help="promises")
parser.add_argument("--damage", default="", help="kinds of damage with this in their name")
options = parser.parse_args()
keep_promises(options.only, options.at_once)
