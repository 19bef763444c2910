#!/usr/bin/env python3
"""Verify a ledger, a chain or one .jsonl file with the standard library alone, which has no Ed25519: the roots of
checkpoints are checked, signatures are not. usage: verify_ledger.py PATH; exit: 0 verified, 1 broken, 2 unreadable."""
import base64, collections, datetime, functools, glob, hashlib, json, os, re, sys
LINE = rb'(\{.*),"hash":"([0-9a-f]{64})"\}'
FORM = {"actor": r"(?s).+", "chain": r"[\w.@/-]{1,127}", "operation": r"[\w.-]{1,63}",
        "prev_hash": r"[0-9a-f]{64}", "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
        "receipt_id": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"}
SUMMARY = {"checked": "Receipts checked", "valid": "Valid receipts", "invalid": "Invalid receipts", "mismatch":
    "Hash mismatches", "orphan": "Orphaned receipts", "duplicate": "Duplicate receipts", "fork": "Forks"}
count = collections.Counter()
canonical = functools.partial(json.dumps, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
def parse(raw):  # a receipt, the hash it carries and the hash it has; ValueError if it is none
    m = re.fullmatch(LINE, raw, re.S)
    e = m[1] + b"}" if m and len(m[1]) < 60 * 1024 else b""
    r = json.loads(e.decode(), parse_float=str, parse_constant=str)
    ok = canonical(r).encode() == e and len(r) < 64 and "hash" not in r and type(r.get("incident", "")) is str
    ok = ok and all(re.fullmatch(r"[ !#-\[\]-~]*", k) and type(v) in (str, int, bool) and
                    ("\0" not in v if type(v) is str else abs(v) < 2**53) for k, v in r.items())
    ok = ok and all(type(r.get(k)) is str and re.fullmatch(f, r[k], re.A) for k, f in FORM.items())
    ok = ok and all(type(r.get(k)) is int and r[k] >= 0 for k in ("epoch", "seq", "v"))
    if not ok or r["v"] != 1: raise ValueError("not a receipt in its canonical form")
    datetime.datetime.fromisoformat(r["timestamp"][:-1])
    return r, m[2].decode(), hashlib.sha256(b"\0" + e).hexdigest()
def regular(path, no=OSError):  # a file to read: no FIFO, which would hang, and no link to elsewhere
    if os.path.islink(path) or not os.path.isfile(path): raise no(f"{path}: not a regular file")
    return open(path, "rb")
def torn(raw): return b"\0" in raw or not (raw.endswith(b"\n") or re.match(LINE + b".", raw, re.S))
def node(right, left): return hashlib.sha256(b"\1" + left + right).digest()  # RFC 6962
def add(tree, leaf, n): return add(tree, node(leaf, tree.pop()), n // 2) if n % 2 else tree.append(leaf)
def signed(note):  # the size and the root that a signed note gives
    _, size, root, empty = (note.split("\n") + [""] * 3)[:4]
    return (int(size), base64.b64decode(root)) if size.isdigit() and not empty else (-1, b"")
def check(files, chain, expect, mark, note=(0, b"")):
    tips, ids, parents, tree, leaves, damaged, path, number = {"0" * 64}, set(), set(), [], 0, 0, "", 0
    def say(kind, text): print(count.update([kind, "anomaly"]) or kind, chain, f"seq {expect} {path}:{number}:", text)
    def see(given, at):  # a checkpoint where there are `at` receipts
        if given[0] != at or leaves == at > 0 and functools.reduce(node, tree[::-1]) != given[1]: say("fork", given)
    for path, at in ((f, 0) for f in files):
        if mark is not None and not (damaged or path.endswith(f"/{expect:020}.jsonl")): say("gap", "file's name")
        for number, raw in enumerate(regular(path), 1):
            begin, at = at, at + len(raw)
            if path == files[-1] and torn(raw) and (not mark or (path, begin) >= mark["last"][:2]): break
            count["checked"] += 1
            try: r, stored, real = parse(raw[:-1] if raw.endswith(b"\n") else b"")
            except (ValueError, RecursionError) as e: damaged = say("corrupt", e) or damaged + 1; continue
            chain, seq, prev = chain or r["chain"], r["seq"], r["prev_hash"]
            if expect is None: expect, tips = seq, {prev if seq else "0" * 64}
            if stored != real: say("mismatch", f"hash: expected {real}, found {stored}")
            elif r["receipt_id"] in ids: say("duplicate", f"receipt_id {r['receipt_id']}")
            elif r["chain"] != chain: say("orphan", f"of chain {r['chain']}")
            elif seq < expect or prev not in tips and seq == expect: say("fork" if prev in parents else "orphan", prev)
            else:
                if seq > expect and not damaged: say("gap", f"found seq {seq}")
                if r["operation"] == "checkpoint_signed": see(signed(str(r.get("checkpoint"))), seq)
                count["valid"], leaves = count["valid"] + 1, seq + 1 if leaves == seq else -1
                if leaves > 0: add(tree, bytes.fromhex(real), seq)
                if note[0] == seq + 1: see(note, seq + 1)
                if mark and mark["count"] == seq + 1 and mark["last"] != (path, at, real): say("fork", "the mark's")
            if seq >= expect: expect, tips, damaged = seq + 1, {real, stored}, 0
            ids.add(r["receipt_id"]), parents.add(prev)
    if max(note[0], mark["count"] if mark else 0) > (expect or 0): say("truncated", "shorter than it was")
def check_dir(path, chain):
    small = (path + "/head", path + "/checkpoint")
    text, note = (regular(f, ValueError).read().decode() if os.path.lexists(f) else "" for f in small)
    if canonical(mark := json.loads(text or "{}")) + "\n" != (text or "{}\n"): raise ValueError
    if mark: mark["last"] = f"{path}/{mark['segment']:020}.jsonl", mark["bytes"], mark["hash"]
    check(sorted(glob.glob(glob.escape(path) + "/*.jsonl")), chain, 0, mark, signed(note) if note else (0, b""))
top = sys.argv[1].rstrip("/") if len(sys.argv) == 2 else sys.exit(print(__doc__) or 2)
chains = {d for d in glob.glob(glob.escape(top) + "/*/*") if glob.glob(glob.escape(d) + "/*[dl]")}
try:
    if os.path.isfile(top): check([os.path.realpath(top)], None, None, None)
    elif glob.glob(glob.escape(top) + "/*.jsonl"): check_dir(top, None)
    elif not chains: sys.exit(print(f"{top}: no receipts here", file=sys.stderr) or 2)
    for d in sorted(chains): check_dir(d, "/".join(d.split("/")[-2:]))
except OSError as e: sys.exit(print(e, file=sys.stderr) or 2)
except (ValueError, KeyError, TypeError): count["anomaly"] += 1 + bool(print("corrupt    the mark"))
count["invalid"] = count["checked"] - count["valid"]
print(*(f"{name}: {count[key]:,}" for key, name in SUMMARY.items()), "Unauthorised steps: not checked", sep="\n")
sys.exit(print("Chain integrity:", "BROKEN ✗" if count["anomaly"] else "VERIFIED ✓") or count["anomaly"] > 0)
