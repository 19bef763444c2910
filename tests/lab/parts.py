"""The lab's parts: processes, PostgreSQL, HAProxy, Prometheus, a replication proxy, a writing client.

Everything runs on loopback below one temporary directory, is started here and stopped by pid.
"""
import contextlib
import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time

PG = "/usr/lib/postgresql/15/bin"
HERE = os.path.dirname(os.path.abspath(__file__))


def need(path, package):
    if not shutil.which(path):
        raise SystemExit("lab: %s is missing: apt-get install %s" % (path, package))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=60):
    """Polls a condition; the limit is only there so that a broken lab ends."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %d s in vain for: %s" % (seconds, what))
        time.sleep(0.05)


class Process:
    """A child of ours with a log file; killed with all its descendants, by pid."""

    def __init__(self, name, argv, log, user=None, env=None):
        self.name = name
        self.log = open(log, "ab")
        kw = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        self.p = subprocess.Popen(argv, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                  start_new_session=True, env=env, cwd="/", **kw)

    def alive(self):
        return self.p.poll() is None

    def tree(self):
        children = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/stat" % pid) as f:
                    ppid = int(f.read().rsplit(")", 1)[1].split()[1])
                children.setdefault(ppid, []).append(int(pid))
        out, todo = [], [self.p.pid]
        while todo:
            pid = todo.pop()
            out.append(pid)
            todo += children.get(pid, [])
        return out

    def kill(self, sig=signal.SIGKILL):
        pids = self.tree() if sig == signal.SIGKILL else [self.p.pid]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
        self.p.wait(timeout=30)
        self.log.close()


class Postgres:
    def __init__(self, lab, name):
        self.lab, self.name, self.port = lab, name, free_port()
        self.data = os.path.join(lab.dir, "pg-" + name)
        self.user = "postgres" if os.getuid() == 0 else None
        self.process = None

    def run(self, *argv, check=True, **kw):
        if self.user:
            kw.update(user=self.user, group=pwd.getpwnam(self.user).pw_gid, extra_groups=[])
        return subprocess.run(argv, check=check, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw).stdout

    def own_dir(self):
        os.makedirs(self.data, mode=0o700)
        if self.user:
            shutil.chown(self.data, self.user)

    def settings(self, extra=""):
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a") as f:
            f.write("listen_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = ''\nwal_level = replica\n"
                    "max_wal_senders = 8\nhot_standby = on\nwal_log_hints = on\nmax_connections = 60\nshared_buffers = 16MB\n"
                    "wal_keep_size = 64MB\nwal_receiver_timeout = 5s\nwal_retrieve_retry_interval = 200ms\n%s" % (self.port, extra))

    def create(self, extra=""):
        self.own_dir()
        self.run(PG + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "--no-instructions")
        self.settings(extra)

    def copy_from(self, port, extra=""):
        """A standby by pg_basebackup from the primary behind `port`."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.own_dir()
        self.run(PG + "/pg_basebackup", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-D", self.data, "-X", "stream",
                 "-c", "fast", "-R")
        self.settings("primary_conninfo = 'host=127.0.0.1 port=%d user=postgres application_name=standby'\n%s" % (port, extra))

    def start(self):
        self.process = Process("postgres " + self.name, [PG + "/postgres", "-D", self.data],
                               os.path.join(self.lab.dir, "pg-%s.log" % self.name), user=self.user)
        self.lab.processes.append(self.process)
        wait_for("postgres %s" % self.name, lambda: self.try_sql("select 1") == "1")

    def sql(self, text):
        return subprocess.run([PG + "/psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-XAtq", "-c", text],
                              check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def try_sql(self, text):
        try:
            return self.sql(text)
        except (subprocess.SubprocessError, OSError):
            return None


class Proxy(threading.Thread):
    """Carries one TCP port to another; when cut, takes bytes and delivers none: a link that is lost."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target, self.cut, self.pairs = target, False, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                near, _ = self.server.accept()
                far = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                continue
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        with contextlib.suppress(OSError):
            while True:
                data = a.recv(65536)
                if not data:
                    break
                if not self.cut:
                    b.sendall(data)
        if not self.cut:
            self.close(a, b)

    def close(self, *socks):
        for s in socks:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def drop(self):
        """The far side is gone: what was swallowed stays lost."""
        for pair in self.pairs:
            self.close(*pair)
        self.pairs = []


class Client(threading.Thread):
    """Writes through HAProxy without pause and keeps what was acknowledged, with the time."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.acked, self.failed, self.next_id = port, {}, 0, 1
        self.paused = self.idle = False
        self.running = True

    def run(self):
        conn = None
        while self.running:
            if self.paused:
                self.idle = True
                time.sleep(0.01)
                continue
            self.idle = False
            ident, self.next_id = self.next_id, self.next_id + 1
            try:
                conn = conn or http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                conn.request("POST", "/write?id=%d" % ident, body=b"")
                r = conn.getresponse()
                r.read()
                if r.status == 200:
                    self.acked[ident] = time.time()
                    continue
            except (OSError, http.client.HTTPException):
                pass
            if conn:
                conn.close()
            conn = None
            self.failed += 1
            time.sleep(0.05)

    def pause(self):
        self.paused = True
        wait_for("the client to be idle", lambda: self.idle)


class HAProxy:
    def __init__(self, lab, servers):
        need("haproxy", "haproxy")
        self.port, self.socket = free_port(), os.path.join(lab.dir, "haproxy.sock")
        path = os.path.join(lab.dir, "haproxy.cfg")
        lines = "".join("    server %s 127.0.0.1:%d weight 100 check inter 300ms fastinter 100ms fall 2 rise 1\n" % s for s in servers)
        with open(path, "w") as f:
            f.write("global\n    stats socket %s mode 600 level admin\n    maxconn 500\ndefaults\n    mode http\n    timeout connect 2s\n"
                    "    timeout client 10s\n    timeout server 10s\n    retries 1\nfrontend front\n    bind 127.0.0.1:%d\n"
                    "    default_backend be\nbackend be\n    balance roundrobin\n    option httpchk GET /health\n%s" % (self.socket, self.port, lines))
        self.process = Process("haproxy", ["haproxy", "-db", "-f", path], os.path.join(lab.dir, "haproxy.log"))
        lab.processes.append(self.process)
        wait_for("haproxy", lambda: os.path.exists(self.socket))

    def command(self, text):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.socket)
            s.sendall(text.encode() + b"\n")
            out = b""
            while chunk := s.recv(65536):
                out += chunk
        return out.decode()

    def weights(self):
        """Both weights in one answer, so that the sum is of one instant."""
        lines = [x.split() for x in self.command("show servers state be").splitlines()]
        return {x[3]: int(x[7]) for x in lines if len(x) > 8 and x[1] == "be"}


