# What tests/run.sh, tests/campaign.sh and examples/quickstart.sh need from a machine. Sourced by them, never run.
# A fresh Debian 12 is enough: what is missing is installed. On another system it says what is needed and goes on.

export YUKHA_CHECKOUT
YUKHA_CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# ccache keeps what it compiled at home, and compiles nothing where it has none that it may write to.
[ -w "${HOME-}" ] || export CCACHE_DIR=${CCACHE_DIR:-$YUKHA_CHECKOUT/build/ccache}

# For what the examples and the short tests build and run.
packages_to_build=(g++ cmake ninja-build pkg-config ccache libcurl4-openssl-dev libsqlite3-dev zlib1g-dev libssl-dev
  nlohmann-json3-dev doctest-dev libcpp-httplib-dev libvalijson-dev libre2-dev
  libhowardhinnant-date-dev tzdata python3)
# For the second readers of the contract, which come from PyPI.
packages_of_readers=(python3-venv)
readers=(jsonschema http-message-signatures duckdb)
# For the bindings and their tests. Maven brings JUnit and Kotlin by itself.
packages_of_hosts=(openjdk-17-jdk-headless maven clang gobjc libgnustep-base-dev make luajit love)
# For `tests/run.sh all` beyond that.
packages_of_all=(git clang clang-tidy clang-format libclang-rt-14-dev valgrind strace fiu-utils nghttp2-proxy openssl
  faketime locales doxygen)

say() { printf '\n==> %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# One that nobody chose, and that a test can be given again.
new_seed() { echo $((1 + $(od -An -N4 -tu4 /dev/urandom) % 2000000000)); }

# install_packages NAME…: apt-get, and only for what is missing.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "This is not a Debian system; these packages' equivalents must be here: $*"
    return 0
  fi
  local missing=() name
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "please install as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# install_readers: the Python packages by others that judge our output, in build/venv.
install_readers() {
  local venv=$YUKHA_CHECKOUT/build/venv wanted="${readers[*]}"
  [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ] && return 0
  install_packages "${packages_of_readers[@]}" || return 1
  say "Installing ${readers[*]} into build/venv"
  rm -rf "$venv"
  # Debian's own Python, for which python3-venv is.
  local python=/usr/bin/python3
  [ -x "$python" ] || python=python3
  "$python" -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "${readers[@]}" &&
    printf '%s' "$wanted" >"$venv/installed"
}

# What a configuration is asked for beyond its preset.
cmake_options=()
with_hosts() {
  install_packages "${packages_of_hosts[@]}"
  cmake_options=(-DYUKHA_JNI=ON -DYUKHA_OBJC=ON)
}

# build PRESET [CMAKE BUILD ARGUMENT…]
build() {
  local preset=$1 log=$YUKHA_CHECKOUT/build/configure-$1.log
  shift
  mkdir -p "$YUKHA_CHECKOUT/build"
  cd "$YUKHA_CHECKOUT" || exit 1
  cmake --preset "$preset" "${cmake_options[@]}" >"$log" 2>&1 || {
    cat "$log"
    fail "cmake --preset $preset failed"
  }
  cmake --build --preset "$preset" -j "$(nproc)" "$@" || fail "the build of $preset failed"
}
