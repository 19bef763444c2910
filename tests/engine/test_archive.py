#!/usr/bin/env python3
"""The daily export and the time stamps, end to end: into a directory, into an S3 that checks every signature with its own
code, and from openssl's own time stamp authority; with stores and authorities that fail, refuse, hang, lie or are somebody else."""
import datetime
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from harness import Platform, Warroom, main, wait_for

ACCESS, SECRET, TOKEN, REGION = "AKIATEST", "a/secret+key that is spoken of nowhere", "session/token==", "eu-north-7"


class Server:
    """An HTTP server on loopback, on a port of its own, until it is stopped."""

    def __init__(self, handler, tls=None):
        ThreadingHTTPServer.request_queue_size = 64
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # clients that go away are what is tested
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.http.server_address[1])
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.stopping = threading.Event()
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.stopping.set()
        self.http.shutdown()
        self.http.server_close()


def sign(method, path, headers, names, payload, amz_date, secret):
    """SigV4 from its description, with hmac alone: nothing of this comes from the program under test."""
    canonical = "\n".join([method, path, ""] + ["%s:%s" % (n, " ".join(headers[n].split())) for n in names] + ["", ";".join(names), payload])
    scope = "%s/%s/s3/aws4_request" % (amz_date[:8], REGION)
    text = "\n".join(["AWS4-HMAC-SHA256", amz_date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (amz_date[:8], REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class S3(Server):
    def __init__(self, secret=SECRET, token=TOKEN, tls=None):
        self.objects, self.order, self.requests, self.bad = {}, [], 0, []
        self.fail = []            # statuses for the next requests
        self.refuse = self.hang = self.lie = False
        self.elsewhere = ""
        self.no_head = False
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def reply(self, status, body=b"", **headers):
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k.replace("_", "-"), v)
                if "Content_Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                self.close_connection = True

            def error(self, status, code, **headers):
                self.reply(status, ("<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>m</Message></Error>" % code).encode(), **headers)

            def wrong(self, body):
                h = {k.lower(): v for k, v in self.headers.items()}
                m = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})", h.get("authorization", ""))
                if not m:
                    return "no signature"
                names = m[4].split(";")
                if m[1] != ACCESS or m[3] != REGION or names != sorted(names):
                    return "scope or order"
                for need in ["host"] + [n for n in h if n.startswith("x-amz-")]:
                    if need not in names:
                        return need + " is not signed"
                if h.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
                    return "payload hash"
                if token and h.get("x-amz-security-token") != token:
                    return "session token"
                if sign(self.command, self.path, h, names, h["x-amz-content-sha256"], h["x-amz-date"], secret) != m[5]:
                    return "signature"
                return None

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                store.requests += 1
                if store.hang:
                    store.stopping.wait(60)
                    self.close_connection = True
                    return None
                if store.refuse:
                    self.error(403, "AccessDenied")
                    return None
                if store.elsewhere:
                    self.error(301, "PermanentRedirect", Location=store.elsewhere)
                    return None
                if store.fail:
                    status = store.fail.pop(0)
                    self.error(status, "SlowDown", Retry_After="1") if status else setattr(self, "close_connection", True)
                    return None
                why = self.wrong(body)
                if why:
                    store.bad.append(why)
                    self.error(403, "SignatureDoesNotMatch")
                    return None
                return body

            def do_PUT(self):
                body = self.handle_one()
                if body is not None:
                    path = unquote(self.path)
                    if not store.lie:
                        store.objects[path] = body
                    store.order.append(path)
                    self.reply(200, ETag='"%s"' % hashlib.md5(body).hexdigest())

            def do_HEAD(self):
                if store.no_head:
                    return self.reply(405)
                if self.handle_one() is not None:
                    body = store.objects.get(unquote(self.path))
                    self.reply(200 if body is not None else 404, Content_Length=str(len(body or b"")))

        super().__init__(Handler, tls)


