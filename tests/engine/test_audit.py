#!/usr/bin/env python3
"""The laws, attacked: forged ledgers, crashes between any two receipts, hostile text at every inlet."""
import base64
import datetime
import hashlib
import json
import os
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
        w.start(env=dict(os.environ, LD_PRELOAD=w.path("slow.so"), SLOW_DISK=w.path("stall")))
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


main(approvals_forged_in_the_file, rulings_forged_in_the_file, signers_who_left, the_clock_was_set_back, a_disk_that_stalls)
