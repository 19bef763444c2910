#!/usr/bin/env python3
"""The ledger's directory in every bad state: a clear error or a named state, and nothing acknowledged is lost."""
import os
import resource
import subprocess

from harness import Platform, Warroom, main, wait_for


def segment(w):
    d = w.path("ledger/test/ops")
    return os.path.join(d, sorted(x for x in os.listdir(d) if x.endswith(".jsonl"))[-1])


def refuses(w, *words):
    w.start(ready=False)
    code = w.process.wait(timeout=30)
    with open(w.path("warroomd.log"), errors="replace") as f:
        text = f.read()
    assert code == 2, (code, text)
    for word in words:
        assert word in text, (word, text)


def missing_directory_is_made(build):
    w = Warroom(build, Platform())
    try:
        w.start()
        assert oct(os.stat(w.path("ledger")).st_mode & 0o777) == "0o750"
        assert w.kill(15) == 0
        out = w.cli("ledger", "verify", w.path("ledger"))
        assert "VERIFIED" in out, out
    finally:
        w.close()


def second_engine(build):
    w = Warroom(build, Platform())
    try:
        w.start()
        r = subprocess.run([w.build + "/warroomd", "--config", w.path("warroom.yaml")], capture_output=True, text=True, timeout=30)
        assert r.returncode == 2 and "ledger" in r.stderr, r
        assert w.state()["platform"] == "test"
    finally:
        w.close()


def read_only_directory(build):
    if os.getuid() == 0:
        # root writes through permissions; a file in the way is as unusable
        w = Warroom(build, Platform())
        try:
            w.write("ledger", "not a directory")
            refuses(w, "ledger")
        finally:
            w.close()
        return
    w = Warroom(build, Platform())
    try:
        os.makedirs(w.path("ledger"))
        os.chmod(w.path("ledger"), 0o500)
        refuses(w, "ledger")
    finally:
        os.chmod(w.path("ledger"), 0o700)
        w.close()


def torn_last_line(build):
    w = Warroom(build, Platform())
    try:
        w.start()
        w.kill()
        with open(segment(w), "rb") as f:
            whole = f.read().count(b"\n")
        with open(segment(w), "ab") as f:
            f.write(b'{"actor":"engine:tester","chain":"test/ops","epo')
        w.start()
        receipts = w.api("/v1/receipts?from=0&limit=500")[1]["receipts"]
        assert len(receipts) >= whole
        assert any(r["operation"] == "ledger_recovered" for r in receipts), [r["operation"] for r in receipts]
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


def flipped_bit(build):
    w = Warroom(build, Platform())
    try:
        w.start()
        w.lose_a()
        w.kill(15)
        with open(segment(w), "rb") as f:
            data = bytearray(f.read())
        data[len(data) // 3] ^= 4
        with open(segment(w), "wb") as f:
            f.write(data)
        copy = bytes(data)
        refuses(w, "seq")
        with open(segment(w), "rb") as f:
            assert f.read() == copy, "a corrupt ledger was changed"
        r = w.raw("ledger", "verify", w.path("ledger"))
        assert r.returncode == 1 and "BROKEN" in r.stdout, r.stdout
    finally:
        w.close()


def full_disk(build):
    w = Warroom(build, Platform())
    try:
        w.start()
        w.kill(15)
        size = os.path.getsize(segment(w))

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 3000, resource.RLIM_INFINITY))
        w.start(preexec_fn=limit)
        before = w.state()["ledger"]["count"]
        w.platform.sick.add("a")
        wait_for("the banner", lambda: "LEDGER" in w.state()["banner"])
        w.alive()
        after = w.api("/v1/receipts?from=0&limit=500")[1]["receipts"]
        assert len(after) >= before
        assert w.raw("propose", "failover", "--from", "a", "--to", "b", "--reason", "full", "--key", w.path("alice.key")).returncode != 0
        # Room again: the engine goes on by itself.
        resource.prlimit(w.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_for("recovery", lambda: not w.state()["banner"])
        wait_for("DOWN in the ledger", lambda: any(r["operation"] == "verdict_changed" and r["to"] == "DOWN" for r in w.api("/v1/receipts?from=-100&limit=100")[1]["receipts"]))
        kept = w.api("/v1/receipts?from=0&limit=500")[1]["receipts"]
        assert kept[:len(after)] == after, "an acknowledged receipt was lost"
        w.kill(15)
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


main(missing_directory_is_made, second_engine, read_only_directory, torn_last_line, flipped_bit, full_disk)
