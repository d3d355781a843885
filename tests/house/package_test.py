#!/usr/bin/env python3
"""Others can build with yukha: each way that the README names, built outside the checkout and run.

    package_test.py --build build/release

The ways are find_package and pkg-config against an installed prefix that was moved (an installed tree may lie anywhere),
add_subdirectory and FetchContent under a parent with settings of its own, each from C++ and from C, shared and static.
Nothing listens where the programs send to, so their sentences wait. Prints a line for each way; exit 1 when one fails.
"""
import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = CHECKOUT / "examples/quickstart"
SHARED_OR_STATIC = [("shared", True), ("static", False)]
# Compiled quickly; how fast and small a release is stands in other tests.
QUICK = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DCMAKE_C_FLAGS_DEBUG=-O0"]
if shutil.which("ccache"):
    QUICK += [f"-DCMAKE_{language}_COMPILER_LAUNCHER=ccache" for language in ("C", "CXX")]

FIND_PACKAGE = """
cmake_minimum_required(VERSION 3.21)
project(app LANGUAGES @LANGUAGE@)
find_package(yukha @VERSION@ REQUIRED)
foreach(kind IN ITEMS @KINDS@)
  add_executable(app_${kind} @SOURCE@)
  target_link_libraries(app_${kind} PRIVATE yukha::${kind})
endforeach()
"""
# An engine: no exceptions, no RTTI, one translation unit of many, warnings that are errors, a newer standard.
ENGINE = """
cmake_minimum_required(VERSION 3.21)
set(CMAKE_CXX_FLAGS "-fno-exceptions -fno-rtti -fno-threadsafe-statics" CACHE STRING "")
project(engine LANGUAGES CXX C)
add_compile_options(-fno-exceptions -Wall -Werror)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_UNITY_BUILD ON)
add_subdirectory("@CHECKOUT@" yukha)
add_subdirectory("@CHECKOUT@" yukha_of_a_plugin)
add_executable(game quickstart.cpp)
target_link_libraries(game PRIVATE yukha::yukha)
add_executable(game_in_c quickstart.c)
target_link_libraries(game_in_c PRIVATE yukha::yukha)
"""
# An app of a newer standard that wants no warning, and is installed with the shared library it links.
FETCHES = """
cmake_minimum_required(VERSION 3.21)
project(app LANGUAGES CXX)
add_compile_options(-Wall -Wextra -Werror)
set(CMAKE_CXX_STANDARD 20)
include(FetchContent)
set(BUILD_SHARED_LIBS ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib")
set(CMAKE_INSTALL_LIBDIR lib)
FetchContent_Declare(yukha SOURCE_DIR "@CHECKOUT@")
FetchContent_MakeAvailable(yukha)
add_executable(app quickstart.cpp)
target_link_libraries(app PRIVATE yukha::yukha)
install(TARGETS app RUNTIME DESTINATION bin)
"""
ONLY_C = """
cmake_minimum_required(VERSION 3.21)
project(game LANGUAGES C)
add_subdirectory("@CHECKOUT@" yukha)
"""


class Broken(Exception):
    pass


def run(*command, fails=False, **options):
    """What it printed. It must succeed, or fail when that is wanted."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=1200, check=False, **options)
    if (done.returncode != 0) != fails:
        raise Broken(f"{' '.join(str(word) for word in command)}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def must(truth, what):
    if not truth:
        raise Broken(what)


class Ways:
    """Programs that were built, each with the way it was; all are run together, because each looks for an endpoint."""

    def __init__(self):
        self.programs = []

    def add(self, way, program, shared, **environment):
        must(("libyukha.so" in run("readelf", "-d", program)) == shared, f"{way}: {program} is linked the other way")
        self.programs.append((way, program, environment))

    def run_all(self):
        started = []
        for way, program, environment in self.programs:
            folder = tempfile.mkdtemp(dir=program.parent)
            started.append((way, subprocess.Popen([str(program)], cwd=folder, env=dict(os.environ, **environment),
                                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)))
        for way, process in started:
            said, _ = process.communicate(timeout=300)
            must(process.returncode == 0 and re.search("track: (done|ok)", said) and "flush:" in said,
                 f"{way}: {process.args[0]} ended with {process.returncode} and said:\n{said}")
            print(f"{way:<64} built and run")


def project(folder, text, **values):
    """A project of somebody else's in that folder, with both samples beside it."""
    folder.mkdir()
    for sample in ("quickstart.cpp", "quickstart.c"):
        shutil.copy(SAMPLES / sample, folder)
    for name, value in values.items():
        text = text.replace(f"@{name.upper()}@", str(value))
    (folder / "CMakeLists.txt").write_text(text.replace("@CHECKOUT@", CHECKOUT.as_posix()))
    return folder


