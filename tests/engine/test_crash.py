#!/usr/bin/env python3
"""kill -9 at any moment: the operation goes on after the restart, and no opaque step is done twice."""
import random

from harness import Platform, Warroom, main, wait_for

OPAQUE = """
      - {name: fence, phase: fence, http: {method: POST, url: "${var.base}/do/fence"}, class: idempotent, timeout: 10s, retries: 9}
      - {name: ticket, phase: other, http: {method: POST, url: "${var.base}/do/ticket"}, class: opaque, timeout: 10s}
      - {name: promote, phase: promote, http: {method: POST, url: "${var.base}/do/promote"}, class: probeable, timeout: 10s, retries: 9, probe: {http: {url: "${var.base}/done/promote", pointer: /done}, until: "value == true"}}
      - {name: shift, phase: shift, traffic: {provider: edge, weights: {"${from}": 0, "${to}": 100}}, class: idempotent, timeout: 10s, retries: 9}
"""


def rule_if_asked(w, op):
    """People look at the platform and say what became of the opaque step."""
    o = w.operation(op)
    step = next(s for s in o["steps"] if s["name"] == "ticket")
    if o["state"] == "held" and step["state"] == "uncertain":
        what = "done" if w.platform.count("ticket") else "not_done"
        r = w.raw("rule", op, "ticket", what, "--key", w.path("alice.key"))
        if r.returncode:  # what was seen may be a tenth of a second old: an earlier ruling has been heard
            assert "A-STATE" in r.stderr, r.stderr
            return False
        assert w.operation(op)["state"] == "held", "one person's ruling was enough"
        status, body = w.sign(op, "bob", "rule:ticket:" + what)
        assert status == 200, body
        return True
    return False


def crash_in_each_step(build):
    for victim in ("fence", "ticket", "promote"):
        p = Platform()
        p.slow[victim] = 1.5
        w = Warroom(build, p, steps=OPAQUE)
        try:
            w.start()
            w.lose_a()
            op = w.propose()
            status, body = w.sign(op, "bob")
            assert status == 200, body
            wait_for("the call of " + victim, lambda: p.count(victim))
            w.kill()
            p.slow.clear()
            w.start()

            def over():
                rule_if_asked(w, op)
                return w.operation(op)["state"] == "completed"
            wait_for("the end after a crash in " + victim, over)
            assert p.count("ticket") == 1, "the opaque step was done %d times" % p.count("ticket")
            assert p.count("promote") == 1, "the probeable step was done %d times" % p.count("promote")
            keys = {k for n, k, _ in p.calls if n == "fence"}
            assert len(keys) == 1, "retries of an idempotent step need one key: %s" % keys
            epochs = [e for _, _, e in p.calls]
            assert epochs == sorted(epochs), epochs
            assert p.weights == {"a": 0, "b": 100}
            assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
        finally:
            w.close()


def crash_at_random(build):
    rng = random.Random(20261120)
    for _ in range(6):
        p = Platform()
        p.slow = {"fence": 0.1, "ticket": 0.1, "promote": 0.1}
        w = Warroom(build, p, steps=OPAQUE)
        try:
            w.start()
            w.lose_a()
            op = w.propose()
            w.sign(op, "bob")
            at = w.state()["ledger"]["count"] + rng.randint(0, 6)
            wait_for("a moment", lambda: w.state()["ledger"]["count"] >= at or w.operation(op)["state"] in ("completed", "held"))
            w.kill()
            w.start()

            def over():
                rule_if_asked(w, op)
                return w.operation(op)["state"] == "completed"
            wait_for("the end", over)
            assert p.count("ticket") == 1, "the opaque step was done %d times" % p.count("ticket")
            assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
        finally:
            w.close()


main(crash_in_each_step, crash_at_random)
