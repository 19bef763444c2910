#!/usr/bin/env python3
"""Forgeries: what somebody with write access to a ledger's directory may try, and what `warroom ledger
verify` must say; of files that are none, the verifier in Python as well. usage: forge.py BUILD; needs BUILD/warroom."""
import glob, hashlib, json, os, random, shutil, signal, subprocess, sys, tempfile, time
BUILD = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
TOP, CHAIN = tempfile.mkdtemp(prefix="wr-forge."), "us-central1/ops"
failed = tried = 0
def run(*args):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return p.returncode, p.stdout.decode(errors="replace")
def expect(want, name, ledger, *options):
    global failed, tried
    got, said = run(f"{BUILD}/warroom", "ledger", "verify", ledger, *options)
    tried += 1
    if got not in (want if isinstance(want, tuple) else (want,)):
        failed += 1
        print(f"{name}: expected exit {want}, got {got}\n{said[:600]}")
def expect_of_python(want, name, ledger):
    global failed, tried
    got, said = run(sys.executable, os.path.dirname(os.path.abspath(__file__)) + "/../verify_ledger.py", ledger)
    tried += 1
    if got != want:
        failed += 1
        print(f"{name}, in Python: expected exit {want}, got {got}\n{said[:600]}")
def fill(ledger, count=60):
    return [f"{BUILD}/tools/ledger/mksigned", ledger, f"{TOP}/key", str(count), "word"]
def segments(ledger): return sorted(glob.glob(f"{ledger}/{CHAIN}/0*.jsonl"))
def receipts(ledger): return [r for f in segments(ledger) for r in open(f, "rb").read().splitlines()]
def fresh(name="ledger"):
    ledger = f"{TOP}/{name}"
    shutil.rmtree(ledger, ignore_errors=True)
    code, said = run(*fill(ledger))
    if code: sys.exit(said)
    return ledger, segments(ledger)
def seal(receipt):
    e = json.dumps({k: v for k, v in receipt.items() if k != "hash"}, sort_keys=True,
                   separators=(",", ":"), ensure_ascii=False).encode()
    h = hashlib.sha256(b"\0" + e).hexdigest()
    return e[:-1] + b',"hash":"' + h.encode() + b'"}', h
def relink(given):
    lines, prev = [], "0" * 64
    for seq, r in enumerate(given):
        line, prev = seal({**r, "seq": seq, "prev_hash": prev})
        lines.append(line)
    return lines, prev
def replace(ledger, lines, tip):
    for f in segments(ledger): os.remove(f)
    data = b"".join(r + b"\n" for r in lines)
    open(f"{ledger}/{CHAIN}/{0:020}.jsonl", "wb").write(data)
    open(f"{ledger}/{CHAIN}/head", "w").write(
        f'{{"bytes":{len(data)},"count":{len(lines)},"hash":"{tip}","segment":0}}\n')
def rewritten(keep_receipts):
    ledger, _ = fresh()
    given = [json.loads(r) for r in receipts(ledger)]
    given[5]["text"] = "forged"
    replace(ledger, *relink(r for r in given if keep_receipts or r["operation"] != "checkpoint_signed"))
    return ledger
def history():
    ledger, _ = fresh()
    expect(0, "honest", ledger)
    expect(0, "honest, its key", ledger, "--key", ledger + "/engine.pub")
    other, _ = fresh("other")
    expect(1, "rewritten, the checkpoint stays", rewritten(False))
    ledger = rewritten(True)
    os.remove(f"{ledger}/{CHAIN}/checkpoint")
    expect(1, "rewritten, the receipts of checkpoints stay", ledger)
    os.remove(f"{ledger}/engine.pub")
    expect(1, "… and no key is there", ledger)
    ledger = rewritten(False)
    os.remove(f"{ledger}/{CHAIN}/checkpoint")
    expect(0, "rewritten without any checkpoint, as docs/checkpoints.md says", ledger)
    expect(1, "… and the key is given", ledger, "--key", other + "/engine.pub")
