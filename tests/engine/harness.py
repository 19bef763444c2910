"""A small platform that a test holds in its hand, and warroomd on it.

The platform is one HTTP server: /REGION/health and /REGION/mesh answer as told, /traffic keeps weights, POST /do/NAME counts
calls (and may be told to be slow). Two operators: alice with a sealed key, bob with an ssh-keygen key.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))


def wait_for(what, condition, seconds=60):
    """Polls a condition; the limit is only there so that a broken test ends."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %d s in vain for: %s" % (seconds, what))
        time.sleep(0.02)


class Platform:
    def __init__(self):
        self.lock = threading.Lock()
        self.sick = set()          # regions that answer 503
        self.weights = {"a": 100, "b": 0}
        self.calls = []            # (name, idempotency key, epoch)
        self.applied = {}          # idempotency key: number of times applied
        self.slow = {}             # name: seconds
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def reply(self, status, body):
                data = json.dumps(body).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass

            def do_GET(self):
                if self.path == "/traffic":
                    return self.reply(200, {"weights": platform.weights})
                parts = self.path.strip("/").split("/")
                if len(parts) == 2 and parts[0] in "ab":
                    bad = parts[0] in platform.sick
                    return self.reply(503 if bad else 200, {"ok": not bad, "lag": 0.5, "ready": 100, "ids": ["r1", "r2"]})
                if parts[0] == "done":
                    with platform.lock:
                        return self.reply(200, {"done": any(n == parts[1] for n, _, _ in platform.calls)})
                self.reply(200, {})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/traffic":
                    w = json.loads(body)["weights"]
                    if sum(w.values()) != 100:
                        return self.reply(422, {"error": "sum"})
                    platform.weights = w
                    return self.reply(200, {"weights": w})
                name = self.path.rsplit("/", 1)[1]
                key = self.headers.get("Idempotency-Key", "")
                with platform.lock:
                    platform.calls.append((name, key, int(self.headers.get("X-Warroom-Epoch", "-1"))))
                    platform.applied[key] = platform.applied.get(key, 0) + 1
                time.sleep(platform.slow.get(name, 0))
                self.reply(200, {"ok": True})

        ThreadingHTTPServer.request_queue_size = 128
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, name):
        with self.lock:
            return sum(1 for n, _, _ in self.calls if n == name)


