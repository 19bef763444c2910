#!/bin/sh
# Run the unit test programs, two at a time; say which failed, and end with the total that counts.
# usage: run-unit.sh BUILD PROGRAM...
set -u
build=$1
shift
OUT=$(mktemp -d "$build/unit-XXXXXX")
export OUT
trap 'rm -rf "$OUT"' EXIT
# The longest first, so that none is left to run alone at the end.
order() {
	for t in "$@"; do
		case $t in
		*/test_faults | */test_flips | */test_walk | */test_anomalies | */test_canary) echo "0 $t" ;;
		*) echo "1 $t" ;;
		esac
	done | sort -s -k1,1 | cut -d' ' -f2
}
order "$@" | xargs -P 2 -n 1 sh -c '
	name=${1##*/unit/}
	file=$OUT/$(printf %s "$name" | tr / -)
	if "$1" >"$file" 2>&1; then rc=0; else rc=$?; fi
	ok=$(grep -c "^\[       OK \]" "$file")
	[ "$rc" -eq 0 ] || cat "$file"
	echo "$ok" >>"$OUT/passed"
	[ "$rc" -eq 0 ] || echo "$name" >>"$OUT/failed"
	printf "%-28s %3d ok%s\n" "$name" "$ok" "$([ "$rc" -eq 0 ] || echo "  FAILED (exit $rc)")"' sh
touch "$OUT/failed"
bad=$(tr '\n' ' ' <"$OUT/failed")
failed=$(grep -c . "$OUT/failed")
[ -z "$bad" ] || printf 'failed: %s\n' "$bad"
printf '%d passed, %d failed\n' "$(awk '{ n += $1 } END { print n + 0 }' "$OUT/passed")" "$failed"
[ "$failed" -eq 0 ]