def files():
    for body in b"", b"\0" * 600, b"\n":
        for seq in 10**6, 59, 21, 2**53, 2**53 - 1:
            ledger, _ = fresh()
            open(f"{ledger}/{CHAIN}/{seq:020}.jsonl", "wb").write(body)
            expect(1, f"a file for seq {seq} with {len(body)} bytes", ledger)
    for size in 1, 512, 1 << 20:
        ledger, names = fresh()
        open(names[0], "ab").write(b"\0" * size)
        expect(1, f"{size} zeros at the end of the first segment", ledger)
        ledger, names = fresh()
        open(names[-1], "ab").write(b"\0" * size)
        expect(0, f"{size} zeros at the end of the last", ledger)
    kinds = {"FIFO": os.mkfifo, "directory": os.mkdir, "link": lambda p: os.symlink("/dev/zero", p)}
    for kind, make in kinds.items():
        for name in f"{10**6:020}.jsonl", "00000000000000000021.jsonl", "head", "checkpoint":
            ledger, _ = fresh()
            path = f"{ledger}/{CHAIN}/{name}"
            if os.path.exists(path): os.remove(path)
            make(path)
            want = 2 if name.endswith(".jsonl") else 1
            expect(want, f"a {kind} as {name}", ledger)
            expect_of_python(want, f"a {kind} as {name}", ledger)
    ledger, names = fresh()
    os.rename(names[1], f"{TOP}/moved")
    os.symlink(f"{TOP}/moved", names[1])
    expect(2, "a segment that is a link to itself, moved", ledger)
    expect_of_python(2, "a segment that is a link to itself, moved", ledger)
    ledger, names = fresh()
    open(f"{ledger}/{CHAIN}/more.jsonl", "w").write("{}\n")
    expect(1, "a file that is no segment", ledger)
    ledger, names = fresh()
    for f in names + [f"{ledger}/{CHAIN}/head"]: os.remove(f)
    expect(1, "all gone but the checkpoint", ledger)
    ledger, names = fresh()
    shutil.rmtree(f"{TOP}/elsewhere", ignore_errors=True)
    os.rename(f"{ledger}/us-central1", f"{TOP}/elsewhere")
    os.symlink(f"{TOP}/elsewhere", f"{ledger}/us-central1")
    expect(0, "a linked partition", ledger)
    os.truncate(names[0], 300)
    expect(1, "a linked partition, damaged", ledger)
def since():
    for how, expected in ("changed", 1), ("unreadable", 1), ("removed", 1):
        ledger, names = fresh()
        lines = open(names[1], "rb").read().splitlines(True)
        lines[9] = {"changed": lines[9].replace(b"word", b"ward"), "unreadable": b"{" + lines[9],
                    "removed": b""}[how]
        open(names[1], "wb").writelines(lines)
        expect(expected, f"seq 30 {how}, --since 30", ledger, "--since", "30")
    ledger, names = fresh()
    expect(0, "honest, --since 2030", ledger, "--since", "2030-01-01T00:00:00Z")
    expect(2, "honest, --since 1000", ledger, "--since", "1000")
    os.remove(names[-1])
    expect(1, "truncated, --since 2030", ledger, "--since", "2030-01-01T00:00:00Z")
def live():
    ledger, _ = fresh()
    for _ in range(8):
        p = subprocess.Popen(fill(ledger, 2000))
        while p.poll() is None and random.random() < 0.9:
            expect(0, "being written", ledger)
        p.send_signal(signal.SIGKILL)
        p.wait()
        expect(0, "killed", ledger)
try:
    root = os.path.dirname(os.path.abspath(__file__)) + "/../.."
    code, said = run("make", "--no-print-directory", "-C", root, f"BUILD={os.path.abspath(BUILD)}",
                     f"{os.path.abspath(BUILD)}/tools/ledger/mksigned")
    if code: sys.exit(said)
    for part in history, files, since, live: part()
finally:
    shutil.rmtree(TOP)
sys.exit(print(f"tried {tried}, failed {failed}") or failed > 0)
