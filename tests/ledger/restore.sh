#!/bin/sh
# The way back from a corrupt ledger, with the programs, as docs/restore.md tells it: export, damage,
# restore, look, import; forks; a full disk; kill -9 in the middle. usage: restore.sh BUILD
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
signed=${MKSIGNED:-$build/tools/ledger/mksigned} mk=${MKLEDGER:-$build/tools/ledger/mkledger}
[ -n "${MKSIGNED:-}" ] || make --no-print-directory BUILD="$build" "$signed" "$mk" >/dev/null
warroom="$build/warroom"
[ -w /dev/shm ] && shm=/dev/shm || shm=${TMPDIR:-/tmp} # nothing here is about the disk's speed
tmp=$(mktemp -d "$shm/wr-restore.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
cd "$tmp"
chain=us-central1/ops
n=0

fail() {
	echo "FAILED: $*"
	[ ! -f out ] || head -n 40 out
	exit 1
}
# expect EXIT-CODE COMMAND...: its output is in the file out
expect() {
	want=$1 rc=0
	shift
	"$@" >out 2>&1 || rc=$?
	[ "$rc" = "$want" ] || fail "exit $rc, expected $want: $*"
	n=$((n + 1))
}
says() {
	grep -q -e "$1" out || fail "does not say: $1"
}
sums() {
	find "$1" -type f -exec sha256sum {} + | sort -k2
}
last_segment() {
	printf '%s\n' "$1/$chain"/0*.jsonl | tail -n 1
}
# flip FILE OFFSET: one bit
flip() {
	byte=$(dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
	# shellcheck disable=SC2059
	printf "$(printf '\\%03o' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# spoil FILE OFFSET: more than one bit
spoil() {
	printf '\177\001' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# A day: a nightly snapshot, work after it, an export now and then, and then the disk goes bad.
"$signed" live engine.key 300 before
expect 0 "$warroom" ledger export live --to snapshot
says "signed by the engine"
(cd snapshot && sha256sum --quiet -c SHA256SUMS) || fail "sha256sum does not take the manifest"
expect 0 "$warroom" ledger verify snapshot
"$signed" live engine.key 200 after
expect 0 "$warroom" ledger export live --since 290 --to log.jsonl
sha256sum --quiet -c log.jsonl.sha256 || fail "sha256sum does not take the file's manifest"
"$signed" live engine.key 100 unsaved
cp -R live whole
total=$(cat live/$chain/0*.jsonl | wc -l)
flip "$(printf '%s\n' live/$chain/0*.jsonl | sed -n 3p)" 1000
expect 1 "$warroom" ledger verify live
chmod -R a-w snapshot live log.jsonl
sums snapshot >before.snapshot
sums live >before.live

# Everything is somewhere: nothing is lost.
expect 0 "$warroom" ledger restore --from snapshot --changelog log.jsonl --damaged live --into new \
	--engine-key engine.key
says "nothing is lost"
says "first damage"
expect 0 "$warroom" ledger verify new
cat new/$chain/0*.jsonl | head -n "$total" >got
cat whole/$chain/0*.jsonl >want
cmp got want || fail "the restored receipts are others"
grep -q '"operation":"receipt_corruption_detected"' new/$chain/0*.jsonl || fail "no receipt of it"
sums snapshot | cmp - before.snapshot || fail "the snapshot was touched"
sums live | cmp - before.live || fail "the damaged ledger was touched"
"$signed" new engine.key 10 "on it goes"
expect 0 "$warroom" ledger verify new

# Without the damaged ledger the last hundred are gone, and that is not known from anything here.
expect 0 "$warroom" ledger restore --from snapshot --changelog log.jsonl --into new2
# With the damaged one and no changelog: a changed bit is found by the hashes around it.
cp -R whole bit
chmod -R u+w bit
flip "$(last_segment bit)" 300
expect 1 "$warroom" ledger verify bit
expect 0 "$warroom" ledger restore --from snapshot --damaged bit --into mended
says "Mended: 1"
# With more damage, what is behind it cannot be joined: said, one by one.
flip_at=$(printf '%s\n' live/$chain/0*.jsonl | tail -n 2 | head -n 1)
chmod -R u+w live
spoil "$flip_at" 100
expect 1 "$warroom" ledger restore --from snapshot --damaged live --into new3 --json
python3 - out "$total" <<'PY' || fail "the account is not complete"
import json, sys
doc = json.load(open(sys.argv[1]))
chain, = doc["chains"]
lost = [r["seq"] for r in chain["lost"]]
for m in chain["missing"]:
    lost += range(m["from"], m["to"] + 1)
assert sorted(lost) == list(range(chain["receipts"], int(sys.argv[2]))), (chain["receipts"], lost)
assert doc["lost"] == len(lost) and doc["restored"] is True
PY
expect 0 "$warroom" ledger verify new3

# Wrong use, and what is there already.
expect 2 "$warroom" ledger restore --from snapshot
expect 2 "$warroom" ledger restore --from nowhere --into new4
expect 1 "$warroom" ledger restore --from snapshot --into new3
says "not empty"
mkdir hollow
expect 1 "$warroom" ledger restore --from hollow --into new4
[ ! -e new4 ] || fail "something was written"

# Two engines with one key wrote: a fork, both branches signed. A person decides.
cp -R whole left
cp -R whole right
"$signed" left engine.key 5 left
"$signed" right engine.key 7 right
expect 1 "$warroom" ledger restore --from left --damaged right --into new5
says "branch A"
says "branch B"
says "choose one with --branch"
[ ! -e new5 ] || fail "something was written"
expect 1 "$warroom" ledger restore --from left --damaged right --into new5 --branch B
says "other branch"
expect 0 "$warroom" ledger verify new5

# A copy elsewhere, kept by imports.
expect 0 "$warroom" ledger import snapshot --into copy
expect 0 "$warroom" ledger import log.jsonl --into copy
says "were there"
expect 0 "$warroom" ledger import log.jsonl --into copy
says ": 0 receipts added"
expect 0 "$warroom" ledger verify copy
expect 1 "$warroom" ledger import log.jsonl --into copy2
says "the ledger ends before #0"
expect 0 "$warroom" ledger duplicates copy
cat "$(last_segment copy)" >>twice.jsonl
cat "$(last_segment copy)" >>twice.jsonl
expect 1 "$warroom" ledger duplicates twice.jsonl
says "^duplicate"

# A disk that is too small: nothing is left behind.
"$mk" make big 20000 0 1
rc=0
(
	trap '' XFSZ
	ulimit -f 2048
	exec "$warroom" ledger restore --from big --into small
) >out 2>&1 || rc=$?
[ "$rc" = 2 ] || fail "exit $rc on a full disk"
[ ! -e small ] && [ ! -e .small.partial ] || fail "a full disk left something behind"

# Killed at any moment: there is nothing or all of it, and the next attempt does not mind.
i=0
while [ "$i" -lt 5 ]; do
	"$warroom" ledger restore --from big --into killed >/dev/null 2>&1 &
	pid=$!
	tries=0
	while [ ! -e .killed.partial ] && kill -0 "$pid" 2>/dev/null; do
		tries=$((tries + 1))
	done
	spin=0
	while [ "$spin" -lt $((i * 400)) ]; do spin=$((spin + 1)); done
	kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	if [ -e killed ]; then
		expect 0 "$warroom" ledger verify killed
		rm -rf killed
	fi
	i=$((i + 1))
done
expect 0 "$warroom" ledger restore --from big --into killed
[ ! -e .killed.partial ] || fail "something was left behind"
expect 0 "$warroom" ledger verify killed
chmod -R u+w snapshot
echo "restored, refused and accounted for: $n commands as expected"
