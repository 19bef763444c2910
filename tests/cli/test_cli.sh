#!/bin/sh
# The command line: help, exit codes, JSON, bad configurations, keys, pipes.
# usage: test_cli.sh BUILD [CASE…]
set -eu
build=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")"
PYTHONDONTWRITEBYTECODE=1 exec python3 test_cli.py "$build" "$@"
