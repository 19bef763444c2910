#!/usr/bin/env python3
"""An engine that plays recorded states, for the tests of the screen. Standard library alone.

Serves the routes of docs/api.md that the screen uses, on a Unix socket. It can be told to die, to hang, to
answer rubbish, and what to become when a decision was signed. Signatures are checked with ssh-keygen.

usage: fake_engine.py SOCKET STATE    then lines on stdin: state NAME, hang, garble, half, ok, die, quit
"""

import http.server
import json
import os
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
PLAN_HASH = "58cc8770fbaef5ceb5532d8ad842c35568124259d2412fdca132d06fc6b40f35"
PLAN_WORDS = "firewood-garlic-squadron-vivid-tumbler-team"
PLAN_TEXT = "Regional failover\n\n" + "".join(
    f"  {i}. step-{i}   [phase, http]\n      why         It has to be done, and this says why at such length that "
    f"the line must go on below.\n      request     POST http://127.0.0.1:9100/step/{i}\n" for i in range(1, 14))


def load(name):
    with open(os.path.join(HERE, "states", name + ".json"), encoding="utf-8") as f:
        return json.load(f)


class Refused(Exception):
    def __init__(self, status, code, rule, message):
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "rule": rule, "message": message}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *unused):
        pass

    def answer(self, value, status=200):
        engine = self.server.engine
        if engine.mode == "hang":
            engine.wake.wait_for_mode(lambda m: m != "hang")
        text = json.dumps(value).encode()
        if engine.mode == "garble":
            text = b'{"rev": 99, "now": \xff\xfe\x00 ' + bytes(range(256))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text) + (1000 if engine.mode == "half" else 0)))
        self.end_headers()
        self.wfile.write(text)
        if engine.mode == "half":
            self.close_connection = True

    def handle_one(self, method):
        path, _, query = self.path.partition("?")
        args = dict(p.split("=", 1) for p in query.split("&") if "=" in p)
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        try:
            self.answer(self.server.engine.route(method, path, args, body))
        except Refused as r:
            self.answer(r.body, r.status)

    def do_GET(self):
        self.handle_one("GET")

    def do_POST(self):
        self.handle_one("POST")


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path, engine):
        self.engine = engine
        self.open = set()
        self.lock = threading.Lock()
        super().__init__(path, Handler)

    def process_request(self, request, client_address):
        with self.lock:
            self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self.lock:
            self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass  # clients come and go

    def stop(self):
        self.shutdown()
        self.server_close()
        with self.lock:
            for s in self.open:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Wake:
    """Changes of state and mode, waited for."""

    def __init__(self):
        self.changed = threading.Condition()
        self.mode, self.rev = "ok", 0

    def wait_for_mode(self, test):
        with self.changed:
            self.changed.wait_for(lambda: test(self.mode))

    def wait_for_rev(self, above, seconds):
        with self.changed:
            return self.changed.wait_for(lambda: self.rev > above, seconds)


