#!/usr/bin/env python3
"""Two service groups, an operation in each at the same time: neither is held for the other's plan, each keeps its own output."""
from harness import Platform, Warroom, main, wait_for

SECOND = """
  - name: move-second
    kind: failover
    group: second
    title: Move the second group
    owner: test
    reviewed: "2026-11-01"
    steps:
      - {name: say, phase: other, exec: {argv: [/bin/sh, -c, "echo second speaks; sleep 1"]}, class: idempotent, timeout: 10s, retries: 3}
      - {name: second-fence, phase: fence, http: {method: POST, url: "${var.base}/do/second"}, class: idempotent, timeout: 10s, retries: 3}
      - {name: second-verify, phase: verify, wait: {http: {url: "${var.base}/b/health", pointer: /ok}, until: "value == true", every: 100ms}, class: idempotent, timeout: 10s}
operators:
"""

FIRST = """
      - {name: say, phase: other, exec: {argv: [/bin/sh, -c, "echo first speaks; sleep 1"]}, class: idempotent, timeout: 10s, retries: 3}
      - {name: fence, phase: fence, http: {method: POST, url: "${var.base}/do/fence"}, class: idempotent, timeout: 10s, retries: 3}
      - {name: verify, phase: verify, wait: {http: {url: "${var.base}/b/health", pointer: /ok}, until: "value == true", every: 100ms}, class: idempotent, timeout: 10s}
"""


def two_at_once(build):
    p = Platform()
    p.slow = {"fence": 1, "second": 1}
    w = Warroom(build, p, steps=FIRST)
    try:
        with open(w.path("warroom.yaml")) as f:
            text = f.read()
        text = text.replace("operators:\n", SECOND.lstrip("\n"), 1)
        text = text.replace("signals:\n", "  - {name: other, tier: 2, group: second, rto: 9m, rpo: 1m, regions: [a, b]}\nsignals:\n", 1)
        w.write("warroom.yaml", text.replace("service: core, ", ""))  # the link is everybody's
        w.start()
        p.sick.add("a")
        wait_for("DOWN", lambda: w.verdict("a") == "DOWN")
        wait_for("two actions", lambda: sum(a["possible"] for a in w.state()["actions"]) == 2)
        assert {a["runbook"] for a in w.state()["actions"]} == {"move", "move-second"}
        # "failover" alone does not say which; a runbook that does not exist is not silently another one.
        assert w.api("/v1/why?action=failover&from=a&to=b")[0] == 400
        assert w.api("/v1/why?action=failover&from=a&to=b&runbook=nonsense")[0] == 400
        assert w.api("/v1/why?action=failover&from=a&to=b&runbook=move-second")[1]["runbook"] == "move-second"
        ops = {}
        for runbook in ("move", "move-second"):
            ch = w.api("/v1/challenge", {"draft": {"action": "failover", "from": "a", "to": "b", "runbook": runbook, "reason": "x"}, "principal": "carol", "decision": "approve"})[1]
            ops[runbook] = ch["operation_id"]
            assert w.api("/v1/sign", {"operation_id": ch["operation_id"], "signature": w.keygen("carol", ch["message"])})[0] == 200
        for op in ops.values():
            w.cli("approve", op, "--key", w.path("alice.key"))

        def both():
            now = [w.operation(op) for op in ops.values()]
            for o in now:
                assert o["state"] in ("proposed", "approved", "running", "completed"), (o["id"], o["state"], o["held_reason"])
            return all(o["state"] == "completed" for o in now)
        wait_for("both to complete", both)
        said = {o["runbook"]: next(s for s in o["steps"] if s["name"] == "say")["output"] for o in (w.api("/v1/operations/" + op)[1]["operation"] for op in ops.values())}
        assert "first speaks" in said["move"] and "second speaks" in said["move-second"], said
        assert p.count("fence") == 1 and p.count("second") == 1, p.calls
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


main(two_at_once)
