#!/bin/sh
# The whole demo in text: outage, failover, failback, a verified ledger, and nothing left behind.
# usage: test_auto.sh BUILD
set -u
tmp=$(mktemp -d)
out=$tmp/out
trap 'rm -rf "$tmp"' EXIT
TMPDIR=$tmp LC_ALL=C.UTF-8 "$1/warroom" demo --auto >"$out" 2>&1
code=$?
bad=0
[ $code -eq 0 ] || { echo "demo: exit $code"; bad=1; }
grep -q '^Chain integrity: VERIFIED' "$out" || { echo "demo: the ledger is not verified"; bad=1; }
[ "$(grep -c ' completed$' "$out")" -eq 2 ] || { echo "demo: not both operations completed"; bad=1; }
left=$(find "$tmp" -mindepth 1 ! -name out)
[ -z "$left" ] || { echo "demo: left behind: $left"; bad=1; }
if ps -eo args | grep -F "$tmp" | grep -vq grep; then
	echo "demo: a process still runs"
	bad=1
fi
[ $bad -eq 0 ] || cat "$out"
exit $bad
