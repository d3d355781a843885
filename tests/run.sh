#!/usr/bin/env bash
# tests/run.sh                     the short run: the core's tests, a few minutes on two cores
# tests/run.sh ci                  what a change is likely to break, with sanitizers and lint; what CI runs
# tests/run.sh all [--seed N]      ci, and the long tests, with seeds that nobody ran before; they are told
# tests/run.sh [--short] LABEL…    every test with one of these labels, in build/release; --short: without the long ones
#
# On a fresh Debian 12 it installs what it needs. tests/README.md lists the labels, and what each leg of ci and all took.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$YUKHA_CHECKOUT"

# A finding of a sanitizer ends the program that has it, and is written down: the test that drives the program may take
# its end for a crash that it wanted.
reports=$YUKHA_CHECKOUT/build/reports
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:log_path="'$reports/asan'"
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path="'$reports/ubsan'"
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:log_path="'$reports/tsan'"
TSAN_OPTIONS+=:suppressions="'$YUKHA_CHECKOUT/tests/tsan.supp'"

# one_of LABEL…: the regular expression for ctest -L.
one_of() {
  local IFS='|'
  printf '^(%s)$' "$*"
}

# run_tests PRESET CTEST ARGUMENT… Two more than there are cores: many tests wait for a deadline most of their time.
run_tests() {
  ctest --test-dir "build/$1" --output-on-failure --no-tests=error -j $(($(nproc) + 2)) "${@:2}"
}

# ctest is content when a label names no test. We are not: a misspelt label would prove nothing for ever.
must_have_tests() {
  local label
  for label in "$@"; do
    [[ $(ctest --test-dir build/release -N -L "$(one_of "$label")" "${left_out[@]}") =~ "Total Tests: "[1-9] ]] ||
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
    xargs -P "$(nproc)" -n 4 clang-tidy -p build/asan --quiet 2>/dev/null # which only counts what it left out
  echo "nothing found"
}

# sanitized PRESET CTEST ARGUMENT…: the tests, and no report of the sanitizer's beside them.
sanitized() {
  rm -rf "$reports"
  mkdir -p "$reports"
  local code=0
  run_tests "$@" || code=$?
  if compgen -G "$reports/*" >/dev/null; then
    head -n 60 "$reports"/*
    fail "the sanitizer found something"
  fi
  return $code
}

# Everything is compiled, with clang and all of its warnings, thread safety among them.
sanitize_addresses() {
  cmake_options=(-DYUKHA_OBJC=ON)
  build asan
  sanitized asan -L "$(one_of unit life contract simulation hosts guest)" "$@"
}

# Only what has threads. In a child of a process with threads the sanitizer stands still.
sanitize_threads() {
  cmake_options=()
  build tsan --target yukha_unit_test yukha_life_test yukha_host_test yukha_driver_c yukha_driver_cpp yukha-collector \
    yukha-replay yukha_inputs yukha_shared yukha_guests
  sanitized tsan -L "$(one_of threads guest)" -LE '^long$' -E '^guest_fork$'
}

# The bindings whose programs are not all ours: JVM and GNUstep have no sanitizer in them.
sanitize_bindings() {
  local sanitizers
  for sanitizers in address,undefined thread; do
    YUKHA_SANITIZE=$sanitizers bindings/jni/test.sh
  done
  cmake -S . -B build/objc-thread -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang \
    -DCMAKE_CXX_COMPILER=clang++ -DYUKHA_SANITIZE=thread -DYUKHA_OBJC=ON -DYUKHA_EXAMPLES=OFF >/dev/null
  cmake --build build/objc-thread -j "$(nproc)" --target yukha_objc_test
  run_tests objc-thread -R '^objc_binding$'
}

# Reads of what nobody wrote, which the sanitizers do not look for, and leaks of the system's libraries too. Left out
# are the cases that would take valgrind a quarter of an hour, and a forked child, which leaves all memory to its parent.
check_memory() {
  valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    build/release/tests/yukha_unit_test --minimal -tse=exhaustive "-tce=in a forked child*"
}

# A clone of what is committed, in a folder whose name is not plain, with nothing beside it. It goes when we end.
strangers_folder=
stranger=
make_stranger() {
  git rev-parse --git-dir >/dev/null || fail "ci and all clone this checkout, which git does not take for one"
  strangers_folder=$(cd "$(mktemp -d "${TMPDIR:-/tmp}/yukha-XXXXXX")" && pwd)
  trap 'rm -rf "$strangers_folder"' EXIT
  stranger="$strangers_folder/neu und 육하/yukha"
  git clone -q . "$stranger"
  [ -z "$(git status --porcelain)" ] || say "The clone has what is committed, and not what was changed since"
  localedef -i de_DE -f UTF-8 "$strangers_folder/de_DE.UTF-8"
}

# as_a_stranger LOG COMMAND…: in the clone, with nothing of this environment: no home, no $YUKHA_DATA, Debian's own
# programs alone, and a locale that writes a comma before decimals.
as_a_stranger() {
  (
    cd "$stranger"
    [ "$(ls ..)" = yukha ] || fail "there is something beside the clone"
    as=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LOCPATH="$strangers_folder" LC_ALL=de_DE.UTF-8)
    [ "$("${as[@]}" locale decimal_point)" = , ] || fail "the locale is not the one that was made"
    "${as[@]}" "${@:2}"
  ) | tee "$1"
}

can_mount() {
  mkdir -p build/mounted
  mount -t tmpfs tmpfs build/mounted 2>/dev/null && umount build/mounted
}

# The table at its end must say that all arrived.
strangers_quickstart() {
  local log=build/stranger-quickstart.log steps arrived
  as_a_stranger $log examples/quickstart.sh
  table_row() { sed -nE "s/^  $1 +([0-9]+) .*/\1/p" $log; }
  steps=$(table_row "steps in the diary")
  arrived=$(table_row "in the lake")
  [ "${steps:-0}" -gt 0 ] && [ "$steps" = "$arrived" ] && [ "$(table_row lost)$(table_row "twice in the lake")" = 00 ] ||
    fail "the quickstart's table says $steps steps, and $arrived in the lake"
}

