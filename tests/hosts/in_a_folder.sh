#!/usr/bin/env bash
# in_a_folder.sh COMMAND…: runs it with every @ among its words replaced by a folder of its own, which is removed.
set -u
folder=$(mktemp -d "${TMPDIR:-/tmp}/yukha-hosts.XXXXXX")
trap 'rm -rf "$folder"' EXIT
words=()
for word in "$@"; do
  [ "$word" = @ ] && word=$folder
  words+=("$word")
done
"${words[@]}"
