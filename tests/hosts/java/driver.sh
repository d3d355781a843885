#!/usr/bin/env bash
# tests/hosts/java/driver.sh LIBRARY_FOLDER CLASS_FOLDER: Driver.java, with the libyukha_jni of the first folder. Needs a
# JDK and no Maven. The classes are compiled into the second folder when a source is younger.
# YUKHA_JAVA: the java to run them with.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
classes=$2
sources=("$here/Driver.java" "$here"/../../../bindings/jni/src/main/java/dev/yukha/*.java)
stale=yes
if [ -f "$classes/compiled" ]; then
  stale=
  for source in "${sources[@]}"; do
    [ "$source" -ot "$classes/compiled" ] || stale=yes
  done
fi
if [ -n "$stale" ]; then
  mkdir -p "$classes"
  javac --release 8 -Xlint:all,-options -Werror -encoding UTF-8 -d "$classes" "${sources[@]}"
  touch "$classes/compiled"
fi
exec "${YUKHA_JAVA:-java}" -Xcheck:jni -Djava.library.path="$1" -cp "$classes" Driver
