#!/usr/bin/env python3
"""A crash between any two receipts: the engine is started on every prefix of the ledger of a failover with a hold, a failback and
an abort. It starts, goes on or asks people, repeats no opaque step, and its ledger verifies."""
import json
import os
import signal

from harness import Platform, Warroom, main, wait_for

CALL = '{name: %s, phase: %s, http: {method: POST, url: "${var.base}/do/%s"}, class: %s, timeout: 10s, retries: 3%s}'


def call(name, phase, step_class):
    undo = ", rollback: {http: {method: POST, url: \"${var.base}/do/un%s\"}}" % name
    more = {"idempotent": undo, "opaque": undo,
            "probeable": ", probe: {http: {url: \"${var.base}/done/%s\", pointer: /done}, until: \"value == true\"}" % name}[step_class]
    return CALL % (name, phase, name, step_class, more)


def steps(suffix):
    return "".join("\n      - " + x for x in (
        call("fence" + suffix, "fence", "idempotent"),
        call("ticket" + suffix, "other", "opaque"),
        '{name: shift-10, phase: shift, traffic: {provider: edge, weights: {"${from}": 90, "${to}": 10}}, class: idempotent, timeout: 10s, retries: 3}',
        '{name: soak, phase: soak, soak: {duration: 1s, min_samples: 2}, class: idempotent, timeout: 20s}',
        call("promote" + suffix, "promote", "probeable"),
        '{name: shift-100, phase: shift, traffic: {provider: edge, weights: {"${from}": 0, "${to}": 100}}, class: idempotent, timeout: 10s, retries: 3}',
        '{name: verify, phase: verify, wait: {http: {url: "${var.base}/b/health", pointer: /ok}, until: "value == true", every: 100ms}, class: idempotent, timeout: 10s}'))


BACK = """
  - name: back
    kind: failback
    title: Move everything back
    owner: test
    reviewed: "2026-11-01"
    steps:%s
operators:
""" % steps("-back")


def configure(w):
    with open(w.path("warroom.yaml")) as f:
        text = f.read()
    text = text.replace("operators:\n", BACK.lstrip("\n"), 1)
    here = [x for x in text.splitlines() if "name: db," in x or "name: b-capacity," in x]
    back = [here[0].replace("name: db,", "name: db-back,").replace("from: a, to: b", "from: b, to: a"), here[1].replace("b-capacity", "a-capacity").replace("region: b", "region: a")]
    for one, other in zip(here, back):
        text = text.replace(one, one + "\n" + other, 1)
    w.write("warroom.yaml", text)


def approve_all(w, action, source, target):
    answer = json.loads(w.cli("propose", action, "--from", source, "--to", target, "--reason", "test", "--key", w.path("alice.key"), "--json"))
    status, body = w.sign(answer["operation_id"], "bob")
    assert status == 200, body
    return answer["operation_id"]


def state_is(w, op, *states):
    return wait_for(" or ".join(states), lambda: w.operation(op)["state"] in states)


def play(w):
    """The ledger whose every prefix is tried."""
    p = w.platform
    w.start()
    w.lose_a()
    p.slow["fence"] = 1
    op = approve_all(w, "failover", "a", "b")
    wait_for("the fence", lambda: p.count("fence"))
    assert w.sign(op, "carol", "hold")[0] == 200
    p.slow.clear()
    wait_for("the fence's end", lambda: w.step(op, "fence")["state"] == "done")
    assert w.sign(op, "carol", "resume")[0] == 200
    state_is(w, op, "completed")
    p.sick.clear()
    wait_for("HEALTHY", lambda: w.verdict("a") == "HEALTHY")
    wait_for("a failback that may start", lambda: w.possible("failback"))
    op = approve_all(w, "failback", "b", "a")
    state_is(w, op, "completed")
    w.lose_a()
    p.slow["ticket"] = 1
    op = approve_all(w, "failover", "a", "b")
    wait_for("the ticket", lambda: p.count("ticket") == 2)
    assert w.sign(op, "carol", "abort")[0] == 200
    p.slow.clear()
    state_is(w, op, "rolled_back", "failed")
    w.kill(signal.SIGTERM)
    assert p.count("unticket") == 1


