#!/usr/bin/env python3
"""yukha.h and libyukha.so as a foreign function interface sees them.

    python3 tests/hosts/header_test.py --library build/release/libyukha.so
    python3 tests/hosts/header_test.py --write

What stands between the header's two marks goes into LuaJIT's ffi.cdef as it is, and every function of it is found in the
library. For C the library exports the functions of the header and no other name; for C++ only what is in yukha::. It is
gone after dlclose. bindings/lua carries the header's declarations letter for letter.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
MARKED = re.compile(r"^/\* ffi\.cdef begins \*/\n(.*?)^/\* ffi\.cdef ends \*/$", re.DOTALL | re.MULTILINE)
# A C++ name of ours, or what an app that implements our interface needs of it.
OURS = re.compile(r"^((typeinfo|typeinfo name|vtable) for )?yukha::")

PROBE = """
local ffi = require("ffi")
ffi.cdef [[%s]]
local C = ffi.load(arg[1])
for i = 2, #arg do assert(C[arg[i]] ~= nil, arg[i]) end
assert(C.YUKHA_RING_FULL == -1 and C.YUKHA_DENIED == 2)
assert(ffi.sizeof("yukha_member") == 3 * ffi.sizeof("size_t"))
local config = ffi.new("yukha_config")
C.yukha_config_init(config, ffi.sizeof(config))
assert(config.bytes == ffi.sizeof(config))
assert(ffi.string(C.yukha_result_name(-1)) == "ring_full")
print(#arg - 1)
"""


def said(*command, **how):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
                          **how)


def exported(library, *options):
    lines = said("nm", "-D", "--defined-only", *options, library).stdout.splitlines()
    # The first two words are the address and the kind.
    return [line.split(" ", 2)[2] for line in lines if line.count(" ") >= 2]


def main():
    parser = argparse.ArgumentParser()
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--library")
    what.add_argument("--write", action="store_true", help="bring the header's declarations into bindings/lua")
    options = parser.parse_args()
    faults = []
    header = (CHECKOUT / "include/yukha/yukha.h").read_text()
    marked = MARKED.search(header)[1]
    binding_file = CHECKOUT / "bindings/lua/yukha.lua"
    binding = binding_file.read_text()
    declared = re.search(r"ffi\.cdef \[\[\n(.*?)\]\]", binding, re.DOTALL)
    if options.write:
        binding_file.write_text(binding[:declared.start(1)] + marked.strip() + "\n" + binding[declared.end(1):])
        return 0
    code = re.sub(r"/\*.*?\*/", "", marked, flags=re.DOTALL)
    functions = sorted(re.findall(r"\b(yukha_\w+)\(", code))

    if re.search(r"^\s*#", code, re.MULTILINE):
        faults.append("a line for the preprocessor stands between the marks")
    for word in ("bool", "long", "inline", "..."):
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", code):
            faults.append(f"{word} in a declaration")

    if shutil.which("luajit"):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as probe:
            probe.write(PROBE % marked)
            probe.flush()
            tried = said("luajit", probe.name, options.library, *functions)
            if tried.returncode != 0 or tried.stdout.strip() != str(len(functions)):
                faults.append(f"LuaJIT: {tried.stdout.strip()}")
            if said("luajit", probe.name, options.library, "yukha_no_such_function").returncode == 0:
                faults.append("LuaJIT: a function that is not there was found")
    elif os.environ.get("YUKHA_STRICT") == "1":
        faults.append("luajit is not installed")
    else:
        print("skipped: luajit, which is not installed")

    if declared[1].strip() != marked.strip():
        faults.append("bindings/lua/yukha.lua does not carry the header's declarations as they are; --write brings them")

    c_names = sorted(name for name in exported(options.library) if not name.startswith("_Z"))
    if c_names != functions:
        faults.append(f"for C: only in the library {sorted(set(c_names) - set(functions))}, "
                      f"only in the header {sorted(set(functions) - set(c_names))}")
    foreign = [name for name in exported(options.library, "-C")
               if name not in c_names and not OURS.match(name)]
    if foreign:
        faults.append(f"{len(foreign)} exported names are not ours, for example {foreign[0][:120]}")

    # A name that is unique in the whole process (STB_GNU_UNIQUE) pins the library: an editor could not take it back.
    unload = ("import ctypes, _ctypes, sys\n"
              "handle = ctypes.CDLL(sys.argv[1]); handle.yukha_version()\n"
              "_ctypes.dlclose(handle._handle)\n"
              "sys.exit(any('libyukha' in line for line in open('/proc/self/maps')))\n")
    if said(sys.executable, "-c", unload, os.path.realpath(options.library)).returncode != 0:
        faults.append("the library is still there after dlclose")

    for fault in faults:
        print(f"FAIL {fault}")
    if not faults:
        print(f"{len(functions)} functions, each found through LuaJIT, and nothing else is exported")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
