#!/usr/bin/env python3
"""Hostile and mistaken use of the API: each gets a clear answer, the engine keeps running, nothing is done."""
import json
import os
import socket

from harness import Platform, Warroom, main, wait_for


def with_engine(test):
    def run(build):
        w = Warroom(build, Platform())
        try:
            w.start()
            test(w)
            w.alive()
            out = w.cli("ledger", "verify", w.path("ledger"))
            assert "VERIFIED" in out, out
        finally:
            w.close()
    run.__name__ = test.__name__
    return run


@with_engine
def malformed_requests(w):
    assert w.api("/v1/nonsense")[0] == 404
    assert w.api("/")[0] == 404
    assert w.api("/v1/state", {})[0] == 405
    assert w.api("/v1/sign")[0] == 405
    status, body = w.api("/v1/sign", b"x" * (1 << 20))
    assert status == 413, (status, body)
    status, body = w.api("/v1/sign", b"{nonsense")
    assert status == 400 and "JSON" in body["error"]["message"], body
    assert w.api("/v1/challenge", [1, 2])[0] == 400
    assert w.api("/v1/challenge", {"decision": "explode"})[0] == 400
    assert w.api("/v1/challenge", {"operation_id": "op-999", "principal": "alice", "decision": "approve"})[0] == 404
    status, body = w.api("/v1/challenge", {"draft": {"action": "failover", "from": "a", "to": "moon"}, "principal": "alice", "decision": "approve"})
    assert status == 400 and "region" in body["error"]["message"], body
    assert w.api("/v1/challenge", {"draft": {"action": "failover", "from": "a", "to": "b"}, "principal": "mallory", "decision": "approve"})[0] == 403
    deep = b"[" * 20000
    assert w.api("/v1/sign", deep)[0] == 400
    for junk in (b"\x00" * 5000, b"GET / HTTP/9.9\r\n\r\n", b"\xff\xfe\r\n\r\n", b"POST /v1/sign HTTP/1.1\r\nContent-Length: -5\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(w.path("warroom.sock"))
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                s.recv(4096)
            except OSError:
                pass
    w.state()


@with_engine
def idle_connections(w):
    idle = []
    for _ in range(1000):
        s = socket.socket(socket.AF_UNIX)
        s.connect(w.path("warroom.sock"))
        idle.append(s)
    assert w.state()["platform"] == "test"
    assert json.loads(w.cli("status", "--json"))["platform"] == "test"
    for s in idle:
        s.close()


@with_engine
def approvals_that_do_not_count(w):
    w.lose_a()
    op = w.propose()
    effects = len(w.platform.calls)

    def refused(answer, status, rule):
        assert answer[0] == status and answer[1]["error"]["rule"] == rule, answer
        assert w.operation(op)["state"] == "proposed"

    # Forged: a key that nobody has, a text that was changed, another namespace, a broken blob.
    ch = w.challenge(op, "bob")[1]
    refused(w.api("/v1/sign", {"operation_id": op, "signature": w.keygen("mallory", ch["message"])}), 403, "A-KEY")
    refused(w.api("/v1/sign", {"operation_id": op, "signature": w.keygen("bob", ch["message"].replace("bob", "bub"))}), 403, "A-SIGNATURE")
    refused(w.api("/v1/sign", {"operation_id": op, "signature": w.keygen("bob", ch["message"], "file")}), 403, "A-SIGNATURE")
    armour = w.keygen("bob", ch["message"]).splitlines()
    armour[2] = armour[2][::-1]
    status, body = w.api("/v1/sign", {"operation_id": op, "signature": "\n".join(armour)})
    assert status in (400, 403), body
    # Carol's key does not sign for Bob.
    refused(w.api("/v1/sign", {"operation_id": op, "signature": w.keygen("carol", ch["message"])}), 403, "A-KEY")
    # For another plan: a signature over another draft's text.
    other = w.api("/v1/challenge", {"draft": {"action": "failover", "from": "a", "to": "b", "reason": "other"}, "principal": "bob", "decision": "approve"})[1]
    refused(w.api("/v1/sign", {"operation_id": op, "signature": w.keygen("bob", other["message"])}), 403, "A-SIGNATURE")
    # Twice by the same person.
    status, body = w.api("/v1/sign", {"operation_id": op, "signature": ""})
    assert status == 400
    r = w.raw("approve", op, "--key", w.path("alice.key"))
    assert r.returncode == 1, r
    assert w.operation(op)["state"] == "proposed"
    # Twice with the same key under two names.
    with open(w.path("allowed_signers")) as f:
        lines = [x for x in f.read().splitlines() if not x.startswith("carol ")]
    w.write("allowed_signers", "\n".join(lines + [w.signer("carol", "bob")]) + "\n")
    status, body = w.sign(op, "carol", key="bob")
    assert status == 403 and body["error"]["rule"] == "A-SAME-KEY", body
    w.write("allowed_signers", "\n".join(lines + [w.signer("carol", "carol")]) + "\n")
    assert len(w.platform.calls) == effects, "something was done"
    # The right one counts; the same signature again does not.
    ch = w.challenge(op, "bob")[1]
    sig = w.keygen("bob", ch["message"])
    status, body = w.api("/v1/sign", {"operation_id": op, "signature": sig})
    assert status == 200, body
    status, body = w.api("/v1/sign", {"operation_id": op, "signature": sig})
    assert status in (403, 409), body
    wait_for("the end", lambda: w.operation(op)["state"] == "completed")
    assert w.platform.weights == {"a": 0, "b": 100}


def expired_approvals(build):
    w = Warroom(build, Platform(), expires="10s")
    try:
        w.start()
        w.lose_a()
        ch = w.api("/v1/challenge", {"draft": {"action": "failover", "from": "a", "to": "b", "reason": "late"}, "principal": "alice", "decision": "approve"})[1]
        expires = ch["expires"]
        wait_for("the expiry", lambda: w.state()["now"] > expires)
        before = w.state()["ledger"]["count"]
        r = w.raw("approve", ch["operation_id"], "--key", w.path("alice.key"))
        op = ch["operation_id"] if r.returncode == 0 else None
        status, body = w.api("/v1/sign", {"operation_id": ch["operation_id"], "signature": w.keygen("bob", ch["message"])})
        assert status in (403, 409), (status, body, before)
        if op:  # alice signed a fresh text: one approval, which expires unmet
            wait_for("the operation to expire", lambda: w.operation(op)["state"] == "expired")
        assert not w.platform.count("fence"), "something was done"
        w.alive()
    finally:
        w.close()


@with_engine
def ssh_keygen_pipe(w):
    w.lose_a()
    op = w.propose()
    line = "%s/warroom pending %s --as bob | ssh-keygen -q -Y sign -n warroom-approval -f %s | %s/warroom approve %s -" % (w.build, op, w.path("bob"), w.build, op)
    rc = os.spawnlpe(os.P_WAIT, "sh", "sh", "-c", "(" + line + ") 2>/dev/null >/dev/null", w.env)
    assert rc == 0, rc
    wait_for("the end", lambda: w.operation(op)["state"] == "completed")


@with_engine
def deny_and_reads(w):
    w.lose_a()
    assert w.raw("why", "failover", "--from", "a", "--to", "b").returncode == 0
    assert w.raw("why", "failover", "--from", "b", "--to", "a").returncode == 1
    before = w.state()["ledger"]["count"]
    assert "Nothing was done" in w.cli("plan", "failover", "--from", "a", "--to", "b")
    op = w.propose()
    status, body = w.sign(op, "bob", "deny")
    assert status == 200, body
    assert w.operation(op)["state"] == "denied"
    status, body = w.sign(op, "carol")
    assert status == 409, body
    assert not w.platform.count("fence") and w.state()["ledger"]["count"] > before


main(malformed_requests, idle_connections, approvals_that_do_not_count, expired_approvals, ssh_keygen_pipe, deny_and_reads)
