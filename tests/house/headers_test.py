#!/usr/bin/env python3
"""What an app sees compiles alone, in the strictest of houses, and beside other people's macros.

Each public header by itself, without exceptions and RTTI, as C++17 and C++20; yukha.h as C99 and C11, too. With g++ and
with clang++ where it is installed (YUKHA_STRICT=1: it must be).
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = sorted(path.name for path in (CHECKOUT / "include/yukha").glob("*.h*"))
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", f"-I{CHECKOUT / 'include'}"]

# What windows.h, X.h, Objective-C, Unreal and Boost leave behind as macros.
HOSTILE = """
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define ERROR 0
#define interface struct
#define small char
#define near
#define far
#define check(x) do { } while (0)
#define verify(x) do { } while (0)
#define TEXT(x) L##x
#define None 0L
#define Bool int
#define True 1
#define False 0
#define YES 1
#define NO 0
#define DELETE 0x00010000L
#define IN
#define OUT
"""
HOSTILE_TO_C = HOSTILE + "#define Status int\n#define event 1\n#define params 2\n#define ref 3\n#define lock 4\n"


def cases():
    """(what is tried, the compiler, its arguments, the source)"""
    compilers = [("g++", "gcc")]
    if shutil.which("clang++"):
        compilers.append(("clang++", "clang"))
    elif os.environ.get("YUKHA_STRICT") == "1":
        sys.exit("FAIL clang++ is not installed")
    else:
        print("skipped: clang++, which is not installed")
    for cxx, c in compilers:
        for header in HEADERS:
            # Twice, so that the guard is tried as well.
            source = f"#include <yukha/{header}>\n#include <yukha/{header}>\n"
            for standard in ("c++17", "c++20"):
                # -x: the ending of the source says nothing then.
                yield (f"{header} alone, {standard}", cxx,
                       ["-x", "c++", f"-std={standard}", "-fno-exceptions", "-fno-rtti"], source)
        for standard in ("c99", "c11"):
            arguments = ["-x", "c", f"-std={standard}", "-Wstrict-prototypes"]
            yield f"yukha.h alone, {standard}", c, arguments, "#include <yukha/yukha.h>\n"
            yield (f"yukha.h beside hostile macros, {standard}", c, arguments,
                   f"#include <stddef.h>\n#include <stdint.h>\n{HOSTILE_TO_C}#include <yukha/yukha.h>\n")
        standard_headers = "".join(sorted(set(re.findall(
            r"^#include <[a-z_]+>\n", "".join((CHECKOUT / "include/yukha" / header).read_text() for header in HEADERS),
            re.MULTILINE))))
        yield ("yukha.hpp beside hostile macros", cxx, ["-x", "c++", "-std=c++17", "-fno-exceptions", "-fno-rtti"],
               f"{standard_headers}{HOSTILE}#include <yukha/yukha.hpp>\n")


def compiles(number, compiler, arguments, source, folder):
    path = pathlib.Path(folder) / f"case_{number}.txt"
    path.write_text(source)
    done = subprocess.run([compiler, *arguments, *STRICT, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=600, check=False)
    return done.returncode == 0, done.stdout


def main():
    faults = 0
    with tempfile.TemporaryDirectory(prefix="yukha-headers-") as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tried = [(what, compiler, pool.submit(compiles, number, compiler, arguments, source, folder))
                 for number, (what, compiler, arguments, source) in enumerate(cases())]
        for what, compiler, outcome in tried:
            good, said = outcome.result()
            if not good:
                faults += 1
                print(f"FAIL {what}, {compiler}:\n{said[:2000]}")
        # The strict flags are on: what they forbid does not pass.
        good, _ = compiles("wrong", "g++", ["-x", "c++", "-std=c++17", "-fno-exceptions"],
                           "void f() { throw 1; }\n", folder)
        if good:
            faults += 1
            print("FAIL a throw was let through, so nothing above proves anything")
    if not faults:
        print(f"{len(tried)} ways to include {len(HEADERS)} headers")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