def configure_and_build(source, *options):
    build = source / "build"
    run("cmake", "-S", source, "-B", build, *QUICK, *options)
    run("cmake", "--build", build, "-j", "2")
    return build


def by_find_package(ways, prefix, work, version):
    for language, sample in (("CXX", "quickstart.cpp"), ("C", "quickstart.c")):
        source = project(work / f"find-{language}", FIND_PACKAGE, language=language, version=version, source=sample,
                         kinds="shared static yukha")
        build = configure_and_build(source, f"-DCMAKE_PREFIX_PATH={prefix}", "-DBUILD_SHARED_LIBS=ON")
        for kind, shared in [*SHARED_OR_STATIC, ("yukha", True)]:
            ways.add(f"find_package, {language}, yukha::{kind}", build / f"app_{kind}", shared)


def compile_with_pkg_config(compiler, source, program, module, prefix):
    environment = dict(os.environ, PKG_CONFIG_PATH=str(next(prefix.glob("**/pkgconfig"))))
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", module, env=environment))
    run(*compiler, source, "-o", program, *flags)


def by_pkg_config(ways, prefix, work, version):
    libraries = next(prefix.glob("**/pkgconfig")).parent
    told = run("pkg-config", "--modversion", libraries / "pkgconfig/yukha.pc").strip()
    must(told == version, f"yukha.pc has version {told}")
    for module, shared in (("yukha", True), ("yukha-static", False)):
        for compiler, sample in ((["g++", "-std=c++17"], "quickstart.cpp"), (["gcc", "-std=c99"], "quickstart.c")):
            program = work / f"{module}-{compiler[0]}"
            compile_with_pkg_config(compiler, SAMPLES / sample, program, module, prefix)
            ways.add(f"pkg-config {module}, {compiler[0]}", program, shared, LD_LIBRARY_PATH=str(libraries))


def by_components(ways, build, work):
    """Runtime is what a finished program needs and no more; with Development beside it, all is there."""
    runtime, whole = work / "runtime", work / "whole"
    run("cmake", "--install", build, "--prefix", runtime, "--component", "Runtime")
    names = sorted(path.name for path in runtime.rglob("*") if not path.is_dir())
    must(re.fullmatch(r"LICENSE libyukha\.so\.0 libyukha\.so\.\d+\.\d+\.\d+", " ".join(names)),
         f"the component Runtime brings {names}")
    for component in ("Runtime", "Development"):
        run("cmake", "--install", build, "--prefix", whole, "--component", component)
    program = work / "with-components"
    libraries = next(whole.glob("**/libyukha.so")).parent
    run("gcc", "-std=c99", SAMPLES / "quickstart.c", "-o", program, "-I", whole / "include", f"-L{libraries}", "-lyukha")
    ways.add("component Development to build, Runtime to run, C", program, True,
             LD_LIBRARY_PATH=str(next(runtime.glob("**/libyukha.so.0")).parent))