def configured(build, **sections):
    """A Warroom whose ledger has these sections, as YAML texts."""
    w = Warroom(build, Platform())
    with open(w.path("warroom.yaml")) as f:
        text = f.read()
    more = "".join(", %s: %s" % (k, v) for k, v in sections.items())
    w.write("warroom.yaml", text.replace("engine_key: engine.key}", "engine_key: engine.key%s}" % more))
    w.write("id", ACCESS + "\n")
    w.write("secret", SECRET + "\n")
    w.env.update(S3_TOKEN=TOKEN)
    os.environ["S3_TOKEN"] = TOKEN
    return w


def to_s3(store, more="timeout: 10s"):
    return ("{to: {url: \"%s/\", region: %s, bucket: acme, prefix: war room/x, access_key: \"${file:@DIR@/id}\", secret_key: \"${file:@DIR@/secret}\", "
            "session_token: \"${env:S3_TOKEN}\", %s}}" % (store.url, REGION, more)).replace("war room", "war-room")


def fix_dir(w):
    with open(w.path("warroom.yaml")) as f:
        text = f.read()
    w.write("warroom.yaml", text.replace("@DIR@", w.dir))


def receipts(w, operation):
    return [r for r in w.api("/v1/receipts?from=0&limit=500")[1]["receipts"] if r["operation"] == operation]


def duty(w, name):
    return w.state()["ledger"][name]


def sha256sum(directory):
    return subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=directory, capture_output=True, text=True)


def news(w):
    """Something to export that is not about exports: a verdict."""
    before = w.state()["ledger"]["count"]
    w.platform.sick ^= {"b"}
    wait_for("a receipt", lambda: w.state()["ledger"]["count"] > before)


def no_secret(w, *places):
    texts = [open(w.path("warroomd.log"), errors="replace").read(), json.dumps(w.state())]
    for root, _, files in os.walk(w.path("ledger")):
        texts += [open(os.path.join(root, f), errors="replace").read() for f in files]
    texts.append(open("/proc/%d/cmdline" % w.process.pid, errors="replace").read())
    for text in texts + list(places):
        for secret in (SECRET, TOKEN):
            assert secret not in text, "a secret got out"


def into_a_directory(build):
    w = configured(build, export="{to: archive, at: \"00:00\", keep: 30d}")
    try:
        w.start()
        out = json.loads(w.cli("ledger", "archive", "now", "--json"))
        assert out["failure"] == "" and out["upto"] > 0, out
        chain = w.path("archive/test/ops")
        first = receipts(w, "ledger_exported")[0]
        assert first["first_seq"] == 0 and first["receipts"] == first["last_seq"] + 1 and first["outcome"] == "exported", first
        one = os.path.join(chain, first["name"])
        r = sha256sum(one)
        assert r.returncode == 0, r.stdout + r.stderr
        with open(os.path.join(one, "SHA256SUMS"), "rb") as f:
            assert hashlib.sha256(f.read()).hexdigest() == first["manifest_sha256"]
        with open(os.path.join(one, "test/ops/%020d.jsonl" % 0), "rb") as f, open(w.path("ledger/test/ops/%020d.jsonl" % 0), "rb") as g:
            lines = f.read()
            assert g.read().startswith(lines) and lines.count(b"\n") == first["receipts"]
        assert "VERIFIED" in w.cli("ledger", "verify", one)
        # Only what is about exports is new: nothing is done.
        wait_for("nothing new", lambda: "nothing is new" in w.cli("ledger", "archive", "now"))
        news(w)
        w.cli("ledger", "archive", "now")
        done = receipts(w, "ledger_exported")
        for earlier, later in zip(done, done[1:]):
            assert later["first_seq"] == earlier["last_seq"] + 1, done
        second = done[-1]
        out = w.cli("ledger", "archive", "verify", "--config", w.path("warroom.yaml"))
        assert "VERIFIED, receipts 0 to %d" % second["last_seq"] in out, out
        assert [x["name"] for x in json.loads(w.cli("ledger", "archive", "list", chain, "--json"))] == [r["name"] for r in done]
        # An engine that starts again goes on where the record ends.
        w.kill(signal.SIGKILL)
        w.start()
        assert duty(w, "export")["upto"] == second["last_seq"] + 1
        # What is in the archive is a ledger again: the one, and the other after it.
        for r in done:
            w.cli("ledger", "import", os.path.join(chain, r["name"]), "--into", w.path("again"))
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("again"))
        w.cli("ledger", "restore", "--from", one, *[x for r in done[1:] for x in ("--changelog", os.path.join(chain, r["name"]))], "--into", w.path("restored"),
              ok=(0, 1))
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("restored"))
        with open(w.path("restored/test/ops/%020d.jsonl" % 0), "rb") as f, open(w.path("ledger/test/ops/%020d.jsonl" % 0), "rb") as g:
            upto = second["last_seq"] + 1
            assert f.read().split(b"\n")[:upto] == g.read().split(b"\n")[:upto]
        # A changed byte in the archive is found.
        with open(os.path.join(one, "test/ops/%020d.jsonl" % 0), "r+b") as f:
            f.seek(50)
            f.write(b"#")
        r = w.raw("ledger", "archive", "verify", chain)
        assert r.returncode == 1 and "BROKEN" in r.stdout, r.stdout
        assert w.raw("ledger", "archive", "verify", w.path("ledger")).returncode == 2
        w.kill(15)
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()


