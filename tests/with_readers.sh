#!/usr/bin/env bash
# with_readers.sh TEST.py ARGUMENT…: runs it with the Python of build/venv, where the readers of setup.sh are installed.
# Without them the test is skipped by name (exit 77), or fails when YUKHA_STRICT=1, as in `tests/run.sh all`.
set -eu
venv=$(dirname "$0")/../build/venv
if [ ! -f "$venv/installed" ]; then
  echo "the Python packages of build/venv are missing; \`tests/run.sh contract\` installs them"
  [ "${YUKHA_STRICT:-0}" = 1 ] && exit 1
  exit 77
fi
exec "$venv/bin/python" "$@"
