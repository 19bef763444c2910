#!/usr/bin/env python3
"""The platform's own receipts: followed live, audited on demand, broken in every way a source can be, mended again."""
import hashlib
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import Platform, Warroom, main, wait_for

ZEROS = "0" * 64


def seal(r):
    """The hash as the profile PYTHON says it is made."""
    text = json.dumps({k: v for k, v in r.items() if k != "hash"}, sort_keys=True)
    return dict(r, hash=hashlib.sha256(text.encode()).hexdigest())


class Chain(list):
    def grow(self, n=1, salt=""):
        for _ in range(n):
            i = len(self)
            self.append(seal({"seq": i, "id": "r%s-%d" % (salt, i), "prev": self[-1]["hash"] if self else ZEROS, "cost": i * 0.1, "who": "Zoë",
                              "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}))
        return self

    def copy(self):
        return Chain(dict(r) for r in self)


class Source:
    """Serves /REGION/STYLE in each way of paging; may hang, fail, lie."""

    def __init__(self):
        self.chains = {"a": Chain().grow(25), "b": Chain().grow(25)}
        self.mode, self.limit, self.asked, self.leak = "ok", 10, 0, None
        self.release = threading.Event()
        source = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def send(self, status, body, headers=()):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    for k, v in headers:
                        self.send_header(k, v)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass

            def do_GET(self):
                source.asked += 1
                url = urllib.parse.urlsplit(self.path)
                q = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
                region, style = url.path.strip("/").split("/")[:2]
                if source.mode == "hang":
                    source.release.wait(60)
                    return self.send(200, {})
                if source.mode == "5xx":
                    return self.send(503, {"error": "later"})
                if source.mode == "html":
                    return self.send(200, b"<html>welcome</html>")
                if source.mode == "huge":
                    return self.send(200, b'{"records":[' + b'"x",' * (3 << 20) + b'""]}')
                if source.mode == "drop":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000000")
                    self.end_headers()
                    self.wfile.write(b'{"records":[')
                    return self.connection.shutdown(socket.SHUT_RDWR)
                chain = source.chains[region]
                if style == "none":
                    return self.send(200, list(chain))
                if style == "auth":
                    return self.send(200, list(chain)) if self.headers.get("Authorization") == "Bearer sesame" else self.send(401, {})
                if style == "lines":
                    at = int(q["offset"])
                    return self.send(200, b"".join(json.dumps(r).encode() + b"\n" for r in chain[at:at + source.limit]))
                if style == "deaf":  # knows no since=
                    return self.send(200, {"records": chain[:10]})
                if style == "loop":
                    return self.send(200, {"records": chain[:10], "next": "same"})
                key = {"since": "since", "after": "after", "offset": "offset"}.get(style, "cursor")
                at = int(q.get(key, 0))
                if style == "after":
                    at = at + 1 if "after" in q else 0
                page, more = chain[at:at + source.limit], at + source.limit < len(chain)
                body = {"records": page}
                if style == "cursor":
                    body["meta"] = {"next": str(at + source.limit) if more else None}
                link = "/%s/%s?cursor=%d" % (region, style, at + source.limit)
                if style == "next":
                    body["next"] = link if more else ""
                if style == "leak":
                    body["next"] = source.leak
                self.send(200, body, [("Link", '<%s>; rel="next", </x>; rel="last"' % link)] if style == "link" and more else ())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, region, style):
        return "http://127.0.0.1:%d/%s/%s" % (self.port, region, style)


BASE = "fields: {seq: seq, id: id, prev: prev, hash: hash, time: time}\ncanonical: python\ngenesis: zeros\ntimeout: 1s\n"
PAGES = {
    "none": "", "since": "pages: {style: since, records: records, limit: 10}\n", "after": "pages: {style: after, records: records}\n",
    "offset": "pages: {style: offset, records: /records}\n", "cursor": "pages: {style: cursor, records: records, cursor: meta.next}\n",
    "next": "pages: {style: next, records: records, cursor: next}\n", "link": "pages: {style: link, records: records}\n",
    "lines": "pages: {style: offset, format: lines}\n",
}


class Bench:
    """The offline verb in a directory of its own."""

    def __init__(self, build):
        self.w = Warroom(build, Platform())
        self.source = Source()
        for name, pages in PAGES.items():
            self.w.write(name + ".yaml", BASE + pages)

    def audit(self, profile, source, *more):
        r = self.w.raw("ledger", "audit", self.w.path(profile + ".yaml"), source, "--json", *more)
        return r.returncode, (json.loads(r.stdout) if r.stdout.startswith("{") else None), r.stdout + r.stderr

    def close(self):
        self.source.release.set()
        self.source.server.shutdown()
        self.w.close()


def every_way_of_paging(build):
    b = Bench(build)
    try:
        for style in PAGES:
            for n in (0, 1, 10, 20, 25):
                b.source.chains["a"] = Chain().grow(n)
                code, out, text = b.audit(style, b.source.url("a", style))
                assert code == 0 and out["checked"] == out["valid"] == n and out["ok"], (style, n, text)
                assert n == 0 or out["head"]["hash"] == b.source.chains["a"][-1]["hash"], (style, n)
            b.source.chains["a"] = Chain().grow(25)
            b.source.chains["a"][13]["cost"] = 0
            code, out, text = b.audit(style, b.source.url("a", style))
            assert code == 1 and [x["kind"] for x in out["anomalies"]] == ["corrupt"], (style, text)
            a = out["anomalies"][0]
            assert a["seq"] == 13 and a["id"] == "r-13" and a["record"] == 13 and a["page"] == (1 if style == "none" else 2), (style, a)
            assert out["last_consistent"]["seq"] == 12
    finally:
        b.close()


def servers_that_do_not_answer_well(build):
    """Failing to read is not reading a broken chain: exit 2, and nothing is said about the chain."""
    b = Bench(build)
    try:
        b.w.write("deaf.yaml", BASE + PAGES["since"])
        b.w.write("loop.yaml", BASE + "pages: {style: cursor, records: records, cursor: next}\n")
        b.w.write("leak.yaml", BASE + PAGES["next"] + "headers: {Authorization: \"Bearer ${file:token}\"}\n")
        b.w.write("token", "sesame\n")
        for mode, said in (("hang", "timed out"), ("5xx", "503"), ("html", "not JSON"), ("huge", "larger than"), ("drop", "page 1")):
            b.source.mode = mode
            code, out, text = b.audit("since", b.source.url("a", "since"))
            assert code == 2 and said in text, (mode, code, text)
        b.source.mode = "ok"
        for style, said in (("deaf", "not the parameter"), ("loop", "names itself")):
            code, out, text = b.audit(style, b.source.url("a", style))
            assert code == 2 and said in text, (style, text)
        for leak, said in (("http://localhost:%d/a/next" % b.source.port, "another server"), ("//evil.example/", "another server"),
                           ("/a/next?x=${file:%s}" % b.w.path("token"), "not usable"), ("file:///etc/passwd", ""), ("\x1b[2J", "")):
            b.source.leak = leak
            code, out, text = b.audit("leak", b.source.url("a", "leak"))
            assert code == 2 and said in text and "\x1b" not in text, (leak, text)
        b.w.write("auth.yaml", BASE + "headers: {Authorization: \"Bearer ${file:token}\"}\n")
        assert b.audit("auth", b.source.url("a", "auth"))[0] == 0
        b.w.write("token", "other\n")
        assert b.audit("auth", b.source.url("a", "auth"))[0] == 2
        code, out, text = b.audit("none", "http://127.0.0.1:1/")
        assert code == 2 and "connect" in text, text
        code, out, text = b.audit("none", b.w.path("nothing.jsonl"))
        assert code == 2 and "No such file" in text, text
    finally:
        b.close()


def history_between_two_audits(build):
    """A source that is consistent in itself, but not what it was."""
    b = Bench(build)
    try:
        state = b.w.path("state.json")
        for style in ("since", "cursor", "none"):
            whole = Chain().grow(25)
            for name, later, kind in (("cut", whole[:20], "truncated"), ("nothing", [], "truncated"),
                                      ("rewritten", Chain(whole[:15]).grow(15, "x"), "fork"), ("grown", whole.copy().grow(7), None)):
                if os.path.exists(state):
                    os.unlink(state)
                b.source.chains["a"] = whole
                assert b.audit(style, b.source.url("a", style), "--state", state)[0] == 0
                b.source.chains["a"] = Chain(later)
                code, out, text = b.audit(style, b.source.url("a", style), "--state", state)
                assert [x["kind"] for x in out["anomalies"]] == ([kind] if kind else []), (style, name, text)
                assert code == (1 if kind else 0), (style, name, code)
                if kind:  # what was seen is not forgotten: it stays broken, and mends
                    assert b.audit(style, b.source.url("a", style), "--state", state)[0] == 1
                    b.source.chains["a"] = whole
                    assert b.audit(style, b.source.url("a", style), "--state", state)[0] == 0
    finally:
        b.close()


def the_examples_of_the_guide(build):
    b = Bench(build)
    try:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/foreign-chains.md"), encoding="utf-8") as f:
            found = re.findall(r"```yaml\n(.*?)```\n```json\n(.*?)```", f.read(), re.S)
        assert len(found) == 4, len(found)
        for profile, records in found:
            b.w.write("example.yaml", profile)
            b.w.write("example.jsonl", records)
            code, out, text = b.audit("example", b.w.path("example.jsonl"))
            assert code == 0 and out["valid"] == 2, (profile, text)
            b.w.write("example.jsonl", records.replace("r-1", "r-2").replace("Zo", "Za"))
            assert b.audit("example", b.w.path("example.jsonl"))[0] == 1, profile
        # Our own ledger is a chain like any other.
        b.w.start()
        wait_for("some receipts", lambda: len(b.w.api("/v1/receipts")[1]["receipts"]) > 3)
        b.w.kill(signal.SIGTERM)
        b.w.write("own.yaml", "fields: {seq: seq, id: receipt_id, prev: prev_hash, hash: hash, time: timestamp}\ncanonical: raw\nleading: \"00\"\ngenesis: zeros\n")
        code, out, text = b.audit("own", b.w.path("ledger/test/ops/%020d.jsonl" % 0))
        assert code == 0 and out["valid"] > 3, text
    finally:
        b.close()


class World:
    """An engine that follows a chain in each region."""

    def __init__(self, build, style="since", timeout="10s", **more):
        self.w, self.source = Warroom(build, Platform()), Source()
        self.w.write("profile.yaml", BASE.replace("1s", timeout) + PAGES[style])
        config = open(self.w.path("warroom.yaml")).read()
        entry = dict({"name": "${region}-receipts", "regions": "all", "profile": "profile.yaml", "every": "200ms", "audit_every": "1h",
                      "source": "http://127.0.0.1:%d/${region}/%s" % (self.source.port, style)}, **more)
        text = "engine_key: engine.key, foreign: [{%s}]}" % ", ".join("%s: %s" % (k, v if v == "all" else json.dumps(v)) for k, v in entry.items())
        assert "engine_key: engine.key}" in config
        self.w.write("warroom.yaml", config.replace("engine_key: engine.key}", text))

    def chain(self, region):
        return next(c for c in self.w.state()["foreign"] if c["region"] == region)

    def until(self, region, **want):
        def there():
            c = self.chain(region)
            return c if all(c[k] == v for k, v in want.items()) else None
        return wait_for("%s %s" % (region, want), there)

    def receipts(self, operation, region=None):
        out = []
        answer = self.w.api("/v1/receipts?from=0&limit=500")[1]["receipts"]
        for r in answer:
            if r["operation"] == "foreign_chain_" + operation and (not region or r["region"] == region):
                out.append(r)
        return out

    def signal(self, region):
        r = next(r for r in self.w.state()["regions"] if r["name"] == region)
        return next(c["status"] for c in r["classes"] if c["class"] == "ledger")

    def guard(self):
        action = next(a for a in self.w.state()["actions"] if a["action"] == "failover")
        return next(g for g in action["guards"] if g["rule"] == "G-CHAIN")

    def close(self):
        self.source.release.set()
        self.source.server.shutdown()
        self.w.close()


def broken_and_mended(build):
    x = World(build)
    try:
        x.w.start()
        x.until("a", status="verified", audits=1)
        x.until("b", status="verified", audits=1)
        wait_for("the receipts of the first audits", lambda: len(x.receipts("audited")) == 2)
        first = x.receipts("audited", "b")[0]
        assert first["checked"] == first["valid"] == 25 and first["result"] == "verified" and first["trigger"] == "start", first
        assert first["head_id"] == "r-24" and first["head_hash"] == x.source.chains["b"][-1]["hash"], first
        x.source.chains["b"].grow(13)
        x.until("b", head_seq=37, status="verified")
        wait_for("the guard", lambda: x.guard()["verdict"] == "PASS")
        wait_for("the signal", lambda: x.signal("b") == "clear")
        # Somebody changes a record deep in the past: following does not see it, an audit does.
        good = x.source.chains["b"].copy()
        x.source.chains["b"][5]["cost"] = 1000000
        code = x.w.raw("ledger", "audit", "b", "--json")
        assert code.returncode == 1, code
        c = x.until("b", status="broken")
        assert "corrupt at seq 5" in c["reason"] and c["anomalies"] == 1, c
        wait_for("the signal", lambda: x.signal("b") == "breached")
        wait_for("the guard", lambda: x.guard()["verdict"] == "FAIL" and x.guard()["blocking"])
        wait_for("the verdict", lambda: x.w.verdict("b") == "DEGRADED")
        wait_for("the receipt", lambda: len(x.receipts("broken")) == 1)
        broken = x.receipts("broken")[0]
        assert broken["kind"] == "corrupt" and broken["record_id"] == "r-5" and broken["record_seq"] == 5 and broken["last_consistent_seq"] == 4, broken
        asked = x.source.asked
        wait_for("many more readings", lambda: x.source.asked > asked + 60)
        assert len(x.receipts("broken")) == 1, "said again and again"
        x.source.chains["b"] = good
        x.until("b", status="verified")
        wait_for("the receipt", lambda: len(x.receipts("restored")) == 1)
        wait_for("the guard", lambda: x.guard()["verdict"] == "PASS")
        wait_for("the verdict", lambda: x.w.verdict("b") == "HEALTHY")
        x.until("a", status="verified")
        assert not x.receipts("broken", "a")
        assert "VERIFIED" in x.w.cli("ledger", "verify", x.w.path("ledger"))
    finally:
        x.close()


def following_names_what_the_source_does(build):
    for style in ("since", "cursor", "next", "link", "offset", "none", "lines"):
        x = World(build, style)
        try:
            x.w.start()
            x.until("b", status="verified", head_seq=24)
            x.source.chains["b"].grow(12)
            x.until("b", status="verified", head_seq=36)
            good = x.source.chains["b"].copy()
            for kind, bad in (("truncated", Chain(good[:30])), ("fork", Chain(good[:30]).grow(20, "x")), ("gap", Chain(good + [None]))):
                if kind == "gap":
                    longer = good.copy().grow(3)
                    bad = Chain(longer[:37] + longer[38:])
                x.source.chains["b"] = bad
                c = x.until("b", status="broken")
                assert c["reason"].startswith(kind), (style, kind, c["reason"])
                x.source.chains["b"] = good
                x.until("b", status="verified")
            wait_for("three of each", lambda: len(x.receipts("broken")) == 3 and len(x.receipts("restored")) == 3)
        finally:
            x.close()


def what_cannot_be_read_is_unknown(build):
    x = World(build, timeout="1s")
    try:
        x.w.start()
        x.until("b", status="verified")
        for mode in ("hang", "5xx", "html", "drop"):
            x.source.mode = mode
            x.until("b", status="unreadable")
            wait_for("no data", lambda: x.signal("b") == "no_data" and x.guard()["verdict"] == "NO DATA" and x.guard()["blocking"])
            if mode == "5xx":
                r = x.w.raw("ledger", "audit", "all", "--json")
                assert r.returncode == 2, r
            x.source.mode = "ok"
            x.source.release.set()
            x.until("b", status="verified")
            x.source.release.clear()
        wait_for("the signal", lambda: x.signal("b") == "clear")
        assert not x.receipts("broken") and not x.receipts("restored")
        assert x.w.cli("ledger", "audit", "all").count("VERIFIED") == 2
        assert [r["trigger"] for r in x.receipts("audited", "a")][-1] == "asked"
    finally:
        x.close()


def what_was_seen_survives_a_restart(build):
    x = World(build)
    try:
        x.w.start()
        x.until("b", status="verified", audits=1)
        wait_for("the receipt", lambda: x.receipts("audited", "b"))
        x.w.kill()
        good = x.source.chains["b"]
        x.source.chains["b"] = Chain(good[:10]).grow(40, "x")  # longer, and consistent in itself
        x.w.start()
        c = x.until("b", status="broken")
        assert c["reason"].startswith("fork at seq 24"), c
        wait_for("the receipt", lambda: len(x.receipts("broken", "b")) == 1)
        x.w.kill()
        x.w.start()
        x.until("b", status="broken")
        assert len(x.receipts("broken", "b")) == 1, "said again after a restart"
        x.source.chains["b"] = good
        x.until("b", status="verified")
        wait_for("the receipt", lambda: len(x.receipts("restored", "b")) == 1)
    finally:
        x.close()


def a_copy_that_is_rebuilt_after_a_failover(build):
    """Two people approved the loss: the copy of the old primary may have another history then; that of the primary may not."""
    x = World(build)
    try:
        x.source.chains["a"].grow(5)
        x.w.start()
        x.until("a", status="verified", head_seq=29)
        x.until("b", status="verified")
        wait_for("the receipts of the audits", lambda: len(x.receipts("audited")) == 2)
        x.w.lose_a()
        op = x.w.propose()
        assert x.w.sign(op, "bob")[0] == 200
        wait_for("the end", lambda: x.w.operation(op)["state"] == "completed")
        x.source.chains["b"].grow(10, "new")
        x.source.chains["a"] = x.source.chains["b"].copy()
        wait_for("the receipt", lambda: x.receipts("rewound", "a"))
        r = x.receipts("rewound", "a")[0]
        assert r["operation_id"] == op and r["lost_seq"] == 29 and r["head_seq"] == 34, r
        x.until("a", status="verified", head_seq=34)
        assert not x.receipts("broken")
        x.source.chains["b"] = Chain(x.source.chains["b"][:20]).grow(40, "forged")
        x.until("b", status="broken")
    finally:
        x.close()


def old_records_block(build):
    x = World(build, fresh="2s")
    try:
        for r in range(25):
            x.source.chains["b"][r]["time"] = "2020-01-01T00:00:00Z"
        x.source.chains["b"] = Chain()
        for i in range(5):
            x.source.chains["b"].append(seal({"seq": i, "id": "o%d" % i, "prev": x.source.chains["b"][-1]["hash"] if i else ZEROS, "time": "2020-01-01T00:00:00Z"}))
        x.w.start()
        x.until("b", status="stale")
        wait_for("the guard", lambda: x.guard()["verdict"] == "FAIL" and "old" in x.guard()["observed"])
        wait_for("old is not broken", lambda: x.signal("b") == "clear")
    finally:
        x.close()


def a_file_that_grows(build):
    x = World(build)
    path = x.w.path("b.jsonl")
    try:
        config = open(x.w.path("warroom.yaml")).read()
        config = config.replace(json.dumps("http://127.0.0.1:%d/${region}/since" % x.source.port), '"${region}.jsonl"')
        x.w.write("warroom.yaml", config)
        chain = x.source.chains["b"]
        for region in "ab":
            x.w.write(region + ".jsonl", "".join(json.dumps(r) + "\n" for r in chain))
        x.w.start()
        x.until("b", status="verified", head_seq=24)
        chain.grow(1)
        line = json.dumps(chain[-1]) + "\n"
        with open(path, "a") as f:
            f.write(line[:40])
            f.flush()
            age = x.chain("b")["ok_age_ms"]
            wait_for("another look", lambda: x.chain("b")["ok_age_ms"] < age or x.chain("b")["ok_age_ms"] < 200)
            assert x.chain("b")["status"] == "verified", "half a line is somebody writing"
            f.write(line[40:])
        x.until("b", status="verified", head_seq=25)
        with open(path) as f:
            whole = f.read()
        x.w.write("b.jsonl", "".join(whole.splitlines(True)[:9]))
        c = x.until("b", status="broken")
        assert c["reason"].startswith("truncated"), c
        x.w.write("b.jsonl", whole)
        x.until("b", status="verified", head_seq=25)
    finally:
        x.close()


def the_audit_route(build):
    x = World(build)
    try:
        x.w.start()
        for body, status in ((b"", 400), (b"[]", 400), ({"region": "nowhere"}, 400), ({}, 400), ({"region": 5}, 400), ({"region": "a"}, 200), ({"region": "all"}, 200)):
            assert x.w.api("/v1/audit", body)[0] == status, body
        assert x.w.api("/v1/audit")[0] == 405
        assert x.w.raw("ledger", "audit", "nowhere").returncode == 2
        assert x.w.raw("ledger", "audit").returncode == 2
        x.w.kill()
        assert x.w.raw("ledger", "audit", "all").returncode == 3
    finally:
        x.close()


if __name__ == "__main__":
    main(the_examples_of_the_guide, every_way_of_paging, servers_that_do_not_answer_well, history_between_two_audits, broken_and_mended, following_names_what_the_source_does,
         what_cannot_be_read_is_unknown, what_was_seen_survives_a_restart, a_copy_that_is_rebuilt_after_a_failover, old_records_block,
         a_file_that_grows, the_audit_route)