def set_platform(p, prefix, applied):
    """The platform as it was when the last receipt of the prefix was written; `applied`: what was begun was also done."""
    p.sick.clear()
    p.weights = {"a": 100, "b": 0}
    with p.lock:
        p.calls.clear()
    intents = {}
    for r in prefix:
        if r["operation"] == "verdict_changed" and r["region"] == "a":
            (p.sick.add if r["to"] in ("DOWN", "SUSPECT") else p.sick.discard)("a")
        if r["operation"] == "step_intent":
            intents[r["operation_id"], r["index"], r["undo"]] = r
        done = r["operation"] == "step_result" and r["outcome"] == "done"
        last = applied and r is prefix[-1] and r["operation"] == "step_intent"
        if not done and not last:
            continue
        i = intents[r["operation_id"], r["index"], r["undo"]]
        back, far = i["step"], 10 if i["step"] == "shift-10" else 100
        source = next(x["from_region"] for x in prefix if x["operation"] == "operation_proposed" and x["operation_id"] == i["operation_id"])
        if i["kind"] == "traffic":
            to = 0 if i["undo"] else far
            p.weights = {source: 100 - to, "b" if source == "a" else "a": to}
        elif i["kind"] == "http":
            with p.lock:
                p.calls.append((("un" if i["undo"] else "") + back, i["idempotency_key"], i["epoch"]))


def settled(w):
    """Nothing moves: each operation is over, or waits for people."""
    for o in w.state()["operations"]:
        if o["state"] in ("approved", "running", "rolling_back"):
            return False
        if o["state"] == "proposed" and len({a["principal"] for a in o["approvals"] if a["decision"] == "approve"}) > 1:
            return False
    return True


def try_prefix(w, lines, prefix, applied):
    chain = w.path("ledger/test/ops")
    for name in os.listdir(chain):
        os.unlink(os.path.join(chain, name))
    with open(os.path.join(chain, "%020d.jsonl" % 0), "w") as f:
        f.writelines(lines[:len(prefix)])
    set_platform(w.platform, prefix, applied)
    before = list(w.platform.calls)
    w.start()
    wait_for("all to end or to ask", lambda: w.alive() and settled(w))
    ops = w.state()["operations"]
    w.kill()
    begun = [r for r in prefix if r["operation"] == "step_intent" and r["class"] == "opaque" and r["kind"] == "http"]
    keys = {r["idempotency_key"] for r in begun}
    opaque = [(n, k) for n, k, _ in w.platform.calls[len(before):] if "ticket" in n]
    assert len(opaque) == len(set(opaque)), "an opaque step was done twice: %s" % opaque
    assert not keys & {k for _, k in opaque}, "an opaque step was repeated: %s" % opaque
    for o in ops:
        if o["state"] != "held":
            continue
        uncertain = [s["name"] for s in o["steps"] if s["state"] == "uncertain"]
        asked = {"HOLD-UNCERTAIN": any("ticket" in s for s in uncertain), "HOLD-OPERATOR": any(r.get("decision") == "hold" for r in prefix)}
        assert asked.get(o["held_rule"]), (o["id"], o["held_rule"], o["held_reason"])
    # What people signed holds, also when the crash came before what follows from it.
    said = prefix[-1].get("decision", "")
    assert said != "hold" or ops[0]["held_rule"] == "HOLD-OPERATOR", (ops[0]["state"], ops[0]["held_rule"])
    assert said != "abort" or ops[0]["state"] in ("rolled_back", "held"), ops[0]["state"]
    out = w.raw("ledger", "verify", w.path("ledger")).stdout
    assert "VERIFIED" in out, out
    return {o["state"] for o in ops}


def every_prefix(build):
    w = Warroom(build, Platform(), steps=steps(""), expires="15m")
    try:
        configure(w)
        play(w)
        with open(w.path("ledger/test/ops/%020d.jsonl" % 0)) as f:
            lines = f.readlines()
        receipts = [json.loads(x) for x in lines]
        ends = set()
        for n in range(1, len(lines) + 1):
            last = receipts[n - 1]
            for applied in (False, True) if last["operation"] == "step_intent" else (False,):
                try:
                    ends |= try_prefix(w, lines, receipts[:n], applied)
                except Exception as e:
                    tail = open(w.path("ledger/test/ops/%020d.jsonl" % 0)).read().splitlines()[n - 3:]
                    raise AssertionError("after %d receipts, the last one %s %s, applied %s: %s\n%s" % (
                        n, last["operation"], last.get("step", ""), applied, e, "\n".join(x[:600] for x in tail if "guards_changed" not in x)))
        assert {"completed", "rolled_back", "held", "proposed"} <= ends, ends
        print("test_prefix.py: %d prefixes" % len(lines))
    finally:
        w.close()


main(every_prefix)
