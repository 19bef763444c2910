#!/bin/sh
# The screen from end to end, in tmux, against an engine that plays recorded states.
# usage: test_screen.sh BUILD [CASE…]
set -eu
build=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")"
exec python3 test_screen.py "$build" "$@"
