#!/bin/sh
# The C verifier and the independent one in Python must agree on every ledger, good or damaged: the
# same exit status, and on good ones the same summary. usage: agree.sh BUILD [RUNS] [SEED]
set -eu
build=$1 runs=${2:-8} seed=${3:-1}
cd "$(dirname "$0")/../.."
tool=${MKLEDGER:-$build/tools/ledger/mkledger}
python="python3 tests/verify_ledger.py"
[ -n "${MKLEDGER:-}" ] || make --no-print-directory BUILD="$build" "$tool" >/dev/null
tmp=$(mktemp -d "${TMPDIR:-/tmp}/wr-agree.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
chain=us-central1/ops
compared=0

# both PATH EXPECTED NAME: verify with each; EXPECTED is 0, 1 or any
both() {
	c=0 p=0
	"$tool" verify "$1" >"$tmp/c.out" 2>"$tmp/c.err" || c=$?
	$python "$1" >"$tmp/p.out" 2>"$tmp/p.err" || p=$?
	if [ "$c" != "$p" ] || { [ "$2" != any ] && [ "$c" != "$2" ]; }; then
		echo "disagree on $3 (C says $c, Python $p, expected $2):"
		head -n 20 "$tmp/c.out" "$tmp/c.err" "$tmp/p.out" "$tmp/p.err"
		exit 1
	fi
	if [ "$c" = 0 ] && [ -z "${4:-}" ]; then
		grep -v -e '^Unauthorised' -e '^Last ' -e '^$' "$tmp/c.out" >"$tmp/c.sum"
		grep -v '^Unauthorised' "$tmp/p.out" >"$tmp/p.sum"
		cmp -s "$tmp/c.sum" "$tmp/p.sum" || {
			echo "summaries differ on $3:"
			diff "$tmp/c.sum" "$tmp/p.sum" || exit 1
		}
	fi
	compared=$((compared + 1))
}

"$tool" make "$tmp/one" 60 0 "$seed"
"$tool" make "$tmp/many" 60 6000 "$((seed + 1))"
for l in one many; do
	both "$tmp/$l" 0 "good $l"
	both "$tmp/$l/$chain" 0 "good chain of $l"
done
both "$tmp/one/$chain/00000000000000000000.jsonl" 0 "good file"
both "$tmp/absent" 2 "nothing there"

run=0
while [ "$run" -lt "$runs" ]; do
	for kind in flip flip flip remove swap duplicate fork rewrite cut tail blank; do
		for l in one many; do
			rm -rf "$tmp/bad"
			cp -r "$tmp/$l" "$tmp/bad"
			number=$(printf '%s\n' "$tmp/bad/$chain"/0*.jsonl | wc -l)
			pick=$(((run % number) + 1))
			file=$(printf '%s\n' "$tmp/bad/$chain"/0*.jsonl | sed -n "${pick}p")
			"$tool" damage "$file" "$kind" "$((seed * 1000 + run))"
			expected=1 quiet=
			# Bytes after the last durable receipt are a torn end, which is no break.
			if [ "$kind" = tail ] && [ "$pick" = "$number" ]; then expected=0 quiet=1; fi
			both "$tmp/bad" "$expected" "$kind, run $run, $l" $quiet
		done
	done
	rm -rf "$tmp/bad"
	cp -r "$tmp/many" "$tmp/bad"
	case $((run % 4)) in
	0) rm "$(printf '%s\n' "$tmp/bad/$chain"/0*.jsonl | tail -n 1)" ;;
	1) rm "$(printf '%s\n' "$tmp/bad/$chain"/0*.jsonl | sed -n 2p)" ;;
	2) sed -i 's/"count":6/"count":5/' "$tmp/bad/$chain/head" ;;
	3) mv "$tmp/bad/us-central1" "$tmp/bad/europe-west1" ;;
	esac
	both "$tmp/bad" 1 "files, run $run"
	# All hashes made right: the signed checkpoints alone tell, in the chain or beside it.
	rm -rf "$tmp/bad"
	cp -r "$tmp/one" "$tmp/bad"
	"$tool" damage "$tmp/bad/$chain/00000000000000000000.jsonl" anew "$((seed * 1000 + run))"
	rm "$tmp/bad/$chain/head"
	[ $((run % 2)) = 0 ] || rm "$tmp/bad/$chain/checkpoint"
	both "$tmp/bad" 1 "written anew, run $run"
	run=$((run + 1))
done
echo "agreed on $compared ledgers"
