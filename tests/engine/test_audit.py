#!/usr/bin/env python3
"""The laws, attacked: forged ledgers, crashes between any two receipts, hostile text at every inlet."""
import base64
import datetime
import hashlib
import json
import os
import shutil
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


def forge(w, *drafts):
    """Appends receipts to the file as someone with write access could: the chain's hashes need no key."""
    last = receipts(w)[-1]
    with open(segment(w), "a") as f:
        for draft in drafts:
            r = dict({"actor": "engine:tester", "chain": "test/ops", "epoch": last["epoch"], "incident": "INC-0001", "v": 1}, **draft)
            r["seq"], r["prev_hash"], r["timestamp"] = last["seq"] + 1, last["hash"], later(0)
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


if __name__ == "__main__":
    main(approvals_forged_in_the_file)
