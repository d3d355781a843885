#!/usr/bin/env bash
# From a fresh Debian 12 machine to sentences in a lake, through an outage and a SIGKILL, in one command.
# Uses loopback only, writes outside build/ only into a temporary folder, and takes that away again.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tests/setup.sh"

key=app-2026-11:c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=
programs=$YUKHA_CHECKOUT/build/release/examples
folder=$(mktemp -d "${TMPDIR:-/tmp}/yukha-quickstart.XXXXXX")
collector=
journey=
touch "$folder/diary"

clean_up() {
  local process
  for process in "$journey" "$collector"; do
    [ -z "$process" ] || kill -KILL "$process" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# wait_for SECONDS WHAT COMMAND…: until the command succeeds.
wait_for() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || {
      tail -n 20 "$folder"/*.log >&2 || true
      fail "$what did not happen in time"
    }
    sleep 0.05
  done
}

# start_collector PORT: 0 lets it choose one; `port` is what it listens on.
start_collector() {
  rm -f "$folder/ready"
  "$programs/yukha-collector" --port "$1" --lake "$folder/lake" --key "$key" --ready-file "$folder/ready" \
    >>"$folder/collector.log" 2>&1 &
  collector=$!
  wait_for 20 "the collector's start" test -s "$folder/ready"
  port=$(cat "$folder/ready")
}

# SIGTERM lets it finish the open lake file.
stop_collector() {
  kill -TERM "$collector"
  wait "$collector" || fail "the collector ended with an error"
  collector=
}

start_journey() {
  "$programs/yukha-journey" --queue "$folder/queue" --endpoint "http://127.0.0.1:$port" --key "$key" \
    --diary "$folder/diary" "$@" >"$folder/journey.out" 2>>"$folder/journey.log" &
  journey=$!
}

steps_in_diary() { wc -l <"$folder/diary"; }
diary_has() { [ "$(steps_in_diary)" -ge "$1" ]; }
lake_has_a_file() { compgen -G "$folder/lake/dt=*/hour=*/*.json.gz" >/dev/null; }

say "1. Setting up this machine and building build/release"
install_packages "${packages_to_build[@]}"
build release --target yukha-collector yukha-replay yukha-quickstart yukha-journey

say "2. The collector starts, and people walk through a small shop"
start_collector 0
echo "the collector listens on 127.0.0.1:$port; each step of a visit becomes a sentence"
start_journey --steps 100000
wait_for 30 "300 steps" diary_has 300
wait_for 30 "the first lake file" lake_has_a_file
echo "$(steps_in_diary) steps so far, and the first file is in the lake"

say "3. The network goes away; they walk on"
stop_collector
steps=$(steps_in_diary)
wait_for 30 "300 more steps" diary_has $((steps + 300))
echo "$(($(steps_in_diary) - steps)) steps since then"

say "4. The app is killed with SIGKILL in the middle"
# In braces, or the shell reports the death of its child in words of its own.
{ kill -KILL "$journey" && wait "$journey"; } 2>/dev/null || true
journey=
steps=$(steps_in_diary)
echo "the diary ends at step $steps"

say "5. The app starts again, still without a network, and goes on"
start_journey --steps 300 --deadline 60
wait_for 30 "200 more steps" diary_has $((steps + 200))
waiting=$(sed -n 's/ sentences wait from before$//p' "$folder/journey.out")
echo "it found $waiting sentences waiting from before; $(($(steps_in_diary) - steps)) more steps"
[ "${waiting:-0}" -gt 0 ] || fail "nothing waited when the app was killed"

say "6. The network comes back: the same port, the same lake"
start_collector "$port"
wait "$journey" || {
  cat "$folder/journey.log" >&2
  fail "not everything was delivered"
}
journey=
stop_collector
echo "nothing waits any more"

say "7. What became of every sentence"
tail -n 1 "$folder/journey.out" >"$folder/ledger.json"
python3 "$YUKHA_CHECKOUT/examples/quickstart/lake_report.py" --lake "$folder/lake" --diary "$folder/diary" \
  --ledger "$folder/ledger.json"
printf '\nDone in %s s. The programs stay in build/release/examples.\n' "$SECONDS"