def missed_is_caught_up(build):
    """The set time comes while no engine runs: the export is made at the next start, without being asked for."""
    w = configured(build, export="{to: archive, at: \"@AT@\"}")
    try:
        with open(w.path("warroom.yaml")) as f:
            text = f.read()
        w.write("warroom.yaml", text.replace("@AT@", "00:00"))
        w.start()
        assert w.kill(15) == 0
        with open(w.path("ledger/test/ops/%020d.jsonl" % 0)) as f:
            stamp = json.loads(f.readline())["timestamp"]
        at = datetime.datetime.strptime(stamp[:19] + "Z", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=1)
        wait_for("the set time", lambda: datetime.datetime.now(datetime.timezone.utc) > at)
        w.write("warroom.yaml", text.replace("@AT@", at.strftime("%H:%M:%S")))
        w.start()
        r = wait_for("the export", lambda: receipts(w, "ledger_exported"))
        assert len(r) == 1 and r[0]["first_seq"] == 0, r
        wait_for("the state", lambda: duty(w, "export")["runs"] == 1)
        assert "VERIFIED" in w.cli("ledger", "archive", "verify", w.path("archive/test/ops"))
        # It is done for this day: not again at the next start.
        w.kill(15)
        w.start()
        d = duty(w, "export")
        assert d["upto"] == r[0]["last_seq"] + 1
        wait_for("the next time", lambda: duty(w, "export")["next"])
        assert duty(w, "export")["runs"] == 0 and len(receipts(w, "ledger_exported")) == 1
    finally:
        w.close()


def crash_leaves_nothing_half(build):
    w = configured(build, export="{to: archive, at: \"00:00\"}")
    try:
        w.start()
        chain = w.path("archive/test/ops")
        os.makedirs(chain + "/.making")
        os.makedirs(chain + "/..making.partial/test")
        w.write("archive/test/ops/.making/half", "x")
        w.cli("ledger", "archive", "now")
        w.kill(signal.SIGKILL)
        # Killed again and again while exporting: what has a final name is whole, and the record goes on without a gap.
        for _ in range(4):
            w.start()
            news(w)
            w.cli("ledger", "archive", "now", "--no-wait")
            w.kill(signal.SIGKILL)
            for name in os.listdir(chain):
                if not name.startswith("."):
                    r = sha256sum(os.path.join(chain, name))
                    assert r.returncode == 0, r.stdout + r.stderr
        w.start()
        news(w)
        w.cli("ledger", "archive", "now")
        assert [n for n in os.listdir(chain) if n.startswith(".")] == [], os.listdir(chain)
        assert "VERIFIED, receipts 0 to" in w.cli("ledger", "archive", "verify", chain)
        done, at = receipts(w, "ledger_exported"), 0
        for r in done:
            assert r["first_seq"] == at, done
            at = r["last_seq"] + 1
    finally:
        w.close()


