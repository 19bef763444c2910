#!/bin/sh
# Run each fuzzer for a while, from its seeds, two at a time. A crash leaves its input beside the build and fails.
# usage: fuzz.sh BUILD SECONDS FUZZER...
set -u
BUILD=$1 SECONDS_EACH=$2
shift 2
HERE=$(dirname "$0")
export BUILD SECONDS_EACH HERE
printf '%s\n' "$@" | xargs -P 2 -n 1 sh -c '
	name=${1##*/}
	corpus=$BUILD/fuzz/corpus-$name
	mkdir -p "$corpus"
	seeds=
	[ -d "$HERE/corpus/$name" ] && seeds=$HERE/corpus/$name
	if "$1" -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$BUILD/fuzz/$name-" "$corpus" $seeds >"$BUILD/fuzz/$name.log" 2>&1; then
		printf "%-18s %s runs\n" "$name" "$(sed -n "s/^stat::number_of_executed_units: *//p" "$BUILD/fuzz/$name.log")"
	else
		tail -n 30 "$BUILD/fuzz/$name.log"
		printf "%-18s FAILED\n" "$name"
		exit 1
	fi' sh
