#!/bin/sh
# Run each unit test program; say which failed, and end with the total that counts.
# usage: run-unit.sh BUILD PROGRAM...
set -u
build=$1
shift
passed=0 failed=0 bad=
for t in "$@"; do
	out=$build/unit-output.$$
	if "$t" >"$out" 2>&1; then rc=0; else rc=$?; fi
	ok=$(grep -c '^\[       OK \]' "$out")
	ko=$(grep -c '^\[  FAILED  \].*[^)]$' "$out")
	passed=$((passed + ok))
	if [ "$rc" -ne 0 ]; then
		[ "$ko" -gt 0 ] || ko=1
		cat "$out"
		bad="$bad ${t##*/}"
	fi
	[ "$rc" -eq 0 ] || failed=$((failed + 1))
	printf '%-28s %3d ok%s\n' "${t##*/unit/}" "$ok" "$([ "$rc" -eq 0 ] || echo "  FAILED (exit $rc)")"
	rm -f "$out"
done
[ -z "$bad" ] || printf 'failed:%s\n' "$bad"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