def into_s3(build):
    store = S3()
    w = configured(build, export=to_s3(store))
    fix_dir(w)
    try:
        w.start()
        out = json.loads(w.cli("ledger", "archive", "now", "--json"))
        assert out["failure"] == "", out
        assert store.bad == []
        r = receipts(w, "ledger_exported")[0]
        base = "/acme/war-room/x/test/ops/%s/" % r["name"]
        assert all(k.startswith(base) for k in store.objects), list(store.objects)
        assert store.order[-1] == base + "SHA256SUMS" and store.order.count(base + "SHA256SUMS") == 1
        copy = w.path("copy")
        for k, v in store.objects.items():
            p = os.path.join(copy, k[len(base):])
            os.makedirs(os.path.dirname(p), exist_ok=True)
            with open(p, "wb") as f:
                f.write(v)
        c = sha256sum(copy)
        assert c.returncode == 0, c.stdout + c.stderr
        assert "VERIFIED" in w.cli("ledger", "verify", copy)
        assert r["destination"] == store.url + "/acme/war-room/x" and r["bytes"] == sum(len(v) for v in store.objects.values()), r
        wait_for("an empty spool", lambda: os.listdir(w.path("ledger/.spool")) == [])
        no_secret(w)
    finally:
        w.close()
        store.stop()


def s3_fails_a_few_times(build):
    store = S3()
    w = configured(build, export=to_s3(store))
    fix_dir(w)
    try:
        w.start()
        store.fail = [503, 0]
        assert w.raw("ledger", "archive", "now").returncode == 0
        r = receipts(w, "ledger_exported")[0]
        assert r["retries"] >= 2 and store.bad == [], r
        assert receipts(w, "ledger_export_failed") == []
        # A store that answers no HEAD is believed.
        store.no_head = True
        news(w)
        w.cli("ledger", "archive", "now")
        assert len(receipts(w, "ledger_exported")) == 2
    finally:
        w.close()
        store.stop()


def s3_refuses(build):
    store = S3(secret="another secret")
    w = configured(build, export=to_s3(store))
    fix_dir(w)
    try:
        w.start()
        r = w.raw("ledger", "archive", "now")
        assert r.returncode == 1 and "403 (SignatureDoesNotMatch)" in r.stdout, r.stdout + r.stderr
        assert store.objects == {} and store.bad
        # Not again and again for the same reason.
        w.raw("ledger", "archive", "now")
        failed = wait_for("the receipt", lambda: receipts(w, "ledger_export_failed"))
        assert len(failed) == 1 and failed[0]["code"] == "denied", failed
        assert receipts(w, "ledger_exported") == []
        d = duty(w, "export")
        assert d["failed"] and "403" in d["failure"] and d["upto"] == 0, d
        store.refuse = True
        r = w.raw("ledger", "archive", "now")
        assert r.returncode == 1 and "AccessDenied" in r.stdout, r.stdout
        wait_for("another reason", lambda: len(receipts(w, "ledger_export_failed")) == 2)
        os.unlink(w.path("secret"))
        r = w.raw("ledger", "archive", "now")
        assert r.returncode == 1 and "secret" in r.stdout, r.stdout
        no_secret(w, r.stdout, r.stderr)
    finally:
        w.close()
        store.stop()


