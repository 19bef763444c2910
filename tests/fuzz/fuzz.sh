#!/bin/sh
# Run each fuzzer for a while, from its seeds. A crash leaves its input beside the build and fails.
# usage: fuzz.sh BUILD SECONDS FUZZER...
set -u
build=$1 seconds=$2
shift 2
here=$(dirname "$0")
passed=0 failed=0
for f in "$@"; do
	name=${f##*/}
	corpus=$build/fuzz/corpus-$name
	mkdir -p "$corpus"
	seeds=
	[ -d "$here/corpus/$name" ] && seeds=$here/corpus/$name
	# shellcheck disable=SC2086
	if "$f" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$build/fuzz/$name-" \
		"$corpus" $seeds >"$build/fuzz/$name.log" 2>&1; then
		passed=$((passed + 1))
		printf '%-18s %s runs\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/fuzz/$name.log")"
	else
		failed=$((failed + 1))
		printf '%-18s FAILED\n' "$name"
		tail -n 30 "$build/fuzz/$name.log"
	fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
