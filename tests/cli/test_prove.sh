#!/bin/sh
# Proofs and cosigning, as people use them: made from a ledger, checked where nothing but the proof
# and a key is, by warroom and by the independent verifier in Python; refused when they should be.
# usage: test_prove.sh BUILD
set -u
build=$1
cd "$(dirname "$0")/../.." || exit 1
case $build in /*) ;; *) build=$PWD/$build ;; esac
tool=$build/tools/ledger/mksigned
make --no-print-directory BUILD="$build" "$tool" >/dev/null || exit 1
warroom=$build/warroom python=$PWD/tests/verify_proof.py
tmp=$(mktemp -d "${TMPDIR:-/tmp}/wr-prove.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
cd "$tmp" || exit 1
passed=0 failed=0

# expect CODE WORDS COMMAND...: its exit status, and that it says WORDS
expect() {
	code=$1 words=$2
	shift 2
	"$@" >out 2>&1
	got=$?
	if [ "$got" -eq "$code" ] && { [ -z "$words" ] || grep -qF -- "$words" out; }; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "exit $got, expected $code and \"$words\": $*"
		sed 's/^/  /' out
	fi
}
ledger() { "$warroom" ledger "$@"; }
# proven FILE WORDS: by both verifiers
proven() {
	expect 0 "$2" ledger check-proof "$1" --key engine.pub
	expect 0 "$2" "$python" "$1" engine.pub
}

"$tool" ledger engine.key 40 first && "$tool" elsewhere witness.key 1 x || exit 1
chain=us-central1/ops origin=acme/us-central1/ops
cp ledger/engine.pub . && cp ledger/$chain/checkpoint at40

# ---- receipts ----
for seq in 0 1 12 31 32 39; do
	expect 0 "" ledger prove ledger $seq --out proof
	proven proof "receipt $seq is in the log $origin of 40 receipts"
done
ledger prove ledger/$chain 12 >printed
proven printed "receipt 12 is in the log"
ledger prove ledger 12 | ledger check-proof - --key engine.pub >piped
expect 0 "Proven: receipt 12" cat piped
expect 1 "cannot be proven yet" ledger prove ledger 40
expect 1 "no receipt 41" ledger prove ledger 41
expect 1 "key is unpinned" ledger check-proof printed
expect 1 "not signed as $origin" ledger check-proof printed --key elsewhere/engine.pub
expect 2 "no receipts here" ledger prove . 1
expect 2 "no proof" ledger check-proof at40 --key engine.pub
expect 2 "behind the ledger's directory" ledger prove
expect 0 '"proven":true' ledger check-proof printed --key engine.pub --json
key=$(sed -n 's/.*"verifier_key":"\([^"]*\)".*/\1/p' out)
expect 0 "Proven" ledger check-proof printed --key "$key"
expect 0 "Proven" "$python" printed "$key"

# Any byte changed: none of the verifiers is convinced, and they agree on what is wrong.
python3 - "$warroom" "$python" <<'END' && passed=$((passed + 1)) || failed=$((failed + 1))
import random, subprocess, sys
data = open("printed", "rb").read()
chance, wrong = random.Random(7), 0
for at in range(0, len(data), 23):
    changed = bytearray(data)
    changed[at] ^= 1 << chance.randrange(8)
    open("changed", "wb").write(changed)
    rc = [subprocess.run(c, capture_output=True).returncode for c in (
        [sys.argv[1], "ledger", "check-proof", "changed", "--key", "engine.pub"],
        [sys.argv[2], "changed", "engine.pub"])]
    if rc[0] not in (1, 2) or rc[1] not in (1, 2):
        print("byte", at, "changed: exit", rc)
        wrong += 1
sys.exit(wrong > 0)
END

# ---- growth ----
"$tool" ledger engine.key 30 second || exit 1
cp ledger/$chain/checkpoint at71
expect 0 "" ledger prove ledger --consistency 40 latest --out growth
proven growth "of 71 receipts begins with the one of 40"
expect 0 "" ledger prove ledger --consistency at40 at71 --out growth
proven growth "of 71 receipts begins with the one of 40"
expect 0 "" ledger prove ledger 3 --size 40 --out proof
proven proof "of 40 receipts"
expect 1 "none was signed at that size" ledger prove ledger 3 --size 41
expect 2 "is no beginning of" ledger prove ledger --consistency 71 40

# ---- cosigning ----
cosign() { ledger cosign "$@" --with witness.key --name acme/lyon --state state --key engine.pub; }
expect 0 "acme/lyon" cosign at40
expect 1 "was cosigned before" cosign at71
expect 0 "" cosign at71 --proof growth --out cosigned
expect 0 "acme/lyon" cosign at71 --ledger ledger
expect 1 "of 71 was cosigned already" cosign at40
cat engine.pub elsewhere/engine.pub >both
expect 0 "" ledger prove ledger --consistency at40 cosigned --out growth
expect 0 "cosigned by acme/lyon" ledger check-proof growth --key both
expect 0 "unchecked   1 signature" ledger check-proof growth --key engine.pub
# Another history, signed with the same key.
"$tool" rewritten engine.key 100 other || exit 1
expect 1 "fork: $origin signed a history of 71 receipts" cosign rewritten/$chain/checkpoint --ledger rewritten
expect 0 ".new" ls state
expect 1 '"refused":"fork"' cosign rewritten/$chain/checkpoint --ledger rewritten --json
expect 1 "not signed as" cosign elsewhere/$chain/checkpoint
expect 2 "needs --with, --name, --state and --key" ledger cosign at40

# ---- a ledger that was written into ----
sed -i '5s/first/FIRST/' ledger/$chain/00000000000000000000.jsonl
expect 1 "" ledger prove ledger 4
expect 0 "" ledger prove ledger 5 --out proof # its own hash is what it was: the next proof tells
sed -i '6s/"hash":"./"hash":"x/' ledger/$chain/00000000000000000000.jsonl
expect 1 "" ledger prove ledger 7

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
