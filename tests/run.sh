#!/usr/bin/env bash
# tests/run.sh            the short run: unit, life, contract, simulation, short crash and disk, a few minutes on two cores
# tests/run.sh all        everything, with sanitizers, clang, format and lint; skips nothing
# tests/run.sh LABEL…     every test with one of these labels, in build/release; tests/README.md lists the labels
#
# On a fresh Debian 12 it installs what it needs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$YUKHA_CHECKOUT"

# A finding of a sanitizer ends the program that has it, and is written down: the test that drives the program may take
# its end for a crash that it wanted.
reports=$YUKHA_CHECKOUT/build/reports
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:log_path=$reports/asan
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path=$reports/ubsan
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:log_path=$reports/tsan
TSAN_OPTIONS+=:suppressions=$YUKHA_CHECKOUT/tests/tsan.supp

# one_of LABEL…: the regular expression for ctest -L.
one_of() {
  local IFS='|'
  printf '^(%s)$' "$*"
}

# run_tests PRESET CTEST ARGUMENT… One more than there are cores: many tests wait for a deadline most of their time.
run_tests() {
  ctest --test-dir "build/$1" --output-on-failure --no-tests=error -j $(($(nproc) + 1)) "${@:2}"
}

# ctest is content when a label names no test. We are not: a misspelt label would prove nothing for ever.
must_have_tests() {
  local label
  for label in "$@"; do
    [[ $(ctest --test-dir build/release -N -L "$(one_of "$label")") =~ "Total Tests: "[1-9] ]] ||
      fail "no test has the label $label"
  done
}

check_format() {
  find include src examples tests bindings -name '*.[ch]pp' -o -name '*.[ch]' | sort |
    xargs clang-format --dry-run -Werror
  echo "every file is formatted"
}

# The library and the examples. The tests' macros make every check cry.
check_lint() {
  find src examples -name '*.cpp' ! -name '*_apple.cpp' | sort |
    xargs -P "$(nproc)" -n 4 clang-tidy -p build/clang --quiet 2>/dev/null # which only counts what it left out
  echo "nothing found"
}

build_and_test() {
  build "$1"
  run_tests "$@"
}

sanitize() {
  rm -rf "$reports"
  mkdir -p "$reports"
  local code=0
  build "$1"
  run_tests "$@" -L "$(one_of unit life contract simulation hosts)" -LE '^long$' || code=$?
  if compgen -G "$reports/*" >/dev/null; then
    head -n 60 "$reports"/*
    fail "the sanitizer found something"
  fi
  return $code
}

# The bindings whose programs are not all ours: JVM and GNUstep have no sanitizer in them.
sanitize_bindings() {
  local sanitizers preset
  for sanitizers in address,undefined thread; do
    YUKHA_SANITIZE=$sanitizers bindings/jni/test.sh
    preset=objc-${sanitizers%%,*}
    cmake -S . -B "build/$preset" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang \
      -DCMAKE_CXX_COMPILER=clang++ -DYUKHA_SANITIZE="$sanitizers" -DYUKHA_OBJC=ON -DYUKHA_EXAMPLES=OFF >/dev/null
    cmake --build "build/$preset" -j "$(nproc)" --target yukha_objc_test
    run_tests "$preset" -R '^objc_binding$'
  done
}

check_thread_safety() {
  build clang
  run_tests clang -L "$(one_of unit)" -LE '^long$'
}

# Reads of what nobody wrote, which the sanitizers do not look for, and leaks of the system's libraries too. Left out:
# three cases that go through thousands of files or hours of virtual time and would take valgrind a quarter of an hour,
# and a forked child, which leaves all memory to its parent.
check_memory() {
  valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    build/release/tests/yukha_unit_test --minimal \
    "-tce=an hour of any*,every answer of the vectors*,a file cut at any byte*,in a forked child*"
}

quickstart_twice() {
  examples/quickstart.sh
  examples/quickstart.sh
}

legs=()
failed_legs=0

# leg NAME COMMAND…: the others run even when one fails.
leg() {
  local name=$1 began=$SECONDS code
  shift
  say "$name"
  set +e
  (
    set -e
    "$@"
  )
  code=$?
  set -e
  local outcome=passed
  if [ $code -ne 0 ]; then
    outcome=FAILED
    failed_legs=$((failed_legs + 1))
  fi
  legs+=("$(printf '%-7s %5d s  %s' "$outcome" $((SECONDS - began)) "$name")")
}

all() {
  export YUKHA_STRICT=1
  install_packages "${packages_to_build[@]}" "${packages_of_readers[@]}" "${packages_of_all[@]}"
  install_readers || fail "the readers could not be installed"
  with_hosts
  leg "release: every test" build_and_test release
  cmake_options=()
  leg "clang: warnings, thread safety, unit tests" check_thread_safety
  leg "clang-format" check_format
  leg "clang-tidy" check_lint
  leg "address and undefined behaviour sanitizers" sanitize asan
  leg "thread sanitizer" sanitize tsan
  leg "valgrind: unit tests" check_memory
  leg "bindings under sanitizers" sanitize_bindings
  leg "fuzzers, 60 s each" tests/fuzz/run.sh 60 --seed 1
  leg "the quickstart, twice" quickstart_twice
  say "What was run, in $((SECONDS / 60)) minutes"
  printf '%s\n' "${legs[@]}"
  [ $failed_legs -eq 0 ] || fail "$failed_legs of ${#legs[@]} failed"
}

case ${1-} in
"")
  install_packages "${packages_to_build[@]}"
  build release
  run_tests release -L "$(one_of unit life contract simulation crash disk)" -LE '^long$'
  ;;
all) all ;;
-*) fail "usage: tests/run.sh [all | LABEL…]" ;;
*)
  install_packages "${packages_to_build[@]}"
  install_readers || say "Without the readers; the tests that need them are skipped"
  if [[ " $* " == *" hosts "* ]]; then with_hosts; fi
  build release
  must_have_tests "$@"
  run_tests release -L "$(one_of "$@")"
  ;;
esac
