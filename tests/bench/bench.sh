#!/bin/sh
# Figures, as ratios within one run where a machine's own speed matters.
# usage: bench.sh BUILD
set -eu
build=$(cd "$1" && pwd)
"$build/bench/bench_probes"
"$build/bench/bench_append"
"$build/bench/bench_verify"
"$build/bench/bench_restore"
/usr/bin/python3 "$(dirname "$0")/bench_sqlite.py"
# 1,000 probes a second and 50 clients at once: the engine still decides and answers.
(cd "$(dirname "$0")/../engine" && /usr/bin/python3 load.py "$build")
# Every single bit of a ledger of 200 receipts, flipped: minutes, so the unit tests take every 17th.
make --no-print-directory -C "$(dirname "$0")/../.." BUILD="$build" "$build/unit/ledger/test_flips" >/dev/null
WR_FLIPS=all "$build/unit/ledger/test_flips" 2>&1 | grep bits
