#!/bin/sh
# The tests beyond the unit tests, in order; each prints its own account. Ends with the total that counts.
# usage: run-all.sh BUILD
set -u
build=$1
cd "$(dirname "$0")/.."
passed=0 failed=0 bad=
run() { # NAME COMMAND...
	name=$1
	shift
	start=$(date +%s)
	if "$@"; then
		passed=$((passed + 1))
		printf '== %-22s ok  (%s s)\n' "$name" "$(($(date +%s) - start))"
	else
		failed=$((failed + 1))
		bad="$bad $name"
		printf '== %-22s FAILED\n' "$name"
	fi
}
for t in tests/ledger/agree.sh tests/cli/*.sh tests/engine/*.sh tests/tui/test_*.sh tests/demo/*.sh; do
	[ -x "$t" ] && run "${t#tests/}" "$t" "$build"
done
run lab tests/lab/lab.sh "$build"
run lab-crash tests/lab/lab.sh "$build" --crash
[ -z "$bad" ] || printf 'failed:%s\n' "$bad"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