# Only what asks another registry than Debian's may be skipped, and what must mount where a container forbids it.
strangers_short_run() {
  local log=build/stranger-short-run.log skipped
  as_a_stranger $log tests/run.sh
  skipped=$(grep -oP 'Test +#\d+: \K\S+(?= \.*\*\*\*(Skipped|Not Run))' $log | sort | xargs || true)
  case $skipped in
  other_readers) ;;
  "disk_is_full disk_is_too_small other_readers") ! can_mount ;;
  *) false ;;
  esac || fail "skipped in the clone, where only other_readers may be: ${skipped:-nothing}"
}

# What the short run leaves out of ci: bindings in other languages, packages, and readers made by others.
release_beside_the_short_run() {
  YUKHA_STRICT=1 "$stranger/tests/run.sh" --short hosts package readers guest ci
  cd "$stranger"
  check_memory
}

# Every long test, and the second run of the quickstart on a machine that had one.
long_release() {
  build release
  run_tests release -L '^long$'
  examples/quickstart.sh
}

# Seconds of CPU of everything that this shell waited for, in $cpu.
measure_cpu() {
  times >build/times # here: a shell of its own would tell of itself
  cpu=$(awk 'NR == 2 {gsub("[ms]", " "); split($0, t, " "); printf "%d", (t[1] + t[3]) * 60 + t[2] + t[4]}' build/times)
}

# leg NAME WHAT COMMAND…: the others run even when one fails. build/legs.tsv has in the end for each of which run it is,
# how it ended, its seconds by the clock and of CPU, its name and what it runs; tests/legs_table.py makes the table of
# tests/README.md of it.
run_of_legs=ci
failed_legs=0
leg() {
  local name=$1 what=$2 began=$SECONDS outcome=passed cpu before
  shift 2
  say "$name"
  measure_cpu
  before=$cpu
  set +e
  (
    set -e
    "$@"
  )
  [ $? -eq 0 ] || outcome=FAILED
  set -e
  [ $outcome = passed ] || failed_legs=$((failed_legs + 1))
  measure_cpu
  printf '%s\t' $run_of_legs $outcome $((SECONDS - began)) $((cpu - before)) "$name" >>build/legs.part
  printf '%s\n' "$what" >>build/legs.part
}

