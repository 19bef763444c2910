#!/bin/sh
# warroomd as a process: hostile API use, crashes, a ledger directory in every bad state. The files run two at a time:
# each has its own engine and directory, and mostly waits.
# usage: engine.sh BUILD
cd "$(dirname "$0")" || exit 1
build=$(cd ../.. && cd "$1" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# shellcheck disable=SC2012
ls -S test_*.py | BUILD="$build" OUT="$out" xargs -P 2 -n 1 sh -c '
	start=$(date +%s)
	/usr/bin/python3 "$1" "$BUILD" >"$OUT/$1" 2>&1
	code=$?
	echo "$1: $(($(date +%s) - start)) s" >>"$OUT/$1"
	cat "$OUT/$1"
	exit $code' sh
rc=$?
rm -rf __pycache__
exit $rc