def with_one_library(ways, work, version):
    """YUKHA_LINKAGE: one library is built and installed, and yukha::yukha is that one, whatever else is asked for."""
    for kind, shared in SHARED_OR_STATIC:
        build, prefix = work / f"only-{kind}-build", work / f"only-{kind}"
        # Distributions give whole paths.
        options = ["-DYUKHA_TESTS=OFF", "-DYUKHA_EXAMPLES=OFF", f"-DYUKHA_LINKAGE={kind}",
                   f"-DCMAKE_INSTALL_PREFIX={prefix}", f"-DCMAKE_INSTALL_LIBDIR={prefix}/lib"]
        run("cmake", "-S", CHECKOUT, "-B", build, *QUICK, *options)
        run("cmake", "--build", build, "-j", "2", "--target", "install")
        libraries = [path.name for path in prefix.rglob("libyukha.*") if not path.is_symlink()]
        modules = sorted(path.name for path in prefix.rglob("*.pc"))
        must(re.fullmatch(r"libyukha\.so\.\d+\.\d+\.\d+" if shared else r"libyukha\.a", " ".join(libraries)),
             f"YUKHA_LINKAGE={kind} installs {libraries}")
        must(modules == (["yukha.pc"] if shared else ["yukha-static.pc"]), f"YUKHA_LINKAGE={kind} installs {modules}")
        program = work / f"pc-only-{kind}"
        compile_with_pkg_config(["gcc", "-std=c99"], SAMPLES / "quickstart.c", program, modules[0][:-3], prefix)
        ways.add(f"YUKHA_LINKAGE={kind}, pkg-config {modules[0][:-3]}, gcc", program, shared,
                 LD_LIBRARY_PATH=f"{prefix}/lib")
        source = project(work / f"find-only-{kind}", FIND_PACKAGE, language="CXX", version=version,
                         source="quickstart.cpp", kinds="yukha")
        # The shared library hides what it is made of: an app needs nothing of it.
        hidden = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in ("CURL", "SQLite3", "ZLIB", "OpenSSL") if shared]
        built = configure_and_build(source, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DBUILD_SHARED_LIBS={not shared}", *hidden)
        ways.add(f"YUKHA_LINKAGE={kind}, find_package, yukha::yukha", built / "app_yukha", shared)


def refusals(work):
    """What cannot be built is refused when it is configured, in words that say what to do."""
    only_c = project(work / "only-c", ONLY_C)
    for source, options, answer in ((CHECKOUT, ["-DYUKHA_LINKAGE=dynamic"], "must be static, shared or both"),
                                    (CHECKOUT, ["-DYUKHA_LINKAGE=static", "-DYUKHA_TESTS=ON"], "add -DYUKHA_TESTS=OFF"),
                                    (only_c, [], "add CXX to the languages")):
        said = run("cmake", "-S", source, "-B", work / "refused" / source.name, *QUICK, *options, fails=True)
        must(answer in " ".join(said.split()), f"{options} is refused with other words:\n{said}")


def under_an_engine(ways, work):
    build = configure_and_build(project(work / "engine", ENGINE))
    ways.add("add_subdirectory, -fno-exceptions -fno-rtti, unity, C++", build / "game", False)
    ways.add("add_subdirectory, -fno-exceptions -fno-rtti, unity, C", build / "game_in_c", False)
    cache = (build / "CMakeCache.txt").read_text()
    for name in ("BUILD_SHARED_LIBS", "YUKHA_CCACHE"):
        must(not re.search(rf"^{name}:", cache, re.MULTILINE), f"{name} is in the parent's cache")
    must(not list(build.rglob("libyukha.so*")), "a parent that links the static library builds the shared one as well")
    run("cmake", "--install", build, "--prefix", work / "engine-installed")
    installed = [path.name for path in (work / "engine-installed").rglob("*") if not path.is_dir()]
    must(not installed, f"a parent that installs nothing and links the static library installs {installed}")


def under_an_app_that_fetches(ways, work):
    source = project(work / "fetches", FETCHES)
    build = configure_and_build(source, "-DCMAKE_BUILD_TYPE=Release")
    must(not list(build.rglob("libyukha.a")), "a parent that links the shared library builds the static one as well")
    prefix = work / "app installed"
    run("cmake", "--install", build, "--prefix", work / "app-staged")
    (work / "app-staged").rename(prefix)
    installed = sorted(path.name for path in prefix.rglob("*") if not path.is_dir())
    must(re.fullmatch(r"app libyukha\.so\.0 libyukha\.so\.\d+\.\d+\.\d+", " ".join(installed)),
         f"the app is installed with {installed}")
    shutil.rmtree(build)
    ways.add("FetchContent, shared, installed and moved", prefix / "bin/app", True)


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
    build = parser.parse_args().build
    version = re.search(r'YUKHA_VERSION "(.*)"', (CHECKOUT / "include/yukha/version.hpp").read_text())[1]
    with tempfile.TemporaryDirectory(prefix="yukha-package-") as folder:
        work = pathlib.Path(folder)
        ways = Ways()
        try:
            run("cmake", "--install", build, "--prefix", work / "staged")
            prefix = (work / "staged").rename(work / "moved here 육하")
            for path in prefix.rglob("*"):
                must(path.suffix not in (".cmake", ".pc") or str(work) not in path.read_text(),
                     f"{path.name} names the folder it was installed into")
            exports_only_ours(prefix)
            by_find_package(ways, prefix, work, version)
            # CMake takes a blank in a path; pkg-config's output is split at it by every build system.
            plain = work / "moved"
            shutil.copytree(prefix, plain, symlinks=True)
            by_pkg_config(ways, plain, work, version)
            by_components(ways, build, work)
            with_one_library(ways, work, version)
            refusals(work)
            under_an_engine(ways, work)
            under_an_app_that_fetches(ways, work)
            ways.run_all()
        except Broken as fault:
            print(f"FAIL {fault}")
            return 1
    print(f"{len(ways.programs)} ways to build with yukha")
    return 0


if __name__ == "__main__":
    sys.exit(main())
