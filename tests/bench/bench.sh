#!/bin/sh
# Figures, as ratios within one run where a machine's own speed matters.
# usage: bench.sh BUILD
set -eu
build=$1
"$build/bench/bench_probes"
"$build/bench/bench_ledger" 3
