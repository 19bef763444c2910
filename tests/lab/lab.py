#!/usr/bin/env python3
"""The lab: a real region is lost, two operators move it, and everyone sees why.

usage: lab.py BUILD [--crash] [--keep]
Two regions on loopback, each a PostgreSQL 15 and a small HTTP service; HAProxy in front; a client that writes all the time.
Without --crash: synchronous replication, failover, rebuild, failback. With --crash: asynchronous replication, the link
lost before the region, and warroomd killed -9 in the middle of the failover. Figures go to standard output.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from parts import (HERE, PG, Client, HAProxy, Postgres, Process, Proxy, WeightWatch, free_port, need, prometheus, wait_for)

TABLE = "create table rows(id bigint primary key, region text not null, at timestamptz not null default now())"


class Hook(BaseHTTPRequestHandler):
    """The world outside: answers the reference probe, takes notifications."""
    notes = []

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.reply(b"{}")

    def do_POST(self):
        Hook.notes.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
        self.reply(b"{}")

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Lab:
    def __init__(self, build, crash):
        self.build, self.crash = os.path.abspath(build), crash
        self.dir = tempfile.mkdtemp(prefix="warroom-lab.")
        os.chmod(self.dir, 0o755)
        self.processes, self.engine = [], None
        self.env = dict(os.environ, WARROOM_SOCKET=os.path.join(self.dir, "warroom.sock"), LC_ALL="C.UTF-8",
                        WARROOM_PASSPHRASE_FILE=os.path.join(self.dir, "passphrase"))

    def path(self, *p):
        return os.path.join(self.dir, *p)

    def start_platform(self):
        hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        hook.daemon_threads = True
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        self.hook = hook.server_address[1]
        self.a, self.b = Postgres(self, "a"), Postgres(self, "b")
        sync = "" if self.crash else "synchronous_standby_names = 'standby'\n"
        self.a.create()
        self.a.start()
        self.a.sql(TABLE)
        self.link = Proxy(self.a.port)
        self.b.copy_from(self.a.port, "primary_conninfo = 'host=127.0.0.1 port=%d user=postgres application_name=standby'\n" % self.link.port)
        self.b.start()
        wait_for("streaming", lambda: self.a.try_sql("select count(*) from pg_stat_replication where state = 'streaming'") == "1")
        if sync:
            self.a.sql("alter system set synchronous_standby_names = 'standby'")
            self.a.sql("select pg_reload_conf()")
            wait_for("synchronous replication", lambda: self.a.try_sql("select sync_state from pg_stat_replication") == "sync")
        self.service_port = {"a": free_port(), "b": free_port()}
        self.service = {}
        for r in "ab":
            self.start_service(r)
        self.haproxy = HAProxy(self, [("a", self.service_port["a"]), ("b", self.service_port["b"])])
        self.haproxy.command("set weight be/b 0")
        self.prometheus = prometheus(self, [("a", self.service_port["a"]), ("b", self.service_port["b"])])

    def start_service(self, region):
        own = {"a": self.a, "b": self.b}[region]
        self.service[region] = Process("service " + region, [sys.executable, HERE + "/service.py", region, str(self.service_port[region]),
                                       str(own.port), "%d,%d" % (self.a.port, self.b.port)], self.path("service-%s.log" % region))
        self.processes.append(self.service[region])

    def configure(self):
        with open(self.path("passphrase"), "w") as f:
            f.write("lab passphrase\n")
        os.chmod(self.path("passphrase"), 0o600)
        out = self.run(["key", "new", "alice", self.path("alice.key")])
        lines = [x for x in out.splitlines() if x.startswith("alice ")]
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bob", "-f", self.path("bob")], check=True)
        with open(self.path("bob.pub")) as f:
            lines.append('bob namespaces="warroom-approval" ' + " ".join(f.read().split()[:2]))
        with open(self.path("allowed_signers"), "w") as f:
            f.write("\n".join(lines) + "\n")
        values = {"FRONT": self.haproxy.port, "PROMETHEUS": self.prometheus, "HOOK": self.hook, "SERVICE_A": self.service_port["a"],
                  "SERVICE_B": self.service_port["b"], "PG_A": self.a.port, "PG_B": self.b.port, "PGBIN": PG, "DIR": self.dir,
                  "HAPROXY": self.haproxy.socket, "PYTHON": sys.executable, "STEP": HERE + "/step.py", "RPO": "1m",
                  "SYNC": "false" if self.crash else "true", "STATE": "streaming" if self.crash else "sync"}
        with open(HERE + "/warroom.yaml.in") as f:
            text = f.read()
        for key, value in values.items():
            text = text.replace("@%s@" % key, str(value))
        with open(self.path("warroom.yaml"), "w") as f:
            f.write(text)
        os.chmod(self.path("warroom.yaml"), 0o600)
        os.chmod(self.path("allowed_signers"), 0o600)

    def start_engine(self):
        self.engine = Process("warroomd", [self.build + "/warroomd", "--config", self.path("warroom.yaml")], self.path("warroomd.log"))
        self.processes.append(self.engine)
        wait_for("the engine", lambda: self.engine.alive() and os.path.exists(self.path("warroom.sock")) and self.try_state())

    def run(self, args, ok=(0,), **kw):
        r = subprocess.run([self.build + "/warroom"] + args, env=self.env, capture_output=True, text=True, timeout=60, start_new_session=True, **kw)
        if r.returncode not in ok:
            raise AssertionError("warroom %s: exit %d\n%s%s" % (" ".join(args), r.returncode, r.stdout, r.stderr))
        return r.stdout

    def try_state(self):
        r = subprocess.run([self.build + "/warroom", "status", "--json"], env=self.env, capture_output=True, text=True, timeout=60)
        return json.loads(r.stdout) if r.returncode == 0 else None

    def state(self):
        return wait_for("the state", self.try_state)

    def verdict(self, region):
        return {r["name"]: r["verdict"] for r in self.state()["regions"]}[region]

    def operation(self, op):
        return next(o for o in self.state()["operations"] if o["id"] == op)

    def receipts(self):
        out, at = [], 0
        while True:
            r = subprocess.run(["curl", "-sS", "--unix-socket", self.path("warroom.sock"), "http://warroom/v1/receipts?from=%d&limit=500" % at],
                               capture_output=True, text=True, check=True)
            page = json.loads(r.stdout)["receipts"]
            out += page
            at += len(page)
            if len(page) < 500:
                return out

    def possible(self, action):
        for a in self.state()["actions"]:
            if a["action"] == action and a["possible"]:
                return a
        return None

    def two_approve(self, action, source, target):
        """Alice with her sealed key, Bob with ssh-keygen through a pipe. Returns the id and when the second had signed."""
        answer = json.loads(self.run(["propose", action, "--from", source, "--to", target, "--reason", "lab", "--key",
                                      self.path("alice.key"), "--json"]))
        op = answer["operation_id"]
        before = self.operation(op)
        assert before["state"] == "proposed", before["state"]
        assert not any(s["attempts"] for s in before["steps"]), "a step began with one approval"
        text = self.run(["pending", op, "--as", "bob"])
        sig = subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "warroom-approval", "-f", self.path("bob")], input=text,
                             capture_output=True, text=True, check=True).stdout
        self.run(["approve", op, "-"], input=sig)
        return op, time.time()

    def finish(self, op, want="completed"):
        def final():
            o = self.operation(op)
            if o["state"] == "held":
                raise AssertionError("%s is held: %s %s" % (op, o["held_rule"], o["held_reason"]))
            return o if o["state"] in ("completed", "rolled_back", "aborted", "failed", "expired", "denied") else None
        o = wait_for("the end of " + op, final, 180)
        assert o["state"] == want, (o["state"], o["final_reason"])
        return o

    def kill_region_a(self):
        self.service["a"].kill()
        self.a.process.kill()
        return time.time()

    def stop(self, keep):
        for p in reversed(self.processes):
            if p.alive():
                p.kill()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def check_lost(lab, survivor, client, predicted):
    have = {int(x) for x in survivor.sql("select id from rows where id > 0").split()}
    lost = sorted(set(client.acked) - have)
    assert lost == predicted, "lost %s, predicted %s" % (lost[:20], predicted[:20])
    print("lab: %d rows acknowledged, %d lost, %d predicted" % (len(client.acked), len(lost), len(predicted)))


def check_ledger(lab):
    out = lab.run(["ledger", "verify", lab.path("ledger")])
    assert "Chain integrity: VERIFIED" in out and "Unauthorised steps: 0" in out, out
    mine = subprocess.run([sys.executable, HERE + "/../verify_ledger.py", lab.path("ledger")], capture_output=True, text=True)
    assert mine.returncode == 0, "the independent verifier disagrees:\n" + mine.stdout + mine.stderr
    print("lab: ledger", out.strip().splitlines()[-1].lower(), "by both verifiers,", out.splitlines()[-9].lower())


def break_link(lab, client):
    """The link goes first: what is written now is what will be lost. The plan must name it."""
    lab.link.cut = True
    seen = client.next_id
    wait_for("rows that the standby never gets", lambda: client.next_id > seen + 40)
    client.pause()
    at_risk = sorted(i for i in client.acked if i not in {int(x) for x in lab.b.sql("select id from rows").split()})
    assert at_risk, "nothing is at risk"

    def proven():
        link = next(x for x in lab.state()["links"] if x["name"] == "postgres")
        return link["receipts"] == len(at_risk)
    wait_for("the prediction of %d rows" % len(at_risk), proven)
    return at_risk


def failover(lab, client):
    predicted = break_link(lab, client) if lab.crash else []
    killed = lab.kill_region_a()
    lab.link.drop()
    client.paused = False
    wait_for("a DOWN", lambda: lab.verdict("a") == "DOWN")
    down = time.time()
    first_bad = min((t for t in client.acked.values() if t > killed), default=None)
    assert first_bad is None or lab.crash or first_bad - killed < 1, "writes went on after the kill"
    wait_for("a failover that may be proposed", lambda: lab.possible("failover"))
    plan = json.loads(lab.run(["plan", "failover", "--from", "a", "--to", "b", "--json"]))["plan"]
    named = int(plan["loss"]["receipts"])
    assert named == len(predicted), "the plan predicts %s rows, at risk are %s: %s" % (named, len(predicted), plan["loss"])
    op, approved = lab.two_approve("failover", "a", "b")
    if lab.crash:
        crash_engine(lab, op)
    done = lab.finish(op)
    resumed = wait_for("writes again", lambda: min((t for t in client.acked.values() if t > approved), default=None))
    print("lab: kill to DOWN %.1f s; second approval to first write %.1f s; failover took %.1f s" % (down - killed, resumed - approved, done["elapsed_ms"] / 1000))
    check_lost(lab, lab.b, client, predicted)
    timeline = lab.b.sql("select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)")
    assert timeline == "00000002", "promoted more than once: timeline %s" % timeline
    receipts = lab.receipts()
    report = next(r for r in receipts if r["operation"] == "regional_failover_completed")
    assert report["primary_region"] == "a" and report["secondary_region"] == "b" and report["status"] == "secondary_active", report
    assert report["total_failover_time_seconds"] >= 1, report
    print("lab: the receipts say RTO %d s" % report["total_failover_time_seconds"])
    assert any("is lost" in n for n in Hook.notes), "nothing was announced"


def crash_engine(lab, op):
    """kill -9 while the promotion runs: its intent is in the ledger, its result is not."""
    def promoting():
        step = next(s for s in lab.operation(op)["steps"] if s["name"] == "promote")
        return step["attempts"] > 0
    wait_for("the promotion's intent", promoting)
    lab.engine.kill()
    print("lab: warroomd killed in the middle of the promotion")
    lab.start_engine()


def failback(lab, client):
    lab.a.copy_from(lab.b.port)
    os.path.exists(lab.path("fenced-a")) and os.unlink(lab.path("fenced-a"))
    lab.a.start()
    wait_for("a streams from b", lambda: lab.b.try_sql("select count(*) from pg_stat_replication where state = 'streaming'") == "1")
    lab.start_service("a")
    wait_for("a failback that may be proposed", lambda: lab.possible("failback"))
    count = len(client.acked)
    op, _ = lab.two_approve("failback", "b", "a")
    done = lab.finish(op)
    end = time.time()
    wait_for("writes after the failback", lambda: any(t > end for t in client.acked.values()))
    client.pause()
    check_lost(lab, lab.a, client, [])
    served = dict(x.split("|") for x in lab.a.sql("select region, count(*) from rows where id > %d group by 1" % count).splitlines())
    print("lab: failback took %.1f s; rows written through %s since it was proposed" % (done["elapsed_ms"] / 1000, served))
    assert lab.haproxy.weights() == {"a": 100, "b": 0}, lab.haproxy.weights()


def main():
    build, crash, keep = sys.argv[1], "--crash" in sys.argv, "--keep" in sys.argv
    for tool, package in (("ssh-keygen", "openssh-client"), ("curl", "curl"), (PG + "/postgres", "postgresql-15")):
        need(tool, package)
    lab = Lab(build, crash)
    ok = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        lab.start_platform()
        lab.configure()
        client, watch = Client(lab.haproxy.port), WeightWatch(lab.haproxy)
        watch.start()
        client.start()
        wait_for("the first writes", lambda: len(client.acked) > 50)
        lab.start_engine()
        wait_for("a healthy platform", lambda: lab.verdict("a") == "HEALTHY" and lab.verdict("b") == "HEALTHY")
        failover(lab, client)
        if not crash:
            failback(lab, client)
        client.running = watch.running = False
        assert not watch.wrong, "weights did not sum to 100: %s" % watch.wrong[:5]
        print("lab: %d looks at the weights, each summed to 100; seen %s" % (watch.looks, [(w["a"], w["b"]) for w in watch.seen]))
        check_ledger(lab)
        ok = True
    finally:
        if not ok:
            for name in ("warroomd.log", "service-a.log", "service-b.log"):
                if os.path.exists(lab.path(name)):
                    with open(lab.path(name), errors="replace") as f:
                        print("---- %s\n%s" % (name, f.read()[-3000:]))
        lab.stop(keep)
    print("lab: ok")


main()
