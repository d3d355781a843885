#!/usr/bin/env python3
"""However a host uses SQLite and libcurl, and whatever copies of them and of us it has, what is kept arrives.

libraries_test.py --program PROGRAM --library LIBRARY --collector COLLECTOR [--only TEXT]
"""
import argparse
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import PATIENCE_S, Collector, Missing, expect, keep_promises, promise  # noqa: E402

OK, LANE_HELD, BAD_CONFIG = 0, -30, -20


def run(folder, shape, file="-"):
    """{name: (what open() answered, how many were kept, what it said)}; all that was kept has arrived once."""
    folder = folder / shape
    folder.mkdir()
    with Collector(options.collector, folder) as collector:
        done = subprocess.run([options.program, shape, str(folder), collector.url, str(file)], capture_output=True,
                              text=True, timeout=PATIENCE_S, check=False)
        told = {}
        for line in done.stdout.splitlines():
            name, code, kept, message = line.split(" ", 3)
            told[name] = (int(code), int(kept), message)
        expect(done.returncode == 0, shape, "ended with", done.returncode, told, done.stderr[-2000:])
        collector.expect_sane()
        collector.expect_once(f"{name}-{i}" for name, (_, kept, _) in told.items() for i in range(kept))
    return told


def all_ok(folder, *shapes, file="-"):
    total = 0
    for shape in shapes:
        told = run(folder, shape, file)
        expect(told and all(code == OK and kept > 0 for code, kept, _ in told.values()), shape, told)
        total += sum(kept for _, kept, _ in told.values())
    return f"{total} sentences"


@promise("an SQLite without locks is refused with its cure, but where one thread does all")
def _(folder):
    for shape in ("singlethread", "compiled_singlethread"):
        told = run(folder, shape)
        code, kept, message = told["refused"]
        expect(code == BAD_CONFIG and kept == 0, shape, told)
        expect("SQLITE_CONFIG_SINGLETHREAD" in message and "SQLITE_CONFIG_MULTITHREAD" in message, message)
        expect(shape != "singlethread" or told["cured"][:2] == (OK, 200), told)
    return all_ok(folder, "singlethread_without_thread")


@promise("a default VFS of the app's, which refuses every file, is never asked by us")
def _(folder):
    return all_ok(folder, "vfs_before", "vfs_after")


@promise("SQLite's other modes, a limit on its heap, a shared cache and mapped files change nothing for us")
def _(folder):
    return all_ok(folder, "multithread", "serialized", "soft_limit", "shared_cache", "mapped")


@promise("while no tracker is open SQLite may be shut down, and libcurl be cleaned up once too often")
def _(folder):
    return all_ok(folder, "shut_down")


@promise("a second SQLite in the process that opens and closes our files costs no lane and no sentence")
def _(folder):
    other = pathlib.Path(options.program).parent / "yukha_guest_other_sqlite.so"
    if not other.exists():
        raise Missing("libsqlite3.a")
    return all_ok(folder, "second_sqlite_reads", "second_sqlite_writes", file=other)


@promise("a second copy of the library works beside the first, and can be unloaded")
def _(folder):
    copy = folder / "libplugin.so"
    shutil.copy(options.library, copy)
    return all_ok(folder, "second_yukha", "second_yukha_elsewhere", "second_yukha_unloaded", file=copy)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", required=True)
parser.add_argument("--library", required=True)
parser.add_argument("--collector", required=True)
parser.add_argument("--in-full", action="store_true")
parser.add_argument("--only", default="")
options = parser.parse_args()
keep_promises(options.only)
