#!/usr/bin/env bash
# tests/campaign.sh [NAME] [--minutes N] [--seed N]: the long runs, in slices, for as long as it is let (60 minutes). The
# names are simulation, bugs, kill, crash, disk and fuzz; without one they take turns.
#
# It begins with a seed that nobody chose, or with the one it is given, and goes on where it stopped, also after a kill:
# build/campaign/NAME.next holds the next seed, and NAME.log a line for each slice: when, commit, first seed, count, outcome, seconds. What a failed slice said is kept beside them.
# Exit 1 when a slice of this run failed. Not part of tests/run.sh.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$YUKHA_CHECKOUT"

names=(simulation bugs kill crash disk fuzz)
minutes=60
first_seed=
while [ $# -gt 0 ]; do
  case $1 in
  simulation | bugs | kill | crash | disk | fuzz) names=("$1") ;;
  --minutes)
    minutes=${2:?--minutes wants a number}
    shift
    ;;
  --seed)
    first_seed=${2:?--seed wants a number}
    shift
    ;;
  *) fail "usage: tests/campaign.sh [simulation | bugs | kill | crash | disk | fuzz] [--minutes N] [--seed N]" ;;
  esac
  shift
done

programs=build/release/examples
# slice NAME SEED: prints what it did; its exit code is the verdict. slice_size is how many seeds it uses up.
declare -A slice_size=([simulation]=1000 [bugs]=1 [kill]=2 [crash]=5 [disk]=1 [fuzz]=2)
# A slice of fuzz is two fuzzers for 15 minutes, which go on with what they found so far; six slices are all of them.
fuzzers=(tests/fuzz/corpus/*/)
fuzzer() { basename "${fuzzers[($1 - 1) % ${#fuzzers[@]}]}"; }
# Recorded inputs where there are some, as tests/CMakeLists.txt looks for them, else those that the build makes.
inputs=${YUKHA_DATA:-../shared/data}
[ -f "$inputs/deskdrop_users_interactions.csv.gz" ] || inputs=build/release/inputs
tracker=(--collector $programs/yukha-collector --tracker build/release/tests/yukha_tracker)
slice() {
  case $1 in
  simulation) build/release/tests/yukha_simulation --lives "${slice_size[simulation]}" --seed "$2" ;;
  bugs) tests/simulation/planted_bugs.py ;;
  kill)
    python3 tests/replay/kill_test.py --collector $programs/yukha-collector --replay $programs/yukha-replay \
      --data "$inputs" --seeds 1 --first-seed "$2" &&
      python3 tests/replay/kill_test.py --collector $programs/yukha-collector --replay $programs/yukha-replay \
        --data "$inputs" --seeds 1 --first-seed $(($2 + 1)) --kill-collector
    ;;
  crash)
    local seed
    for ((seed = $2; seed < $2 + slice_size[crash]; ++seed)); do
      python3 tests/crash/kill_test.py "${tracker[@]}" --kills 100 --seed "$seed" || return 1
    done
    python3 tests/crash/together_test.py "${tracker[@]}" --seed "$2" --seconds 60 --stopped 60
    ;;
  disk)
    python3 tests/disk/disk_test.py "${tracker[@]}" &&
      python3 tests/disk/limits_test.py "${tracker[@]}" --only "one tracker" --million 10000000
    ;;
  fuzz) tests/fuzz/run.sh 900 "$(fuzzer "$2")" "$(fuzzer $(($2 + 1)))" ;;
  esac
}

install_packages "${packages_to_build[@]}" "${packages_of_all[@]}"
build release
folder=build/campaign
mkdir -p "$folder"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
git diff --quiet HEAD 2>/dev/null || commit=$commit+changes

for name in "${names[@]}"; do
  if [ -n "$first_seed" ] || [ ! -s "$folder/$name.next" ]; then
    echo "${first_seed:-$(new_seed)}" >"$folder/$name.next"
  fi
  say "$name begins with --seed $(cat "$folder/$name.next")"
done

failures=0
until=$((SECONDS + minutes * 60))
while [ "$SECONDS" -lt "$until" ]; do
  for name in "${names[@]}"; do
    seed=$(cat "$folder/$name.next")
    began=$SECONDS outcome=passed
    said=$folder/$name-$seed.txt
    if slice "$name" "$seed" >"$said" 2>&1; then
      rm "$said"
    else
      outcome=FAILED
      failures=$((failures + 1))
    fi
    printf '%s %s %s seed %s count %s %s %s s\n' "$(date -u +%FT%TZ)" "$commit" "$name" "$seed" \
      "${slice_size[$name]}" "$outcome" $((SECONDS - began)) | tee -a "$folder/$name.log"
    echo $((seed + slice_size[$name])) >"$folder/$name.next.new"
    mv "$folder/$name.next.new" "$folder/$name.next"
  done
done
[ $failures -eq 0 ] || fail "$failures slices failed; $folder says how"