class WeightWatch(threading.Thread):
    """Looks at the weights all the time; every look must sum to 100."""

    def __init__(self, haproxy):
        super().__init__(daemon=True)
        self.haproxy, self.looks, self.wrong, self.seen, self.running = haproxy, 0, [], [], True

    def run(self):
        while self.running:
            with contextlib.suppress(OSError):
                w = self.haproxy.weights()
                self.looks += 1
                if sum(w.values()) != 100:
                    self.wrong.append(w)
                if not self.seen or self.seen[-1] != w:
                    self.seen.append(w)
            time.sleep(0.01)


def prometheus(lab, targets):
    need("prometheus", "prometheus")
    port, path = free_port(), os.path.join(lab.dir, "prometheus.yml")
    jobs = "".join("  - job_name: %s\n    static_configs: [{targets: ['127.0.0.1:%d']}]\n" % t for t in targets)
    with open(path, "w") as f:
        f.write("global: {scrape_interval: 500ms, scrape_timeout: 400ms}\nscrape_configs:\n" + jobs)
    lab.processes.append(Process("prometheus", ["prometheus", "--config.file=" + path, "--storage.tsdb.path=" + lab.dir + "/tsdb",
                                                "--web.listen-address=127.0.0.1:%d" % port, "--log.level=error"],
                                 os.path.join(lab.dir, "prometheus.log")))
    return port