def s3_lies_or_hangs(build):
    """What a store says it took and does not have is no export; one that hangs holds up nothing else."""
    store = S3()
    w = configured(build, export=to_s3(store, "timeout: 1s"))
    fix_dir(w)
    try:
        w.start()
        store.hang = True
        w.cli("ledger", "archive", "now", "--no-wait")
        wait_for("a request", lambda: store.requests)
        w.lose_a()
        assert receipts(w, "ledger_exported") == []
        assert duty(w, "export")["running"]
        # A stop in the middle of it is prompt, and nothing is lost: it goes on after the start, under the same name.
        spool = w.path("ledger/.spool")
        name = [n for n in os.listdir(spool) if not n.startswith(".")]
        assert len(name) == 1
        assert w.kill(15) == 0
        store.hang = False
        w.start()
        w.cli("ledger", "archive", "now")
        r = receipts(w, "ledger_exported")
        assert r[0]["name"] == name[0] and r[0]["outcome"] == "found", r
        assert receipts(w, "ledger_export_failed") == []
        store.lie = True
        news(w)
        r = w.raw("ledger", "archive", "now")
        assert r.returncode == 1 and "404" in r.stdout, r.stdout
        # Where it points to is never asked.
        store.lie, store.elsewhere = False, store.url + "/elsewhere"
        r = w.raw("ledger", "archive", "now")
        assert r.returncode == 1 and "301 (PermanentRedirect)" in r.stdout, r.stdout
        assert len(receipts(w, "ledger_exported")) == 1
        store.elsewhere = ""
        w.cli("ledger", "archive", "now")
        done = receipts(w, "ledger_exported")
        assert len(done) == 2 and done[1]["first_seq"] == done[0]["last_seq"] + 1, done
    finally:
        w.close()
        store.stop()


