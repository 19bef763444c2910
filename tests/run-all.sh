#!/bin/sh
# The tests beyond the unit tests, in order; each prints its own account. Ends with the total that counts.
# usage: run-all.sh BUILD
set -u
build=$1
cd "$(dirname "$0")/.."
passed=0 failed=0 bad=
say() { # NAME EXIT-CODE START
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
		printf '== %-22s ok  (%s s)\n' "$1" "$(($(date +%s) - $3))"
	else
		failed=$((failed + 1))
		bad="$bad $1"
		printf '== %-22s FAILED\n' "$1"
	fi
}
run() { # NAME COMMAND...
	name=$1 start=$(date +%s)
	shift
	"$@"
	say "$name" $? "$start"
}
# The demo mostly waits: it plays behind the others.
demo_out=$(mktemp)
trap 'rm -f "$demo_out"' EXIT
demo_start=$(date +%s)
tests/demo/test_auto.sh "$build" >"$demo_out" 2>&1 &
demo=$!
for t in tests/ledger/agree.sh tests/ledger/forge.py tests/ledger/restore.sh tests/cli/test_*.sh tests/engine/engine.sh tests/tui/test_*.sh; do
	[ -x "$t" ] && run "${t#tests/}" "$t" "$build"
done
run lab tests/lab/lab.sh "$build"
run lab-crash tests/lab/lab.sh "$build" --crash
wait "$demo"
code=$?
cat "$demo_out"
say demo/test_auto.sh $code "$demo_start"
[ -z "$bad" ] || printf 'failed:%s\n' "$bad"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
