#!/bin/sh
# warroomd as a process: hostile API use, crashes, a ledger directory in every bad state.
# usage: engine.sh BUILD
cd "$(dirname "$0")" || exit 1
rc=0
for t in test_*.py; do
	/usr/bin/python3 "$t" "$(cd ../.. && cd "$1" && pwd)" || rc=1
done
rm -rf __pycache__
exit $rc