ci() {
  install_packages "${packages_to_build[@]}" "${packages_of_readers[@]}" "${packages_of_all[@]}"
  with_hosts
  mkdir -p build
  : >build/legs.part
  make_stranger
  leg "a stranger's quickstart" "a clone with nothing beside it and no environment: \`examples/quickstart.sh\`" \
    strangers_quickstart
  leg "a stranger's short run" "in that clone: \`tests/run.sh\`" strangers_short_run
  leg "release, the rest" "in that clone: \`hosts\`, \`package\`, \`readers\`, \`guest\` and \`ci\` without \`long\`; valgrind over the unit tests" \
    release_beside_the_short_run
  leg "address and undefined behaviour sanitizers" \
    "everything compiled by clang with \`-Wthread-safety\`; \`unit\`, \`life\`, \`contract\`, \`simulation\` (40 lives), \`hosts\`, \`guest\` without \`long\`" \
    sanitize_addresses -LE "$(one_of long ci readers)"
  leg "thread sanitizer" "\`threads\`; \`guest\` but \`guest_fork\`" sanitize_threads
  leg "clang-format" "every C and C++ file" check_format
  leg "reference" "Doxygen over the public headers, without a warning" .ci/reference.sh
  leg "clang-tidy" "\`src\` and \`examples\`, by \`.clang-tidy\`" check_lint
}

all() {
  local seed=${1:-$(new_seed)}
  say "The long tests take their seeds from $seed; repeat them with tests/run.sh all --seed $seed"
  ci
  export YUKHA_SEED=$seed
  install_readers || fail "the readers could not be installed"
  run_of_legs=all
  leg "release, long" "in this checkout: \`long\`; the quickstart again" long_release
  leg "sanitizers, long" "the \`long\` tests of the sanitizers' labels but \`guest\`" \
    sanitize_addresses -L '^long$' -LE "$(one_of readers guest)"
  leg "bindings under sanitizers" "\`bindings/jni/test.sh\` twice, the Objective-C binding with the thread sanitizer" \
    sanitize_bindings
  leg "fuzzers" "\`tests/fuzz/run.sh 60 --seed N\`: 12 targets, two at a time" tests/fuzz/run.sh 60 --seed "$seed"
  say "To repeat: tests/run.sh all --seed $seed"
}

# ci and all end here.
summary() {
  mv build/legs.part build/legs.tsv
  say "What was run, in $((SECONDS / 60)) minutes"
  printf '%s\n' "how      minutes     CPU  leg"
  awk -F'\t' '{printf "%-7s %8.1f %7.1f  %s\n", $2, $3 / 60, $4 / 60, $5; m += $3; c += $4}
              END {printf "%-7s %8.1f %7.1f\n", "", m / 60, c / 60}' build/legs.tsv
  [ $failed_legs -eq 0 ] || fail "$failed_legs of $(wc -l <build/legs.tsv) legs failed"
}

usage="usage: tests/run.sh [ci | all [--seed N] | [--short] LABEL…]"
case ${1-short run} in
"short run")
  install_packages "${packages_to_build[@]}"
  build release
  run_tests release -L "$(one_of unit life contract simulation crash disk)" -LE "$(one_of long ci)"
  ;;
ci | all)
  [ $# -eq 1 ] || [[ "$*" =~ ^all\ --seed\ [0-9]+$ ]] || fail "$usage"
  export YUKHA_STRICT=1
  unset YUKHA_SEED # ci has the same seeds each time
  "$1" "${3-}"
  summary
  ;;
*)
  left_out=()
  if [ "$1" = --short ]; then
    left_out=(-LE '^long$')
    shift
  fi
  [[ ${1--} != -* ]] || fail "$usage"
  install_packages "${packages_to_build[@]}"
  install_readers || say "Without the readers; the tests that need them are skipped"
  if [[ " $* " == *" hosts "* ]]; then with_hosts; fi
  build release
  must_have_tests "$@"
  run_tests release -L "$(one_of "$@")" "${left_out[@]}"
  ;;
esac
