#!/bin/sh
# The command line against a running engine: JSON, exit codes, pipes, what is watched, what is refused.
# usage: test_live.sh BUILD [CASE…]
set -eu
build=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")"
PYTHONDONTWRITEBYTECODE=1 exec python3 test_live.py "$build" "$@"
