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
