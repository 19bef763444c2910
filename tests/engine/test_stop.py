#!/usr/bin/env python3
"""SIGTERM at any moment: it ends with 0, everybody who asked is answered, and what was begun goes on after the restart."""
import random
import signal
import socket
import threading

from harness import Platform, Warroom, main, wait_for


def ended(w, what):
    code = w.process.wait(timeout=60)
    with open(w.path("warroomd.log"), errors="replace") as f:
        text = f.read()
    assert code == 0, (what, code, text[-2000:])
    for word in ("Sanitizer", "assertion", "suspended"):
        assert word not in text, (what, text[-3000:])


def with_requests_in_flight(build):
    """Long polls, plans, receipts and signatures from 60 clients: the stop answers or closes each."""
    w = Warroom(build, Platform())
    try:
        for turn in range(4):
            w.start()
            w.state()
            stop = threading.Event()
            routes = ["/v1/state?since=%d&wait_ms=30000", "/v1/plan?action=failover&from=a&to=b&x=%d", "/v1/receipts?from=0&limit=500&x=%d",
                      "/v1/why?action=failover&from=a&to=b&x=%d", "/v1/operations/op-%d", None]
            answers = []

            def client(i):
                while not stop.is_set():
                    route = routes[i % len(routes)]
                    try:
                        if route:
                            rev = (w.try_state() or {}).get("rev", 0) if i % len(routes) == 0 else i
                            answers.append(w.api(route % rev)[0])
                        else:
                            answers.append(w.api("/v1/sign", {"operation_id": "op-1", "signature": "AAAA"})[0])
                    except OSError:
                        return
            threads = [threading.Thread(target=client, args=(i,), daemon=True) for i in range(60)]
            for t in threads:
                t.start()
            wait_for("traffic", lambda: len(answers) > 200 * (turn + 1))
            w.process.send_signal(signal.SIGTERM)
            ended(w, "turn %d" % turn)
            stop.set()
            for t in threads:
                t.join(60)
                assert not t.is_alive(), "a client hangs"
            assert set(answers) <= {0, 200, 400, 404, 503}, set(answers)
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


def half_a_request(build):
    """Connections that say nothing, or half a thing, do not keep the engine up."""
    w = Warroom(build, Platform())
    try:
        w.start()
        kept = []
        for text in (b"", b"GET /v1/st", b"POST /v1/sign HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", b"GET /v1/state?since=999999&wait_ms=30000 HTTP/1.1\r\nHost: x\r\n\r\n"):
            s = socket.socket(socket.AF_UNIX)
            s.connect(w.path("warroom.sock"))
            s.sendall(text)
            kept.append(s)
        w.state()
        w.process.send_signal(signal.SIGTERM)
        ended(w, "half requests")
    finally:
        w.close()


def during_a_step(build):
    """The step that ran is uncertain, is tried again with the same key, and the operation completes."""
    p = Platform()
    p.slow["fence"] = 8
    w = Warroom(build, p)
    try:
        w.start()
        w.lose_a()
        op = w.propose()
        assert w.sign(op, "bob")[0] == 200
        wait_for("the call", lambda: p.count("fence"))
        w.process.send_signal(signal.SIGTERM)
        ended(w, "a running step")
        p.slow.clear()
        w.start()
        wait_for("the end", lambda: w.operation(op)["state"] == "completed")
        assert len({k for n, k, _ in p.calls if n == "fence"}) == 1, p.calls
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


def while_people_sign(build):
    """Who was told "accepted" is in the ledger, who was told no is not."""
    rng = random.Random(7)
    for turn in range(6):
        w = Warroom(build, Platform())
        try:
            w.start()
            w.lose_a()
            op = w.propose()
            ch = w.challenge(op, "bob")[1]
            sig = w.keygen("bob", ch["message"])
            answer = []
            started = threading.Event()

            def sign():
                started.set()
                try:
                    answer.append(w.api("/v1/sign", {"operation_id": op, "signature": sig}))
                except OSError:
                    answer.append((0, None))
            t = threading.Thread(target=sign)
            t.start()
            started.wait()
            threading.Event().wait(rng.random() * 0.01)
            w.process.send_signal(signal.SIGTERM)
            ended(w, "turn %d" % turn)
            t.join(60)
            w.start()
            by = [a["principal"] for a in w.operation(op)["approvals"]]
            status = answer[0][0]
            if status == 200:
                assert "bob" in by, (answer, by)
            elif status == 503:
                assert "bob" not in by, (answer, by)
            if "bob" in by:
                wait_for("the end", lambda: w.operation(op)["state"] == "completed")
            # Stopped in the middle of an idempotent step it is done again, with the same key.
            keys = {k for n, k, _ in w.platform.calls if n == "fence"}
            assert len(keys) == (1 if "bob" in by else 0), w.platform.calls
        finally:
            w.close()


main(with_requests_in_flight, half_a_request, during_a_step, while_people_sign)
