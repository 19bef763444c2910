#!/usr/bin/env python3
"""Who signed, from where, with which key: what the engine sees, remembers and refuses to be told."""
import json
import os
import pty
import re
import subprocess
import sys

from harness import Platform, Warroom, main, wait_for


def with_engine(test):
    def run(build):
        w = Warroom(build, Platform())
        try:
            test(w)
            if w.alive():
                out = w.cli("ledger", "verify", w.path("ledger"))
                assert "VERIFIED" in out, out
        finally:
            w.close()
    run.__name__ = test.__name__
    return run


def on_one_terminal(w, *commands):
    """Runs the commands one after the other in one session with one terminal; (exit code, output) of each."""
    results = []
    r, out = os.pipe()
    pid, fd = pty.fork()
    if pid == 0:
        for c in commands:
            p = subprocess.run([w.build + "/warroom", *c], env=w.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            os.write(out, json.dumps([p.returncode, p.stdout.decode(errors="replace")]).encode() + b"\n")
        os._exit(0)
    os.close(out)
    with os.fdopen(r) as f:
        for line in f:
            results.append(json.loads(line))
    os.waitpid(pid, 0)
    os.close(fd)
    return results


def want_separate(w):
    with open(w.path("warroom.yaml")) as f:
        text = f.read()
    w.write("warroom.yaml", text.replace("assurance: shared_terminal", "assurance: separate_session"))


@with_engine
def two_people_at_one_terminal(w):
    """The second of them does not count, also after a restart; the same person from elsewhere does."""
    want_separate(w)
    signers = w.path("allowed_signers")
    lines = [x for x in open(signers).read().splitlines() if not x.startswith("bob ")]
    lines += [x for x in w.cli("key", "new", "bob", w.path("bob.key")).splitlines() if x.startswith("bob ")]
    w.write("allowed_signers", "\n".join(lines) + "\n")
    w.start()
    w.lose_a()
    propose = ["propose", "failover", "--from", "a", "--to", "b", "--reason", "test", "--key", w.path("alice.key")]
    first, second = on_one_terminal(w, propose, ["approve", "op-1", "--key", w.path("bob.key")])
    assert first[0] == 0, first
    assert second[0] == 1 and "A-ASSURANCE" in second[1] and "alice approved from this very terminal" in second[1], second
    assert w.operation("op-1")["state"] == "proposed"
    # A claim of more than is seen changes nothing.
    third = on_one_terminal(w, ["deny", "op-1", "--key", w.path("bob.key")], propose, ["approve", "op-2", "--key", w.path("bob.key"), "--assurance", "own_device"])
    assert [x[0] for x in third] == [0, 0, 1] and "A-ASSURANCE" in third[2][1], third
    receipts = w.api("/v1/receipts?from=0&limit=500")[1]["receipts"]
    seats = [r.get("seat", "") for r in receipts if r["operation"] == "approval_recorded"]
    assert seats and all(re.fullmatch(r"[0-9a-f]{8}/\d+/\d+/\d+", s) for s in seats), seats
    w.kill()
    w.start()
    # The seat of before the restart is known still: this is another session, so it counts.
    r = w.raw("approve", "op-2", "--key", w.path("bob.key"))
    assert r.returncode == 0, r.stderr
    wait_for("the end", lambda: w.operation("op-2")["state"] == "completed")


@with_engine
def one_terminal_across_a_restart(w):
    want_separate(w)
    w.start()
    w.lose_a()
    script = """
import os, subprocess, sys
run = lambda *a: subprocess.run([%r, *a], stdin=subprocess.DEVNULL).returncode
codes = [run("propose", "failover", "--from", "a", "--to", "b", "--reason", "test", "--key", %r)]
open(%r, "w").write("x")
while not os.path.exists(%r):
    import time; time.sleep(0.05)
codes.append(run("approve", "op-1", %r))
open(%r, "w").write(repr(codes))
""" % (w.build + "/warroom", w.path("alice.key"), w.path("proposed"), w.path("go"), w.path("bob.sig"), w.path("codes"))
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", script], w.env)
    try:
        wait_for("the proposal", lambda: os.path.exists(w.path("proposed")))
        w.kill()
        w.start()
        ch = w.challenge("op-1", "bob", assurance="separate_session")[1]
        w.write("bob.sig", w.keygen("bob", ch["message"]))
        w.write("go", "x")
        codes = wait_for("the approval", lambda: os.path.exists(w.path("codes")) and open(w.path("codes")).read())
        assert codes == "[0, 1]", codes
        assert w.operation("op-1")["state"] == "proposed"
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


@with_engine
def keys_change(w):
    """An approval of yesterday stays valid when the key has changed today, and the old key is worth nothing today."""
    w.start()
    w.lose_a()
    op = w.propose()
    assert w.sign(op, "bob")[0] == 200
    wait_for("the end", lambda: w.operation(op)["state"] == "completed")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bob", "-f", w.path("bob2")], check=True)
    with open(w.path("allowed_signers")) as f:
        lines = [x for x in f.read().splitlines() if not x.startswith("bob ")]
    w.write("allowed_signers", "\n".join(lines + [w.signer("bob", "bob2")]) + "\n")
    w.kill(15)
    for _ in range(2):  # a second start adds nothing
        w.start()
        kept = open(w.path("ledger/allowed_signers")).read()
        assert kept.count("\nbob ") == 2 and kept.count("valid-before=") == 1, kept
        w.kill(15)
    w.start()
    w.platform.sick.clear()
    wait_for("health", lambda: w.verdict("a") == "HEALTHY")
    # Nobody can go back with a failover, but a signature is judged before that.
    ch = w.api("/v1/challenge", {"draft": {"action": "failover", "from": "b", "to": "a", "reason": "x"}, "principal": "bob", "decision": "propose"})[1]
    status, body = w.api("/v1/sign", {"operation_id": ch["operation_id"], "signature": w.keygen("bob", ch["message"])})
    assert status == 403 and body["error"]["rule"] == "A-KEY", body
    status, body = w.api("/v1/sign", {"operation_id": ch["operation_id"], "signature": w.keygen("bob2", ch["message"])})
    assert status == 200, body


@with_engine
def odd_armour_is_recorded_whole(w):
    """What is accepted must verify later: the armour may stand among blanks, or be bare base64."""
    w.start()
    w.lose_a()
    op = w.propose()
    ch = w.challenge(op, "bob")[1]
    status, body = w.api("/v1/sign", {"operation_id": op, "signature": " \r\n\n" + w.keygen("bob", ch["message"]).replace("\n", "\r\n") + "\n \n"})
    assert status == 200, body
    wait_for("the end", lambda: w.operation(op)["state"] == "completed")


@with_engine
def a_signature_means_one_decision(w):
    w.start()
    w.lose_a()
    op = w.propose()
    ch = w.challenge(op, "bob", "approve")[1]
    w.write("sig", w.keygen("bob", ch["message"]))
    r = w.raw("deny", op, w.path("sig"))
    assert r.returncode == 1 and "A-SIGNATURE" in r.stderr, r.stderr
    assert w.operation(op)["state"] == "proposed"
    for odd in ("rule:x", "rule::done", "rule:a b:done", "tick:", "tick:\n", "rule:fence:perhaps", "tick:" + "x" * 80, "rule:" + "y" * 5000):
        assert w.challenge(op, "bob", odd)[0] == 400, odd
    r = w.raw("approve", op, w.path("sig"))
    assert r.returncode == 0, r.stderr
    wait_for("the end", lambda: w.operation(op)["state"] == "completed")


ATTACK = """
import json, os, socket, sys
path, op, uid = sys.argv[1], sys.argv[2], int(sys.argv[3])
if uid:
    os.setuid(uid)
def ask(body):
    data = json.dumps(body).encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b"POST /v1/challenge HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(data) + data)
        while s.recv(65536):
            pass
for i in range(700):
    ask({"operation_id": op, "principal": ("alice", "bob", "carol")[i % 3], "decision": "tick:s%d" % i})
for i in range(100):
    ask({"draft": {"action": "failover", "from": "a", "to": "b", "reason": str(i)}, "principal": "bob", "decision": "approve"})
"""


@with_engine
def asking_for_ever_pushes_nobody_out(w):
    w.start()
    w.lose_a()
    op = w.propose()
    mine = w.challenge(op, "bob")[1]
    assert w.challenge(op, "bob")[1]["message"] == mine["message"], "asked twice, another text"
    draft = w.api("/v1/challenge", {"draft": {"action": "failover", "from": "a", "to": "b", "reason": "kept"}, "principal": "carol", "decision": "approve"})[1]
    uid = 65534 if os.getuid() == 0 else 0
    if uid:
        os.chmod(w.dir, 0o755)
        os.chmod(w.path("warroom.sock"), 0o666)
    subprocess.run([sys.executable, "-c", ATTACK, w.path("warroom.sock"), op, str(uid)], check=True)
    if uid:  # without another user there is nobody to push
        assert w.api("/v1/operations/" + draft["operation_id"])[0] == 200
        status, body = w.api("/v1/sign", {"operation_id": op, "signature": w.keygen("bob", mine["message"])})
        assert status == 200, body
    else:
        assert w.sign(op, "bob")[0] == 200
    wait_for("the end", lambda: w.operation(op)["state"] == "completed")


main(two_people_at_one_terminal, one_terminal_across_a_restart, keys_change, odd_armour_is_recorded_whole, a_signature_means_one_decision,
     asking_for_ever_pushes_nobody_out)
