#!/usr/bin/env python3
"""The laws, attacked: forged ledgers, crashes between any two receipts, hostile text at every inlet."""
import base64
import datetime
import hashlib
import json
import os
import pty
import re
import subprocess
import uuid

from harness import Platform, Warroom, main, wait_for


def segment(w):
    d = w.path("ledger/test/ops")
    return os.path.join(d, sorted(x for x in os.listdir(d) if x.endswith(".jsonl"))[-1])


def receipts(w):
    with open(segment(w)) as f:
        return [json.loads(x) for x in f]


def later(seconds):
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return t.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def forge(w, *drafts, at=0):
    """Appends receipts to the file as someone with write access could: the chain's hashes need no key."""
    last = receipts(w)[-1]
    with open(segment(w), "a") as f:
        for draft in drafts:
            r = dict({"actor": "engine:tester", "chain": "test/ops", "epoch": last["epoch"], "v": 1}, **draft)
            r["seq"], r["prev_hash"], r["timestamp"] = last["seq"] + 1, last["hash"], later(at)
            x = uuid.uuid4().hex
            r["receipt_id"] = "%s-%s-7%s-8%s-%s" % (x[:8], x[8:12], x[13:16], x[17:20], x[20:])
            text = json.dumps(r, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            r["hash"] = hashlib.sha256(b"\0" + text.encode()).hexdigest()
            f.write(text[:-1] + ',"hash":"' + r["hash"] + '"}\n')
            last = r


def forged_approval(like, who, role, **more):
    """An approval as the engine would write it, but signed by nobody."""
    a = {k: v for k, v in like.items() if k not in ("hash", "prev_hash", "seq", "timestamp", "receipt_id", "epoch")}
    a.update({"actor": who, "principal": who, "role": role, "nonce": uuid.uuid4().hex * 2, "expires": later(600),
              "key_fingerprint": "SHA256:" + base64.b64encode(hashlib.sha256(who.encode()).digest()).decode().rstrip("=")}, **more)
    names = ("assurance", "decision", "expires", "head", "nonce", "operation_id", "plan_hash", "principal", "role")
    a["signed"] = json.dumps({k: a[k] for k in names}, sort_keys=True, separators=(",", ":"))
    return a


def approvals_forged_in_the_file(build):
    """Law 2: an approval that nobody signed counts for nothing, also after a restart that reads it from the ledger."""
    w = Warroom(build, Platform(), expires="20s")
    try:
        w.start()
        w.lose_a()
        op = w.propose()
        w.kill()
        real = next(r for r in receipts(w) if r["operation"] == "approval_recorded")
        forge(w, forged_approval(real, "bob", "on_call"))
        w.start()
        wait_for("the operation to end", lambda: w.operation(op)["state"] in ("completed", "expired"))
        assert w.operation(op)["state"] == "expired", w.operation(op)["state"]
        assert not w.platform.calls, "done with one approval: %s" % w.platform.calls
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


def rulings_forged_in_the_file(build):
    """Laws 3 and 6: two names in a receipt are not two signatures. The opaque step stays in doubt."""
    w = Warroom(build, Platform(), steps=OPAQUE)
    try:
        w.platform.slow["ticket"] = 30
        w.start()
        w.lose_a()
        op = w.propose()
        w.sign(op, "bob")
        wait_for("the ticket", lambda: w.platform.count("ticket"))
        w.kill()
        w.platform.slow.clear()
        w.start()
        wait_for("people to be asked", lambda: w.operation(op)["state"] == "held")
        w.kill()
        real = next(r for r in receipts(w) if r["operation"] == "approval_recorded")
        who = [forged_approval(real, name, role, decision="rule:ticket:not_done") for name, role in (("alice", "sre"), ("bob", "on_call"))]
        ruled = {"operation": "step_ruled", "operation_id": op, "step": "ticket", "index": 1, "undo": False, "ruling": "not_done", "by": "alice,bob"}
        forge(w, *who, ruled)
        w.start()
        assert "unauthorised" in w.cli("ledger", "verify", w.path("ledger"), ok=(1,))
        wait_for("people to be asked", lambda: w.operation(op)["state"] in ("held", "running", "completed") and w.verdict("a") == "DOWN")
        status, body = w.sign(op, "bob", "rule:ticket:done")
        assert status == 200, body
        assert w.step(op, "ticket")["state"] == "uncertain", "one ruling and two forged ones were enough"
        assert w.platform.count("ticket") == 1, "the opaque step was repeated"
    finally:
        w.close()


def two_rulings_at_one_terminal(build):
    """Where the policy asks for two sessions, two passphrases typed at one terminal are no ruling by two."""
    w = Warroom(build, Platform(), steps=OPAQUE)
    try:
        with open(w.path("warroom.yaml")) as f:
            text = f.read()
        w.write("warroom.yaml", text.replace("assurance: shared_terminal", "assurance: separate_session"))
        signers = [x for x in open(w.path("allowed_signers")).read().splitlines() if not x.startswith("bob ")]
        signers += [x for x in w.cli("key", "new", "bob", w.path("bob.key")).splitlines() if x.startswith("bob ")]
        w.write("allowed_signers", "\n".join(signers) + "\n")
        w.platform.slow["ticket"] = 30
        w.start()
        w.lose_a()
        op = w.propose()
        w.cli("approve", op, "--key", w.path("bob.key"))
        wait_for("the ticket", lambda: w.platform.count("ticket"))
        w.kill()
        w.start()
        wait_for("people to be asked", lambda: w.operation(op)["state"] == "held")
        out, into = os.pipe()
        pid, fd = pty.fork()
        if pid == 0:
            for who in ("alice", "bob"):
                r = subprocess.run([w.build + "/warroom", "rule", op, "ticket", "not_done", "--key", w.path(who + ".key")], env=w.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                os.write(into, b"%d %s\n" % (r.returncode, r.stdout.replace(b"\n", b" ")))
            os._exit(0)
        os.close(into)
        with os.fdopen(out) as f:
            alice, bob = f.read().splitlines()
        os.waitpid(pid, 0)
        os.close(fd)
        assert alice.startswith("0 "), alice
        assert bob.startswith("1 ") and "A-ASSURANCE" in bob and "this very terminal" in bob, bob
        assert w.operation(op)["state"] == "held" and w.platform.count("ticket") == 1
    finally:
        w.close()


def signers_who_left(build):
    """Who is removed from allowed_signers between approving and a restart approved nothing that is still to be done."""
    w = Warroom(build, Platform(), expires="20s")
    try:
        w.start()
        w.lose_a()
        op = w.propose()
        w.kill()
        with open(w.path("allowed_signers")) as f:
            lines = f.read().splitlines()
        w.write("allowed_signers", "\n".join(x for x in lines if not x.startswith("alice ")) + "\n")
        w.start()
        status, body = w.sign(op, "bob")
        assert status == 200, body
        wait_for("the operation to end", lambda: w.operation(op)["state"] in ("completed", "expired"))
        assert w.operation(op)["state"] == "expired" and not w.platform.calls, w.platform.calls
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


def the_clock_was_set_back(build):
    """Receipts of an hour ahead: approvals are made and judged on the ledger's time, not on a clock that is behind it."""
    w = Warroom(build, Platform())
    try:
        w.start()
        w.kill(15)
        forge(w, {"operation": "engine_stopped", "reason": "the clock was an hour ahead"}, at=3600)
        w.start()
        w.lose_a()
        op = w.propose()
        status, body = w.sign(op, "bob")
        assert status == 200, body
        wait_for("the end", lambda: w.operation(op)["state"] in ("completed", "held"))
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
        assert w.operation(op)["state"] == "completed", w.operation(op)
    finally:
        w.close()


SLOW_DISK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* The disk stalls over the first intent while the file $SLOW_DISK is there. */
static volatile int intent;
ssize_t write(int fd, const void *data, size_t n)
{
	ssize_t (*next)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
	if (memmem(data, n, "\"operation\":\"step_intent\"", 25)) intent = 1;
	return next(fd, data, n);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	ssize_t (*next)(int, const void *, size_t, off64_t) =
		(ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
	if (memmem(data, n, "\"operation\":\"step_intent\"", 25)) intent = 1;
	return next(fd, data, n, at);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	return pwrite64(fd, data, n, at);
}
int fdatasync(int fd)
{
	int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	while (intent && access(getenv("SLOW_DISK"), F_OK) == 0) usleep(10000);
	return next(fd);
}
"""


def a_disk_that_stalls(build):
    """Law 2: approvals that ran out while the intent was being written start nothing."""
    w = Warroom(build, Platform(), expires="20s")
    try:
        w.write("slow.c", SLOW_DISK)
        w.write("stall", "")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", w.path("slow.so"), w.path("slow.c"), "-ldl"], check=True)
        w.start(env=dict(os.environ, LD_PRELOAD=w.path("slow.so"), SLOW_DISK=w.path("stall"),
                         ASAN_OPTIONS="verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")))
        w.lose_a()
        op = w.propose()
        status, body = w.sign(op, "bob")
        assert status == 200, body
        wait_for("the approvals to run out", lambda: all(r["expires"] < w.state()["now"] for r in receipts(w) if r["operation"] == "approval_recorded"))
        assert not w.platform.calls
        os.unlink(w.path("stall"))
        wait_for("people to be asked again", lambda: w.operation(op)["state"] in ("held", "completed"))
        assert not w.platform.count("fence"), "begun with approvals that had run out"
        for who in ("bob", "carol"):
            assert w.sign(op, who)[0] == 200
        w.cli("approve", op, "--key", w.path("alice.key"))
        wait_for("the end", lambda: w.operation(op)["state"] == "completed")
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


OPAQUE = """
      - {name: fence, phase: fence, http: {method: POST, url: "${var.base}/do/fence"}, class: idempotent, timeout: 10s, retries: 9}
      - {name: ticket, phase: other, http: {method: POST, url: "${var.base}/do/ticket"}, class: opaque, timeout: 10s}
      - {name: promote, phase: promote, http: {method: POST, url: "${var.base}/do/promote"}, class: probeable, timeout: 10s, retries: 9, probe: {http: {url: "${var.base}/done/promote", pointer: /done}, until: "value == true"}}
      - {name: shift, phase: shift, traffic: {provider: edge, weights: {"${from}": 0, "${to}": 100}}, class: idempotent, timeout: 10s, retries: 9}
"""


# ---- law 12 ----

EVIL = "ev\x1b[2Jil\x1b]52;c;QUFB\x07\u202eX\u2066\nFORGED\r\x9b31m\u2028FORGED\x08\u200bend"
UNSAFE = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def harmless(name, text):
    bad = UNSAFE.search(text)
    assert not bad, (name, text[max(0, bad.start() - 80):bad.end() + 80])
    assert not any(line.startswith("FORGED") for line in text.split("\n")), (name, text)


def verbs_are_harmless(w, *more):
    for args in (("status",), ("pending",), ("why", "failover"), ("why", "failover", "--from", "a", "--to", "b"), ("plan", "failover", "--from", "a", "--to", "b"),
                 ("ledger", "tail", "-n", "200"), ("ledger", "verify", w.path("ledger"))) + more:
        for form in (args, args + ("--json",)):
            r = w.raw(*form)
            harmless(form, r.stdout + r.stderr)
    for n in range(w.state()["ledger"]["count"]):
        for form in (("ledger", "show", str(n)), ("ledger", "show", str(n), "--json")):
            r = w.raw(*form)
            assert r.returncode == 0, r
            harmless(form, r.stdout + r.stderr)
    with open(w.path("warroomd.log"), errors="surrogateescape", newline="") as f:
        harmless("the log", f.read())


LOUD = """
      - {name: fence, phase: fence, http: {method: POST, url: "${var.base}/do/fence"}, class: idempotent, timeout: 10s, retries: 3}
      - {name: evil, phase: other, why: "why \\e[2J\\u202e\\nFORGED", http: {method: POST, url: "${var.base}/do/evil"}, class: idempotent, timeout: 10s}
      - {name: shout, phase: other, exec: {argv: [/usr/bin/printf, "%b", "ev\\\\033[2Jil\\\\033]52;c;QUFB\\\\007\\\\nFORGED\\\\r\\\\0302\\\\0233x\\\\n"]}, class: idempotent, timeout: 10s}
      - {name: fail, phase: other, on_failure: continue, exec: {argv: [/bin/sh, -c, "printf 'ev\\\\033[2Jil\\\\nFORGED\\\\n' >&2; exit 3"]}, class: idempotent, timeout: 10s}
      - {name: refuse, phase: other, on_failure: continue, http: {method: POST, url: "${var.base}/do/evil", pointer: /x, expect: "value == 1"}, class: idempotent, timeout: 10s}
      - {name: shift, phase: shift, traffic: {provider: edge, weights: {"${from}": 0, "${to}": 100}}, class: idempotent, timeout: 10s, retries: 3}
"""


def hostile_platform_and_people(build):
    """Probe bodies, what steps answer and print, reasons, notes, names, paths and configuration that would like to own the terminal."""
    p = Platform()
    handler = p.server.RequestHandlerClass
    get, post = handler.do_GET, handler.do_POST

    def do_get(self):
        if self.path in ("/evil", "/b/lag"):
            return self.reply(200, {"ready": EVIL, "lag": 0.5, "ids": [EVIL, "r2"]})
        get(self)

    def do_post(self):
        if self.path != "/do/evil":
            return post(self)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(EVIL.encode())))
        self.end_headers()
        self.wfile.write(EVIL.encode())

    handler.do_GET, handler.do_POST = do_get, do_post
    w = Warroom(build, p, steps=LOUD)
    try:
        with open(w.path("warroom.yaml")) as f:
            text = f.read()
        text = text.replace("title: Move everything to the standby", 'title: "Move \\e[2J\\u202e\\nFORGED"')
        fact = """  - {name: b-custom, region: b, kind: custom, http: {url: "http://127.0.0.1:%d/evil", pointer: /ready}, need: 'value != "x"', interval: 300ms, timeout: 300ms}\n"""
        w.write("warroom.yaml", text.replace("facts:\n", "facts:\n" + fact % p.port))
        w.start()
        w.lose_a()
        status, ch = w.api("/v1/challenge", {"draft": {"action": "failover", "from": "a", "to": "b", "reason": EVIL}, "principal": "alice", "decision": "approve"})
        assert status == 200, ch
        op = ch["operation_id"]
        for body in ({"draft": {k: EVIL for k in ("action", "from", "to", "runbook")}, "principal": "alice"}, {"operation_id": EVIL, "principal": "alice"},
                     {"operation_id": op, "principal": EVIL}, {"operation_id": op, "principal": "alice", "role": EVIL},
                     {"operation_id": op, "principal": "alice", "decision": EVIL}, {"operation_id": op, "principal": "alice", "decision": "rule:%s:done" % EVIL},
                     {"operation_id": op, "principal": "alice", "assurance": EVIL}):
            status, answer = w.api("/v1/challenge", body)
            assert status in (400, 403, 404), (status, body)
            harmless(body, answer["error"]["message"])
        for body in ({"operation_id": EVIL, "signature": EVIL}, {"operation_id": EVIL, "signature": w.keygen("bob", ch["message"]), "decision": EVIL}):
            harmless(body, w.api("/v1/sign", body)[1]["error"]["message"])
        for path in ("/v1/why?action=%1b%5b2J%0aFORGED&from=%1b&to=b", "/v1/operations/%1b%5b2J%0aFORGED", "/%1b%5b2J%0aFORGED", "/v1/receipts?from=%1b%0aFORGED"):
            harmless(path, w.api(path)[1]["error"]["message"])
        r = w.raw("approve", op, "--key", w.path("alice.key"), "--note", EVIL)
        assert r.returncode == 0, r
        harmless("approve", r.stdout + r.stderr)
        message = w.challenge(op, "bob")[1]["message"]
        status, answer = w.api("/v1/sign", {"operation_id": op, "signature": w.keygen("bob", message), "note": EVIL})
        assert status == 200, answer
        wait_for("the end", lambda: w.operation(op)["state"] == "completed")
        verbs_are_harmless(w, ("pending", op, "--as", "bob", "--decision", "hold"))
        for r in receipts(w):
            for key, value in r.items():
                if isinstance(value, str):
                    harmless((r["operation"], key), value if key not in ("output", "table", "signed") else value.replace("\n", " "))
        assert any("FORGED" in x["output"] for x in receipts(w) if x["operation"] == "step_result"), "the steps printed nothing"
    finally:
        w.close()


def hostile_ledger(build):
    """The same from the ledger's file, which somebody wrote into."""
    w = Warroom(build, Platform())
    try:
        w.start()
        w.lose_a()
        op = w.propose()
        w.kill()
        evil = {k: EVIL for k in ("actor", "reason", "rule", "principal", "role", "nonce", "note", "words", "runbook", "proposer", "from_region", "to_region", "step",
                                  "phase", "class", "output", "error", "title", "classes", "table", "digest", "action", "by", "torn_file", "version", "incident")}
        plan = next(r["plan_hash"] for r in receipts(w) if r["operation"] == "operation_proposed")
        common = dict(evil, operation_id=op, plan_hash=plan, index=0, attempt=1, undo=False)
        forge(w, *[dict(dict(common, **more), operation=name) for name, more in (
            ("operation_proposed", {"operation_id": "op-9", "group": "other", "kind": "failover", "plan_hash": "0" * 64}),
            ("approval_recorded", {"decision": EVIL}), ("approval_recorded", {"operation_id": "op-9", "plan_hash": "0" * 64, "decision": "deny", "expires": later(99)}),
            ("incident_opened", {"region": "b"}), ("verdict_changed", {"region": "b", "from": EVIL, "to": "SUSPECT"}), ("guards_changed", {}), ("ledger_recovered", {}),
            ("step_intent", {"guarded": True, "kind": "http"}), ("step_result", {"outcome": EVIL}), ("step_uncertain", {}), ("step_ruled", {"ruling": EVIL}),
            ("operation_held", {}), ("operation_approved", {}), ("notification_sent", {"channel": EVIL, "subject": EVIL}), ("engine_stopped", {}))])
        w.start()
        verbs_are_harmless(w, ("approve", "op-9", "--key", w.path("alice.key")), ("hold", op, "--key", w.path("alice.key")))
        assert w.cli("status")
    finally:
        w.close()


main(approvals_forged_in_the_file, rulings_forged_in_the_file, two_rulings_at_one_terminal, signers_who_left, the_clock_was_set_back, a_disk_that_stalls,
     hostile_platform_and_people, hostile_ledger)
