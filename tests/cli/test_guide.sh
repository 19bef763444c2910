#!/bin/sh
# The guide for a first platform, followed to the letter.
# usage: test_guide.sh BUILD
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")"
exec python3 guide.py "$build"
