#!/usr/bin/env bash
# tests/fuzz/run.sh SECONDS [--seed N] [NAME…]: each fuzzer for so long, two at a time, and a table of what it saw.
#
# Each begins with its folder of corpus/ and what earlier runs found, which is kept in build/fuzz/corpus. An input that
# broke something is kept in build/fuzz/findings/NAME. Exit 1 when there was a crash, a leak, a timeout or too much
# memory.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"
cd "$YUKHA_CHECKOUT"
usage="usage: tests/fuzz/run.sh SECONDS [--seed N] [NAME…]"
[[ ${1-} =~ ^[1-9][0-9]*$ ]] || fail "$usage"
seconds=$1
shift
seed=0 # of libFuzzer's own choice
if [ "${1-}" = --seed ]; then
  [[ ${2-} =~ ^[0-9]+$ ]] || fail "$usage"
  seed=$2
  shift 2
fi
every=()
for source in tests/fuzz/*.cpp; do
  name=$(basename "$source" .cpp)
  [ "$name" = replay ] || every+=("$name")
done
names=("$@")
[ ${#names[@]} -gt 0 ] || names=("${every[@]}")
for name in "${names[@]}"; do
  [ -d "tests/fuzz/corpus/$name" ] || fail "there is no fuzzer $name; there are: ${every[*]}"
done

install_packages "${packages_to_build[@]}" clang libclang-rt-14-dev
build fuzz

# A report ends the program, and libFuzzer keeps the input. What was freed is kept from use for a while, in as much
# memory as leaves room below the limit.
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:quarantine_size_mb=64
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# Some targets write small files for each input; they need not reach a disk.
if [ -z "${TMPDIR-}" ] && [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi

logs=build/fuzz/logs findings=build/fuzz/findings
mkdir -p "$logs" "$findings"

# run_one NAME
run_one() {
  mkdir -p "build/fuzz/corpus/$1" "$findings/$1"
  build/fuzz/tests/yukha_fuzz_"$1" -seed="$seed" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=30 \
    -max_len=4096 -len_control=10 -print_final_stats=1 -artifact_prefix="$findings/$1/" "build/fuzz/corpus/$1" \
    "tests/fuzz/corpus/$1" >"$logs/$1.log" 2>&1 || touch "$logs/$1.failed"
}

for name in "${names[@]}"; do
  rm -f "$logs/$name.log" "$logs/$name.failed"
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
  run_one "$name" &
done
wait

# number PATTERN FILE: the last one behind the pattern, or 0.
number() {
  local found
  found=$(grep -oE "$1 *[0-9]+" "$2" | tail -n 1 | grep -oE '[0-9]+$' || true)
  echo "${found:-0}"
}
failures=0
printf '%-12s %12s %9s %10s %8s\n' target executions coverage "new units" crashes
for name in "${names[@]}"; do
  log=$logs/$name.log crashes=0
  [ ! -e "$logs/$name.failed" ] || crashes=1
  failures=$((failures + crashes))
  printf '%-12s %12s %9s %10s %8s\n' "$name" "$(number 'number_of_executed_units:' "$log")" "$(number 'cov:' "$log")" \
    "$(number 'new_units_added:' "$log")" "$crashes"
done
for name in "${names[@]}"; do
  [ -e "$logs/$name.failed" ] || continue
  say "$name"
  grep -vE '^#[0-9]+\s' "$logs/$name.log" | tail -n 60
done
[ $failures -eq 0 ] || fail "$failures of ${#names[@]} fuzzers found something; $findings has the inputs"
