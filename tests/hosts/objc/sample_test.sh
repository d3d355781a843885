#!/usr/bin/env bash
# sample_test.sh SAMPLE FOLDER: the page in FOLDER shows the sample byte for byte, and the sample runs.
set -euo pipefail
sample=$(realpath "$1")
page=$2/README.md
fail() {
  echo "FAIL $*"
  exit 1
}

shown=$(awk '/^<!-- sample: bindings\/objc\/sample.m -->$/ { found = 1; next }
  found && /^```objc$/ { inside = 1; next } inside && /^```$/ { exit } inside' "$page")
built=$(awk '/^\/\/ readme\]$/ { exit } inside; /^\/\/ \[readme$/ { inside = 1 }' "$2/sample.m")
[ -n "$built" ] && [ "$shown" = "$built" ] || fail "the page shows something else than the sample"

# The sample keeps its queue where it is started.
folder=$(mktemp -d "${TMPDIR:-/tmp}/yukha-objc-sample.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
said=$("$sample")
# Whether somebody listens on the sample's port is not this test's business.
case $said in
$'track: ok\nflush: ok' | $'track: ok\nflush: still_waiting') ;;
*) fail "it said: $said" ;;
esac
[ -d events ] || fail "it made no queue directory"
echo "1 passed, 0 failed"
