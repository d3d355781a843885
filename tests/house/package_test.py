#!/usr/bin/env python3
"""An installed yukha can be built against: by find_package and by pkg-config, shared and static, from any folder.

    package_test.py --build build/release

Installs into a temporary prefix, moves it (an installed tree may lie anywhere), builds quickstart.cpp and quickstart.c
against it outside the checkout, and runs each result. Nothing listens where they send to, so their sentences wait.
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
PROJECT = """
cmake_minimum_required(VERSION 3.20)
project(app LANGUAGES CXX)
find_package(yukha %s REQUIRED)
foreach(kind IN ITEMS static shared)
  add_executable(app_${kind} quickstart.cpp)
  target_link_libraries(app_${kind} PRIVATE yukha::${kind})
endforeach()
add_executable(app_default quickstart.cpp)
target_link_libraries(app_default PRIVATE yukha::yukha)
"""


class Broken(Exception):
    pass


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, check=False, **options)
    if done.returncode != 0:
        raise Broken(f"{' '.join(str(word) for word in command)}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def all_run(programs):
    """Each keeps its sentence, then looks for a collector for five seconds; so all of them at once."""
    started = []
    for program, environment in programs:
        folder = tempfile.mkdtemp(dir=program.parent)
        started.append(subprocess.Popen([str(program)], cwd=folder, env=dict(os.environ, **environment), text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    for process in started:
        said, _ = process.communicate(timeout=60)
        must(process.returncode == 0 and re.search("track: (done|ok)", said) and "flush:" in said,
             f"{process.args[0]} ended with {process.returncode} and said:\n{said}")


def needs_our_library(program):
    return "libyukha.so" in run("readelf", "-d", program)


def must(truth, what):
    if not truth:
        raise Broken(what)


def by_find_package(prefix, work, version):
    source = work / "cmake-app"
    source.mkdir()
    shutil.copy(CHECKOUT / "examples/quickstart/quickstart.cpp", source)
    (source / "CMakeLists.txt").write_text(PROJECT % version)
    build = source / "build"
    run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release",
        "-DBUILD_SHARED_LIBS=ON")
    run("cmake", "--build", build, "-j", "2")
    for program, shared in (("app_static", False), ("app_shared", True), ("app_default", True)):
        must(needs_our_library(build / program) == shared, f"{program} is linked the wrong way")
    return [(build / f"app_{kind}", {}) for kind in ("static", "shared", "default")]


def by_pkg_config(prefix, work, version):
    folder = next(prefix.glob("**/pkgconfig"))
    environment = dict(os.environ, PKG_CONFIG_PATH=str(folder))

    def flags(*arguments):
        return run("pkg-config", *arguments, env=environment).split()

    must(flags("--modversion", "yukha") == [version], "yukha.pc has another version")
    programs = []
    for name, shared in (("yukha", True), ("yukha-static", False)):
        program = work / f"pc-{name}"
        run("g++", "-std=c++17", CHECKOUT / "examples/quickstart/quickstart.cpp", "-o", program,
            *flags("--cflags", "--libs", name))
        must(needs_our_library(program) == shared, f"{name}.pc links the wrong way")
        programs.append((program, {"LD_LIBRARY_PATH": str(folder.parent)}))
    program = work / "pc-c"
    run("gcc", "-std=c99", CHECKOUT / "examples/quickstart/quickstart.c", "-o", program,
        *flags("--cflags", "--libs", "yukha"))
    programs.append((program, {"LD_LIBRARY_PATH": str(folder.parent)}))
    return programs


def exports_only_ours(prefix):
    """A symbol of someone else's in our table could take the place of the app's own copy of it."""
    library = next(prefix.glob("**/libyukha.so"))
    others = []
    for line in run("nm", "-D", "--defined-only", "-C", library).splitlines():
        kind, name = line.split(None, 2)[1:]
        # Weak symbols of the standard library are templates the compiler wrote out; every program has them.
        if kind in "WVuv" and re.search(r"\bstd::|__gnu_cxx::|DW\.ref", name):
            continue
        if not re.search(r"\byukha(::|_)", name):
            others.append(line)
    must(not others, "libyukha.so shows what is not its own:\n" + "\n".join(others[:20]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="a finished build folder, for example build/release")
    arguments = parser.parse_args()
    version = re.search(r'YUKHA_VERSION "(.*)"', (CHECKOUT / "include/yukha/version.hpp").read_text())[1]
    with tempfile.TemporaryDirectory(prefix="yukha-package-") as folder:
        work = pathlib.Path(folder)
        try:
            run("cmake", "--install", arguments.build, "--prefix", work / "staged")
            prefix = work / "moved here"
            (work / "staged").rename(prefix)
            # CMake takes a blank in a path; pkg-config's output is split at it by every build system.
            all_run(by_find_package(prefix, work, version))
            prefix = prefix.rename(work / "moved")
            all_run(by_pkg_config(prefix, work, version))
            exports_only_ours(prefix)
        except Broken as fault:
            print(f"FAIL {fault}")
            return 1
    print("built and run against an installed prefix: find_package and pkg-config, shared and static")
    return 0


if __name__ == "__main__":
    sys.exit(main())
