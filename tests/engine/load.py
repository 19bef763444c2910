#!/usr/bin/env python3
"""Many probes, many clients, many forgeries, a long ledger: the loop keeps turning and nobody is shut out."""
import json
import os
import subprocess
import sys
import tempfile
import threading

from harness import HERE, Platform, Warroom, main, wait_for


def sim(build):
    """A simulated platform to probe: C, so that the probed side is not what is measured."""
    ports = tempfile.mktemp(prefix="warroom-ports.")
    p = subprocess.Popen([os.path.abspath(build) + "/warroom-sim", "--platform", "ggen", "--ports-file", ports, "--parent-pid", str(os.getpid())],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the simulator", lambda: os.path.exists(ports) and open(ports).read().strip().endswith("}"))
    with open(ports) as f:
        control = json.load(f)["control"]
    os.unlink(ports)
    return p, control


def add_signals(w, n, url, interval):
    line = '  - {name: s%d, region: b, class: ingress, http: {url: "%s"}, interval: %s, timeout: 900ms, breach_after: 3, clear_after: 2, breach_when: "error"}\n'
    with open(w.path("warroom.yaml")) as f:
        text = f.read()
    w.write("warroom.yaml", text.replace("references:\n", "".join(line % (i, url, interval) for i in range(n)) + "references:\n"))


class Clients:
    """hammer.py: threads that ask the same again and again until told to stop; a context."""

    def __init__(self, w, n, *tasks):
        self.count, self.result = 0, {}
        self.p = subprocess.Popen([sys.executable, os.path.join(HERE, "hammer.py"), w.path("warroom.sock"), str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.p.stdin.write(json.dumps(tasks) + "\n")
        self.p.stdin.flush()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.p.stdout:
            value = json.loads(line)
            if isinstance(value, dict):
                self.result = value
            else:
                self.count = value

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.p.stdin.close()
        self.p.wait(timeout=120)
        self.reader.join(60)
        assert kind or (self.result and not self.result["bad"]), self.result


def get(path, status=200):
    return ["GET", path, None, status, ""]


def thousand_probes_and_fifty_clients(build):
    proc, control = sim(build)
    w = Warroom(build, Platform())
    try:
        add_signals(w, 1000, "http://127.0.0.1:%d/healthz" % control, "1s")
        w.start()

        tasks = [get(p) for p in ("/v1/state", "/v1/why?action=failover&from=a&to=b", "/v1/receipts?from=-50&limit=50", "/v1/plan?action=failover&from=a&to=b")]
        with Clients(w, 50, *tasks) as clients:
            wait_for("probes", lambda: w.state()["engine"]["probes_done"] > 8000, 120)
            s = w.state()
            assert s["engine"]["queue_dropped"] == 0, s["engine"]
            # In the middle of it an outage is seen, and an operation goes through.
            w.platform.sick.add("a")
            wait_for("DOWN", lambda: w.verdict("a") == "DOWN", 120)
            wait_for("a failover that may start", w.possible, 120)
            op = w.propose()
            assert w.sign(op, "bob")[0] == 200
            wait_for("the end", lambda: w.operation(op)["state"] == "completed", 120)
        print("   1,000 probes/s, %d requests meanwhile: %s" % (clients.result["count"], w.state()["engine"]))
    finally:
        w.close()
        proc.kill()
        proc.wait()


def two_hundred_long_polls(build):
    """Each gets every news once, none is forgotten, and nothing is sent while there is none."""
    w = Warroom(build, Platform())
    try:
        w.start()
        with Clients(w, 200, get("/v1/state?since=%d&wait_ms=20000")) as clients:
            wait_for("twenty news for each", lambda: clients.count > 200 * 20, 120)
            w.lose_a()
    finally:
        w.close()


def a_flood_of_forgeries(build):
    """Signatures with a known person's public key that do not verify: refused, and time goes on meanwhile."""
    w = Warroom(build, Platform())
    try:
        w.start()
        w.lose_a()
        op = w.propose()
        for i in range(16):
            w.challenge(op, "bob", "tick:s%d" % i)
        good = w.keygen("bob", "something else")

        forgery = ["POST", "/v1/sign", {"operation_id": op, "signature": good}, 403, "A-SIGNATURE"]
        with Clients(w, 40, forgery) as clients:
            wait_for("forgeries", lambda: clients.count > 500)
            assert w.sign(op, "bob")[0] == 200
            wait_for("the end", lambda: w.operation(op)["state"] == "completed")
    finally:
        w.close()


def a_long_ledger(build):
    """A page of receipts costs the same whatever is before it, and a page of large ones is cut."""
    w = Warroom(build, Platform())
    try:
        tool = w.build + "/tools/ledger/mkledger"
        if not os.path.exists(tool):
            subprocess.run(["make", "-s", "-C", os.path.join(HERE, "../.."), "BUILD=" + w.build, tool], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([tool, "make", w.path("ledger"), "30000", "4000000", "1"], check=True, stdout=subprocess.DEVNULL)
        with open(w.path("warroom.yaml")) as f:
            text = f.read()
        w.write("warroom.yaml", text.replace("partition: test", "partition: us-central1"))
        w.start()
        n = w.state()["ledger"]["count"]
        assert n > 30000, n
        page, seq = w.api("/v1/receipts?from=29990&limit=500")[1]["receipts"], 29990
        assert page[0]["seq"] == seq and len(page) >= n - seq - 1, (len(page), n)
        at = 0
        while at < n:
            page = w.api("/v1/receipts?from=%d&limit=500" % at)[1]["receipts"]
            assert page and page[0]["seq"] == at and page[-1]["seq"] == at + len(page) - 1, at
            assert sum(len(json.dumps(r)) for r in page) < 1200000
            at += len(page)
        for bad in ("/v1/receipts?from=x", "/v1/receipts?from=-", "/v1/receipts?from=1x", "/v1/receipts?limit=many", "/v1/receipts?from=99999999999999999999",
                    "/v1/state?since=1e3", "/v1/state?wait_ms=-", "/v1/state?since=%20"):
            status, body = w.api(bad)
            assert status == 400 and "number" in body["error"]["message"], (bad, status, body)
        assert w.api("/v1/receipts?from=999999999999999999&limit=5")[1]["receipts"] == []
        assert len(w.api("/v1/receipts?from=-1&limit=500")[1]["receipts"]) >= 1
        assert len(w.api("/v1/receipts?from=-999999999999999999&limit=2")[1]["receipts"]) == 2
        assert len(w.api("/v1/receipts?limit=1")[1]["receipts"]) == 1
        assert len(w.api("/v1/receipts?from=0&limit=0")[1]["receipts"]) == 1
    finally:
        w.close()


main(thousand_probes_and_fifty_clients, two_hundred_long_polls, a_flood_of_forgeries, a_long_ledger)