class Warroom:
    """A directory with a configuration, keys and a ledger; start, kill and ask the engine."""

    def __init__(self, build, platform, steps=None, expires="10m"):
        self.build, self.platform, self.steps, self.expires = os.path.abspath(build), platform, steps or STEPS, expires
        self.dir = tempfile.mkdtemp(prefix="warroom-engine.")
        self.process = None
        self.env = dict(os.environ, WARROOM_SOCKET=self.path("warroom.sock"), LC_ALL="C.UTF-8", WARROOM_PASSPHRASE_FILE=self.path("passphrase"))
        self.write("passphrase", "test passphrase\n")
        lines = [x for x in self.cli("key", "new", "alice", self.path("alice.key")).splitlines() if x.startswith("alice ")]
        for who in ("bob", "carol", "mallory"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", self.path(who)], check=True)
            if who != "mallory":
                lines.append(self.signer(who, who))
        self.write("allowed_signers", "\n".join(lines) + "\n")
        self.write_config()

    def path(self, *p):
        return os.path.join(self.dir, *p)

    def signer(self, principal, key):
        with open(self.path(key + ".pub")) as f:
            return principal + ' namespaces="warroom-approval" ' + " ".join(f.read().split()[:2])

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def write_config(self, **more):
        values = dict({"PORT": self.platform.port, "STEPS": self.steps, "EXPIRES": self.expires, "DIR": self.dir}, **more)
        with open(HERE + "/warroom.yaml.in") as f:
            text = f.read()
        for key, value in values.items():
            text = text.replace("@%s@" % key, str(value))
        self.write("warroom.yaml", text)

    def start(self, ready=True, **kw):
        self.log = open(self.path("warroomd.log"), "ab")
        self.process = subprocess.Popen([self.build + "/warroomd", "--config", self.path("warroom.yaml")], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, **kw)
        if ready:
            wait_for("the engine", lambda: self.alive() and self.try_state())

    def alive(self):
        if self.process.poll() is not None:
            with open(self.path("warroomd.log"), errors="replace") as f:
                raise AssertionError("warroomd ended with %s:\n%s" % (self.process.returncode, f.read()[-3000:]))
        return True

    def kill(self, sig=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(timeout=60) if self.process else None
        self.log.close()
        return code

    def raw(self, *args, **kw):
        return subprocess.run([self.build + "/warroom"] + list(args), env=self.env, capture_output=True, text=True, timeout=60, start_new_session=True, **kw)

    def cli(self, *args, ok=(0,), **kw):
        r = self.raw(*args, **kw)
        if r.returncode not in ok:
            raise AssertionError("warroom %s: exit %d\n%s%s" % (" ".join(args), r.returncode, r.stdout, r.stderr))
        return r.stdout

    def api(self, path, body=None, timeout=30):
        """(status, JSON) of one raw request on the socket."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = "%s %s HTTP/1.1\r\nHost: warroom\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % ("GET" if body is None else "POST", path, len(data))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(self.path("warroom.sock"))
            try:
                s.sendall(head.encode() + data)
            except OSError:
                pass
            out = b""
            try:
                while chunk := s.recv(65536):
                    out += chunk
            except OSError:
                pass
        top, _, rest = out.partition(b"\r\n\r\n")
        return (int(top.split()[1]) if top else 0), (json.loads(rest) if rest.strip().startswith(b"{") else None)

    def try_state(self):
        try:
            status, body = self.api("/v1/state")
        except OSError:
            return None
        return body if status == 200 else None

    def state(self):
        return wait_for("the state", self.try_state)

    def verdict(self, region):
        return {r["name"]: r["verdict"] for r in self.state()["regions"]}[region]

    def operation(self, op):
        return next((o for o in self.state()["operations"] if o["id"] == op), None)

    def step(self, op, name):
        return next(s for s in self.operation(op)["steps"] if s["name"] == name)

    def possible(self, action="failover"):
        return next((a for a in self.state()["actions"] if a["action"] == action and a["possible"]), None)

    def lose_a(self):
        self.platform.sick.add("a")
        wait_for("DOWN", lambda: self.verdict("a") == "DOWN")
        wait_for("a failover that may start", self.possible)

    def propose(self):
        answer = json.loads(self.cli("propose", "failover", "--from", "a", "--to", "b", "--reason", "test", "--key", self.path("alice.key"), "--json"))
        return answer["operation_id"]

    def challenge(self, op, who, decision="approve", **more):
        return self.api("/v1/challenge", dict({"operation_id": op, "principal": who, "decision": decision}, **more))

    def keygen(self, key, text, namespace="warroom-approval"):
        return subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", self.path(key)], input=text, capture_output=True, text=True, check=True).stdout

    def sign(self, op, who, decision="approve", key=None, text=None):
        status, ch = self.challenge(op, who, decision)
        assert status == 200, ch
        return self.api("/v1/sign", {"operation_id": op, "signature": self.keygen(key or who, text or ch["message"])})

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


STEPS = """
      - {name: fence, phase: fence, http: {method: POST, url: "${var.base}/do/fence"}, class: idempotent, timeout: 10s, retries: 3}
      - {name: promote, phase: promote, http: {method: POST, url: "${var.base}/do/promote"}, class: probeable, timeout: 10s, retries: 3, probe: {http: {url: "${var.base}/done/promote", pointer: /done}, until: "value == true"}}
      - {name: shift, phase: shift, traffic: {provider: edge, weights: {"${from}": 0, "${to}": 100}}, class: idempotent, timeout: 10s, retries: 3, rollback: {traffic: {provider: edge, weights: {"${from}": 100, "${to}": 0}}}}
      - {name: verify, phase: verify, wait: {http: {url: "${var.base}/b/health", pointer: /ok}, until: "value == true", every: 100ms}, class: idempotent, timeout: 10s}
"""


def main(*tests):
    """Runs each test with a build directory; says which failed; exits 0 only if none did."""
    build, failed = sys.argv[1], 0
    for t in tests:
        try:
            t(build)
            print("%s: ok %s" % (os.path.basename(sys.argv[0]), t.__name__))
        except Exception as e:  # noqa: the whole point is to say it and go on
            failed += 1
            import traceback
            traceback.print_exc()
            print("%s: FAILED %s: %s" % (os.path.basename(sys.argv[0]), t.__name__, e))
    sys.exit(1 if failed else 0)
