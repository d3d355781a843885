#!/usr/bin/env bash
# bindings/jni/test.sh            builds libyukha_jni in build/jni, then runs everything this binding promises
# bindings/jni/test.sh FOLDER     the same with the libyukha_jni that is in FOLDER
#
# YUKHA_SANITIZE=address,undefined or thread: with that sanitizer in the native half (a FOLDER must be built so).
# MAVEN_ARGUMENTS=-o: without network, once Maven has what it needs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$here/../.." && pwd)
sanitize=${YUKHA_SANITIZE:-}

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

for program in javac mvn cmake ninja; do
  command -v "$program" >/dev/null || fail "$program is missing; on Debian: openjdk-17-jdk-headless maven cmake ninja-build"
done

if [ $# -gt 0 ]; then
  library=$(cd "$1" && pwd)
else
  library=$checkout/build/jni${sanitize:+-${sanitize%%,*}}
  mkdir -p "$library"
  cmake -S "$here" -B "$library" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DYUKHA_SANITIZE="$sanitize" \
    -DYUKHA_WERROR=ON >"$library.log" 2>&1 || {
    cat "$library.log"
    fail "cmake failed"
  }
  cmake --build "$library" --target yukha_jni -j "$(nproc)"
fi
[ -f "$library/libyukha_jni.so" ] || fail "there is no libyukha_jni.so in $library"

exported=$(nm -D --defined-only "$library/libyukha_jni.so" | awk '{ print $NF }' | grep -v '^Java_dev_yukha_Native_' || true)
# A sanitizer's own symbols come and go with it.
[ -n "$sanitize" ] || [ -z "$exported" ] || fail "the library exports more than its JNI functions: $exported"

# The JVM turns some of its own faults into exceptions, so the sanitizer must leave SIGSEGV to it, and what the JVM never
# frees is no leak of ours. The sanitizer's library must be in the process before the JVM is, and in no other: a shell
# crashes with TSan's.
preload=
case $sanitize in
"") ;;
address*) preload=$(g++ -print-file-name=libasan.so) ;;
thread) preload=$(g++ -print-file-name=libtsan.so) ;;
*) fail "no sanitizer is known as $sanitize" ;;
esac
jvm=$(dirname "$(realpath "$(command -v javac)")")/java
if [ -n "$preload" ]; then
  preload=$(realpath "$preload")
  # Surefire wants a path that ends so.
  mkdir -p "$library/jvm/bin"
  printf '#!/bin/sh\nexec env LD_PRELOAD=%s %s "$@"\n' "$preload" "$jvm" >"$library/jvm/bin/java"
  chmod +x "$library/jvm/bin/java"
  jvm=$library/jvm/bin/java
fi
for_jvm=handle_segv=0:allow_user_segv_handler=1
export ASAN_OPTIONS=$for_jvm:detect_leaks=0:halt_on_error=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# TSan sees the native half alone: it takes what the JVM's own locks order for a race between JVM threads.
export TSAN_OPTIONS=$for_jvm:second_deadlock_stack=1:exitcode=66:suppressions=$here/tsan.supp

target=$library/jni-target
log=$library/jni-test.log
mkdir -p "$target"
set +e
# shellcheck disable=SC2086 # several arguments may be given
mvn -B -ntp ${MAVEN_ARGUMENTS:-} -f "$here/pom.xml" -Dyukha.target="$target" -Dyukha.library.path="$library" \
  -Dyukha.jvm="$jvm" -Dyukha.sanitized="$sanitize" clean package >"$log" 2>&1
code=$?
set -e
sed -n -E '/Running |Tests run:|ERROR|trackers;|WARNING in native|FATAL ERROR in native|BUILD/p' "$log"
[ $code -eq 0 ] || fail "Maven failed; $log has it all"
grep -q '^\[.*Tests run: [1-9]' "$log" || fail "no test was run"
# -Xcheck:jni and the sanitizers print and go on.
if grep -rE 'WARNING in native method|FATAL ERROR in native method|WARNING: JNI|runtime error:|(Address|Thread)Sanitizer' \
  "$log" "$target/surefire-reports" --include='*.log' --include='*.txt' --include='*.dump*' --include='*-output*'; then
  fail "the lines above were printed while the tests ran"
fi

# The parity test's driver, with a word on each side of every kind of answer.
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
queue=$(mktemp -d)
trap 'rm -rf "$queue"' EXIT
answers=$(
  printf '%b\n' "version" "open\tapp_id\t$(hex shop)\tqueue_dir\t$(hex "$queue")" \
    "identify\t$(hex u_1)\t$(hex session)\t-" "begin" "location\t$(hex FEED)\t$(hex y)\t$(hex 3)" "content\t$(hex card)" \
    "referral\t$(hex CLICK)" "action\t$(hex READ)\t10000\t$(hex depth)\t$(hex 1)" "user\t$(hex a)\t$(hex b)" \
    "device\t$(hex c)\t-" "at\t0" "critical" "track" "begin" "content\tnull" "action\t$(hex READ)\t-1" "track" \
    "track_json\t$(hex '{}')" "consent\t1" "get_consent" "stats" "erase" "flush\t1" "close\t1000" "begin" "track" \
    "last_error" "nonsense" "free" | YUKHA_JAVA=$jvm "$checkout/tests/hosts/java/driver.sh" "$library" "$target/driver"
)
expected="$(hex "$(sed -n 's/.*YUKHA_VERSION "\(.*\)"/\1/p' "$checkout/include/yukha/version.hpp")")
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
0 ok
-24 bad_argument
-10 missing_action
0 ok
1
1 0 1 0 0 0 0 2
0 ok
0 ok
0 ok
0 ok
-2 closed
$(hex 'the tracker was closed')
unknown
0 ok"
[ "$answers" = "${expected//1 0 1 0 0 0 0 2/$(printf '1\t0\t1\t0\t0\t0\t0\t2')}" ] || {
  diff <(printf '%s\n' "$expected") <(printf '%s\n' "$answers") || true
  fail "the driver answered something else"
}
echo "the driver answers as tests/hosts/PROTOCOL.md says"