class Engine:
    """signed: the decisions that were accepted, as (principal, decision, operation_id).
    on_sign: decision -> name of the state that follows."""

    def __init__(self, path, state):
        self.path, self.wake, self.server = path, Wake(), None
        self.state, self.messages, self.signed, self.on_sign = None, {}, [], {}
        self.lie = ""  # "words", "decision": what the text to sign says otherwise
        self.keys = {}  # principal -> key file, put into every state
        self.become(state)
        self.start()

    @property
    def mode(self):
        return self.wake.mode

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.server = Server(self.path, self)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def die(self):
        self.server.stop()
        os.unlink(self.path)

    def set_mode(self, mode):
        with self.wake.changed:
            self.wake.mode = mode
            self.wake.changed.notify_all()

    def become(self, state):
        """A recorded state by name, or one made by the test."""
        value = load(state) if isinstance(state, str) else state
        with self.wake.changed:
            self.wake.rev += 1
            value["rev"] = self.wake.rev
            for person in value.get("operators") or []:
                if isinstance(person, dict) and person.get("principal") in getattr(self, "keys", {}):
                    person["key_file"] = self.keys[person["principal"]]
            self.state = value
            self.wake.changed.notify_all()

    def use_keys(self, keys):
        self.keys = keys
        self.become(self.state)

    # routes

    def route(self, method, path, args, body):
        if (method, path) == ("GET", "/v1/state"):
            return self.get_state(args)
        if (method, path) == ("GET", "/v1/version"):
            return {"version": "0", "api": 1, "platform": "fake"}
        if (method, path) == ("GET", "/v1/plan") or path.startswith("/v1/operations/"):
            return {"plan": {}, "plan_hash": PLAN_HASH, "words": PLAN_WORDS, "text": PLAN_TEXT}
        if (method, path) == ("GET", "/v1/receipts"):
            return self.get_receipts(args)
        if (method, path) == ("POST", "/v1/challenge"):
            return self.challenge(body)
        if (method, path) == ("POST", "/v1/sign"):
            return self.sign(body)
        raise Refused(404, "not_found", "", f"no route {path}")

    def get_state(self, args):
        since = int(args.get("since", "-1"))
        if "since" in args and not self.wake.wait_for_rev(since, int(args.get("wait_ms", "0")) / 1000):
            return {"rev": self.wake.rev, "unchanged": True, "now": self.state.get("now", "")}
        return self.state

    def get_receipts(self, args):
        seq = int(args["from"])
        r = {"operation": "test_receipt", "seq": seq, "actor": "fake", "timestamp": "2026-01-25T12:40:15.123456Z",
             "table": json.dumps([{"verdict": "FAIL", "name": "lag", "observed": "41 s"}]), "hash": "00" * 32}
        return {"receipts": [r], "head": {"count": 1, "hash": "00" * 32}}

    def challenge(self, body):
        if body["decision"] == "deny":
            raise Refused(409, "conflict", "O-TEST", "this engine denies denials")
        op_id = body.get("operation_id", "op-1")
        message = json.dumps({"assurance": body["assurance"], "decision": "approve" if self.lie == "decision" else body["decision"],
                              "expires": "2026-11-20T23:06:07.266350Z", "head": "00" * 32,
                              "nonce": "%064x" % len(self.messages), "operation_id": op_id, "plan_hash": PLAN_HASH,
                              "principal": body["principal"], "role": "sre"}, separators=(",", ":"), sort_keys=True)
        self.messages[op_id] = (message, body["principal"], body["decision"])
        action = (self.state.get("actions") or [{}])[0]
        return {"operation_id": op_id, "message": message, "nonce": "", "expires": "2026-11-20T23:06:07.266350Z",
                "plan_hash": PLAN_HASH, "words": "not-the-words" if self.lie == "words" else PLAN_WORDS, "decision": body["decision"],
                "principal": body["principal"], "role": "sre", "assurance": body["assurance"],
                "draft": "draft" in body, "text": PLAN_TEXT, "loss": action.get("loss", {}),
                "guards": action.get("guards", [])}

    def sign(self, body):
        message, principal, decision = self.messages[body["operation_id"]]
        with tempfile.NamedTemporaryFile("w", suffix=".sig") as sig:
            sig.write(body["signature"])
            sig.flush()
            done = subprocess.run(["ssh-keygen", "-Y", "check-novalidate", "-n", "warroom-approval", "-s", sig.name],
                                  input=message.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise Refused(403, "denied", "A-SIGNATURE", "the signature does not verify")
        self.signed.append((principal, decision, body["operation_id"]))
        if decision in self.on_sign:
            self.become(self.on_sign[decision])
        return {"accepted": True, "operation_id": body["operation_id"], "decision": decision, "state": "proposed"}


def main():
    engine = Engine(sys.argv[1], sys.argv[2])
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        if words[0] == "state":
            engine.become(words[1])
        elif words[0] == "die":
            engine.die()
        elif words[0] == "live":
            engine.start()
        elif words[0] == "quit":
            break
        else:
            engine.set_mode(words[0])
    engine.die()


if __name__ == "__main__":
    main()
