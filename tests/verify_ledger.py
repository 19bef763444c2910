#!/usr/bin/env python3
"""Verify a ledger, a chain's directory or one .jsonl file without any of warroom's code: only the
format of DESIGN.md section 6 and the standard library. Approvals are not checked (Ed25519 would be
needed). usage: verify_ledger.py PATH; exit: 0 verified, 1 broken, 2 unreadable or wrong use."""
import collections, datetime, glob, hashlib, json, os, re, sys

LINE = rb'(\{.*),"hash":"([0-9a-f]{64})"\}'
FORM = {"actor": r"(?s).+", "chain": r"[\w.@/-]{1,127}", "operation": r"[\w.-]{1,63}",
        "prev_hash": r"[0-9a-f]{64}", "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
        "receipt_id": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"}
SUMMARY = {"checked": "Receipts checked", "valid": "Valid receipts", "invalid": "Invalid receipts",
           "mismatch": "Hash mismatches", "orphan": "Orphaned receipts",
           "duplicate": "Duplicate receipts", "fork": "Forks"}
count = collections.Counter()
def parse(raw):
    """A receipt, the hash it carries and the hash it has; ValueError if it is none."""
    m = re.fullmatch(LINE, raw, re.S)
    e = m[1] + b"}" if m and len(m[1]) < 60 * 1024 else b""
    r = json.loads(e.decode(), parse_float=str, parse_constant=str)
    again = json.dumps(r, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ok = again == e and len(r) < 64 and "hash" not in r and type(r.get("incident", "")) is str
    ok = ok and all(re.fullmatch(r"[ !#-\[\]-~]*", k) and type(v) in (str, int, bool) and
                    ("\0" not in v if type(v) is str else abs(v) < 2**53) for k, v in r.items())
    ok = ok and all(type(r.get(k)) is str and re.fullmatch(f, r[k], re.A) for k, f in FORM.items())
    ok = ok and all(type(r.get(k)) is int and r[k] >= 0 for k in ("epoch", "seq", "v"))
    if not ok or r["v"] != 1 or not datetime.datetime.fromisoformat(r["timestamp"][:-1]):
        raise ValueError("not a receipt in its canonical form")
    return r, m[2].decode(), hashlib.sha256(b"\0" + e).hexdigest()
def torn(raw):  # what a write that was cut short leaves: no newline, and no more than a receipt
    return b"\0" in raw or not (raw.endswith(b"\n") or re.match(LINE + b".", raw, re.S))
def check(files, chain, expect, mark):
    tips, ids, parents, damaged, path, number = {"0" * 64}, set(), set(), 0, "", 0
    def say(kind, text):
        print(f"{kind:10} {chain} seq {expect} {path}:{number}: {text}")
        count.update([kind, "anomaly"])
    for path in files:
        at, name = 0, f"/{expect or 0:020}.jsonl"
        if mark is not None and not (damaged or path.endswith(name)): say("gap", "file's name")
        for number, raw in enumerate(open(path, "rb"), 1):
            begin, at = at, at + len(raw)
            if path == files[-1] and torn(raw) and (not mark or (path, begin) >= mark["last"][:2]):
                break
            count["checked"] += 1
            try: r, stored, real = parse(raw[:-1] if raw.endswith(b"\n") else b"")
            except (ValueError, RecursionError) as e:
                damaged = say("corrupt", e) or damaged + 1; continue
            chain, seq, prev = chain or r["chain"], r["seq"], r["prev_hash"]
            if expect is None: expect, tips = seq, {prev if seq else "0" * 64}
            if stored != real: say("mismatch", f"hash: expected {real}, found {stored}")
            elif r["receipt_id"] in ids: say("duplicate", f"receipt_id {r['receipt_id']}")
            elif r["chain"] != chain: say("orphan", f"of chain {r['chain']}")
            elif seq < expect or seq == expect and prev not in tips:
                say("fork" if prev in parents else "orphan", f"seq {seq} after {prev}")
            else:
                count["valid"] += 1
                if seq > expect and not damaged: say("gap", f"found seq {seq}")
                if mark and mark["count"] == seq + 1 and mark["last"] != (path, at, real):
                    say("fork", "not the history that the high-water mark was set on")
            if seq >= expect: expect, tips, damaged = seq + 1, {real, stored}, 0
            ids.add(r["receipt_id"]), parents.add(prev)
    if mark and expect < mark["count"]: say("truncated", f"expected {mark['count']} receipts")
def check_dir(path, chain):
    text = open(path + "/head").read() if os.path.exists(path + "/head") else "{}\n"
    mark = json.loads(text)
    if json.dumps(mark, sort_keys=True, separators=(",", ":")) + "\n" != text: raise ValueError
    if mark: mark["last"] = f"{path}/{mark['segment']:020}.jsonl", mark["bytes"], mark["hash"]
    check(sorted(glob.glob(glob.escape(path) + "/*.jsonl")), chain, 0, mark)
top = sys.argv[1].rstrip("/") if len(sys.argv) == 2 else sys.exit(print(__doc__) or 2)
chains = {d for d in glob.glob(glob.escape(top) + "/*/*") if glob.glob(glob.escape(d) + "/*[dl]")}
try:
    if os.path.isfile(top): check([top], None, None, None)
    elif glob.glob(glob.escape(top) + "/*.jsonl"): check_dir(top, None)
    elif not chains: sys.exit(print(f"{top}: no receipts here", file=sys.stderr) or 2)
    for d in sorted(chains): check_dir(d, "/".join(d.split("/")[-2:]))
except OSError as e: sys.exit(print(e, file=sys.stderr) or 2)
except (ValueError, KeyError, TypeError): count["anomaly"] += 1 + bool(print("corrupt    the mark"))
count["invalid"] = count["checked"] - count["valid"]
for key, name in SUMMARY.items(): print(f"{name}: {count[key]:,}")
end = "BROKEN ✗" if count["anomaly"] else "VERIFIED ✓"
sys.exit(print(f"Unauthorised steps: not checked\nChain integrity: {end}") or count["anomaly"] > 0)