def over_tls(build):
    """A certificate of the CA that is named: taken. Of nobody's: refused before a byte of the export is sent."""
    w = configured(build)
    store = None
    try:
        for name in ("store", "other"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", w.path(name + ".key"), "-out",
                            w.path(name + ".pem"), "-subj", "/CN=store", "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        store = S3(tls=(w.path("store.pem"), w.path("store.key")))
        with open(w.path("warroom.yaml")) as f:
            text = f.read()

        def trust(ca):
            w.write("warroom.yaml", text.replace("engine_key: engine.key}", "engine_key: engine.key, export: %s}" % to_s3(store, "timeout: 5s, tls_ca: %s.pem" % ca)))
            fix_dir(w)
            w.start()
            r = w.raw("ledger", "archive", "now")
            w.kill(15)
            return r

        r = trust("other")
        assert r.returncode == 1 and "SSL" in r.stdout and store.requests == 0, r.stdout
        r = trust("store")
        assert r.returncode == 0 and store.bad == [] and store.objects, r.stdout + r.stderr
    finally:
        w.close()
        if store:
            store.stop()


def plain_put(build):
    """Without keys: a plain PUT, without a signature."""
    seen = {}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_PUT(self):
            assert "Authorization" not in self.headers
            seen[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.end_headers()

        def do_HEAD(self):
            self.send_response(200 if self.path in seen else 404)
            self.send_header("Content-Length", str(len(seen.get(self.path, b""))))
            self.end_headers()

    server = Server(Handler)
    w = configured(build, export="{to: {url: \"%s/dav%%20x\"}}" % server.url)
    try:
        w.start()
        w.cli("ledger", "archive", "now")
        assert seen and all(p.startswith("/dav%20x/test/ops/2") for p in seen), list(seen)
        assert sum(p.endswith("/SHA256SUMS") for p in seen) == 1
    finally:
        w.close()
        server.stop()


def api_refusals(build):
    w = Warroom(build, Platform())
    try:
        w.start()
        assert w.api("/v1/archive", {"what": "export"})[0] == 404
        assert w.api("/v1/archive", {"what": "anchor"})[0] == 404
        assert w.api("/v1/archive", {"what": "else"})[0] == 400
        assert w.api("/v1/archive", b"[]")[0] == 400
        assert w.api("/v1/archive")[0] == 405
        assert duty(w, "export") is None and duty(w, "anchor") is None
        assert w.raw("ledger", "archive", "now").returncode != 0
        assert w.raw("ledger", "archive").returncode == 2
        assert w.raw("ledger", "anchor", "verify", w.path("ledger"), "--ca", w.path("allowed_signers")).returncode == 2
    finally:
        w.close()


# ---- time stamps ----

TSA_CONFIG = """
[ca]
basicConstraints = critical, CA:TRUE
[stamp]
basicConstraints = CA:FALSE
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = one
[one]
dir = %(dir)s
serial = $dir/serial
crypto_device = builtin
signer_cert = $dir/tsa.pem
certs = $dir/%(ca)s
signer_key = $dir/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class TSA(Server):
    """openssl's own TSA behind HTTP, and ways to misbehave."""

    def __init__(self, directory):
        self.dir, self.mode, self.requests, self.last = directory, "right", 0, b""
        os.makedirs(directory)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA", "-days", "2",
                     config=True, args=["-extensions", "ca"])
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/O=Clockwork/CN=Stamps", config=True)
        self.openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem", "-days", "2", "-extfile", "config", "-extensions", "stamp")
        with open(os.path.join(directory, "serial"), "w") as f:
            f.write("01\n")
        tsa = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                tsa.requests += 1
                assert self.headers["Content-Type"] == "application/timestamp-query"
                status, kind, answer = tsa.answer(body)
                if answer is None:
                    return
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    pass

        super().__init__(Handler)

    def openssl(self, *command, config=False, args=()):
        with open(os.path.join(self.dir, "config"), "w") as f:
            f.write("[req]\ndistinguished_name = dn\n[dn]\n" + TSA_CONFIG % {"dir": self.dir, "ca": "ca.pem"})
        more = ["-config", "config"] if config else []
        subprocess.run(["openssl"] + list(command) + more + list(args), cwd=self.dir, check=True, capture_output=True)

    def stamp(self, query):
        with open(os.path.join(self.dir, "query.tsq"), "wb") as f:
            f.write(query)
        self.openssl("ts", "-reply", "-queryfile", "query.tsq", "-out", "reply.tsr", config=True)
        with open(os.path.join(self.dir, "reply.tsr"), "rb") as f:
            return f.read()

    def query(self, data):
        with open(os.path.join(self.dir, "data"), "wb") as f:
            f.write(data)
        self.openssl("ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "own.tsq")
        with open(os.path.join(self.dir, "own.tsq"), "rb") as f:
            return f.read()

    def answer(self, body):
        reply = "application/timestamp-reply"
        if self.mode == "right":
            self.last = self.stamp(body)
            return 200, reply, self.last
        if self.mode == "nonce":  # of another request for the same: a replay
            return 200, reply, self.last
        if self.mode == "imprint":
            return 200, reply, self.stamp(self.query(b"something else"))
        if self.mode == "cut":
            return 200, reply, self.stamp(body)[:-40]
        if self.mode == "html":
            return 200, "text/html; charset=utf-8", b"<!doctype html><title>Captive portal</title>"
        if self.mode == "html as a reply":
            return 200, reply, b"<!doctype html>"
        if self.mode == "huge":
            return 200, reply, b"0" * (1 << 20)
        if self.mode == "500":
            return 500, "text/plain", b"later"
        assert self.mode == "slow", self.mode
        self.stopping.wait(60)
        return 200, reply, None


def stamped(build, **more):
    """An engine whose ledger has a checkpoint (the end of an earlier run), with a TSA; not started."""
    w = configured(build, anchor="{url: \"@TSA@\", ca: tsa/ca.pem, timeout: 1s}", **more)
    tsa = TSA(w.path("tsa"))
    with open(w.path("warroom.yaml")) as f:
        text = f.read()
    whole = text.replace("@TSA@", tsa.url + "/tsr")
    w.write("warroom.yaml", re.sub(r", anchor: \{[^}]*\}", "", text))
    w.start()
    assert w.kill(15) == 0
    w.write("warroom.yaml", whole)
    return w, tsa


def time_stamps(build):
    w, tsa = stamped(build, export="{to: archive}")
    try:
        w.start()
        done = wait_for("a time stamp", lambda: receipts(w, "checkpoint_anchored"))[0]
        chain = w.path("ledger/test/ops")
        base = os.path.join(chain, "anchors/%020d" % done["size"])
        assert "Clockwork" in done["tsa"] and done["time"], done
        with open(base + ".tsr", "rb") as f:
            assert hashlib.sha256(f.read()).hexdigest() == done["digest"]
        # openssl itself agrees, over the very file.
        r = subprocess.run(["openssl", "ts", "-verify", "-data", base + ".note", "-in", base + ".tsr", "-CAfile", w.path("tsa/ca.pem")], capture_output=True, text=True)
        assert "Verification: OK" in r.stdout + r.stderr, r.stdout + r.stderr
        out = w.cli("ledger", "anchor", "verify", w.path("ledger"), "--ca", w.path("tsa/ca.pem"))
        assert "Proven: the first %d receipts of test/ops existed at" % done["size"] in out, out
        d = wait_for("the state", lambda: duty(w, "anchor") if duty(w, "anchor")["runs"] else None)
        assert d["upto"] == done["size"] and d["failure"] == "" and d["time"][:19] == done["time"][:19], d
        # It goes with the export, and does not disturb its use.
        w.cli("ledger", "archive", "now")
        one = w.path("archive/test/ops", receipts(w, "ledger_exported")[0]["name"])
        assert sha256sum(one).returncode == 0
        assert os.path.exists(os.path.join(one, "test/ops/anchors/%020d.tsr" % done["size"]))
        w.cli("ledger", "anchor", "verify", one, "--ca", w.path("tsa/ca.pem"))
        w.cli("ledger", "restore", "--from", one, "--into", w.path("restored"))
        w.kill(15)
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
        with open(base + ".note", "r+b") as f:
            f.write(b"T")
        r = w.raw("ledger", "anchor", "verify", w.path("ledger"), "--ca", w.path("tsa/ca.pem"))
        assert r.returncode == 1 and "BAD" in r.stdout, r.stdout
    finally:
        w.close()
        tsa.stop()


def stamp_without_a_receipt(build):
    """A crash between the stamp on the disk and its receipt: the next start judges it again and records it, and asks nobody."""
    w, tsa = stamped(build)
    try:
        shutil.copytree(w.path("ledger"), w.path("before"))
        w.start()
        done = wait_for("a time stamp", lambda: receipts(w, "checkpoint_anchored"))[0]
        w.kill(signal.SIGKILL)
        shutil.copytree(w.path("ledger/test/ops/anchors"), w.path("before/test/ops/anchors"))
        os.rename(w.path("ledger"), w.path("after"))
        os.rename(w.path("before"), w.path("ledger"))
        tsa.mode, n = "500", tsa.requests
        w.start()
        again = wait_for("the receipt", lambda: receipts(w, "checkpoint_anchored"))[0]
        assert (again["size"], again["digest"], again["time"]) == (done["size"], done["digest"], done["time"]), (again, done)
        assert tsa.requests == n
    finally:
        w.close()
        tsa.stop()


def another_destination(build):
    """Another destination gets everything, and the one before is left alone."""
    w = configured(build, export="{to: archive, at: \"00:00\"}")
    try:
        w.start()
        w.cli("ledger", "archive", "now")
        w.kill(15)
        with open(w.path("warroom.yaml")) as f:
            w.write("warroom.yaml", f.read().replace("to: archive", "to: elsewhere"))
        w.start()
        w.cli("ledger", "archive", "now")
        r = receipts(w, "ledger_exported")
        assert [x["first_seq"] for x in r] == [0, 0] and r[0]["destination"] != r[1]["destination"], r
        for d in ("archive", "elsewhere"):
            assert "VERIFIED, receipts 0 to" in w.cli("ledger", "archive", "verify", w.path(d, "test/ops"))
    finally:
        w.close()


def disk_that_is_gone(build):
    """Where earlier exports were is nothing: that is said, and no new archive begun in its place."""
    w = configured(build, export="{to: archive, at: \"00:00\"}")
    try:
        w.start()
        w.cli("ledger", "archive", "now")
        os.rename(w.path("archive"), w.path("away"))
        news(w)
        r = w.raw("ledger", "archive", "now")
        assert r.returncode == 1 and "is gone" in r.stdout and not os.path.exists(w.path("archive")), r.stdout
        os.rename(w.path("away"), w.path("archive"))
        w.cli("ledger", "archive", "now")
        assert "VERIFIED, receipts 0 to" in w.cli("ledger", "archive", "verify", w.path("archive/test/ops"))
    finally:
        w.close()


def hostile_authorities(build):
    w, tsa = stamped(build)
    words = {"500": "HTTP 500", "html": "text/html", "html as a reply": "no time stamp response", "cut": "no time stamp response",
             "imprint": "imprint", "huge": "larger than", "slow": "imed out"}
    try:
        tsa.mode = "500"
        w.start()
        said = 0
        for mode, word in words.items():
            tsa.mode = mode
            r = w.raw("ledger", "anchor", "now")
            assert r.returncode == 1 and word in r.stdout, (mode, r.stdout, r.stderr)
            said = wait_for("the receipt of " + mode, lambda: [x for x in receipts(w, "checkpoint_anchor_failed") if word in x["reason"]])
        assert receipts(w, "checkpoint_anchored") == []
        count = len(receipts(w, "checkpoint_anchor_failed"))
        assert w.raw("ledger", "anchor", "now").returncode == 1
        assert len(receipts(w, "checkpoint_anchor_failed")) == count, "the same failure was said again"
        assert not os.path.exists(w.path("ledger/test/ops/anchors"))
        # Somebody else's stamps.
        other = TSA(w.path("other"))
        for f in ("tsa.key", "tsa.pem"):
            shutil.copy(w.path("other", f), w.path("tsa", f))
        other.stop()
        tsa.mode = "right"
        r = w.raw("ledger", "anchor", "now")
        assert r.returncode == 1 and "does not hold" in r.stdout, r.stdout
        # A replay of a right answer to another request.
        tsa.mode = "nonce"
        r = w.raw("ledger", "anchor", "now")
        assert r.returncode == 1, r.stdout
        assert receipts(w, "checkpoint_anchored") == []
        assert "VERIFIED" in w.cli("ledger", "verify", w.path("ledger"))
    finally:
        w.close()
        tsa.stop()


def works_again(build):
    w, tsa = stamped(build)
    try:
        tsa.mode = "html"
        w.start()
        wait_for("the failure", lambda: receipts(w, "checkpoint_anchor_failed"))
        tsa.mode = "right"
        assert "stamped by" in w.cli("ledger", "anchor", "now")
        d = duty(w, "anchor")
        assert d["failure"] == "" and d["failed"] == "" and d["upto"] > 0, d
        # The old answer, to a new request for a newer checkpoint, and then the right one.
        tsa.mode = "nonce"
        news(w)
        w.kill(15)
        w.start()
        r = w.raw("ledger", "anchor", "now")
        assert r.returncode == 1 and ("nonce" in r.stdout or "imprint" in r.stdout), r.stdout
        # A stop in the middle of a question is prompt.
        tsa.mode = "slow"
        n = tsa.requests
        w.cli("ledger", "anchor", "now", "--no-wait")
        wait_for("the question", lambda: tsa.requests > n)
        assert w.kill(15) == 0
    finally:
        w.close()
        tsa.stop()


if __name__ == "__main__":
    main(into_a_directory, missed_is_caught_up, crash_leaves_nothing_half, into_s3, s3_fails_a_few_times, s3_refuses, s3_lies_or_hangs, over_tls, plain_put, api_refusals, time_stamps,
         stamp_without_a_receipt, another_destination, disk_that_is_gone, hostile_authorities, works_again)
