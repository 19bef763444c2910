#!/usr/bin/env python3
"""A region's small HTTP service: writes rows through to whichever PostgreSQL is the primary.

usage: service.py REGION PORT OWN_PG_PORT ALL_PG_PORTS [--at-risk]
  POST /write?id=N   insert and commit, 200 only after the commit
  GET  /health       {"status", "database", "writable", "p95_ms"}; 503 when no primary can be written
  GET  /local        the region's own database: {"up", "recovering", "lag_bytes", "lag_seconds", "streaming"}
  GET  /at-risk      ids committed here that the standby has not confirmed: {"ids": [...]}
  GET  /metrics      Prometheus text
"""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import psycopg2

region, port, own, every = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(",")
local = threading.local()
lock = threading.Lock()
committed = []  # (lsn, id) in commit order; guarded by lock
counts = {"200": 0, "503": 0}  # guarded by lock
durations = []  # seconds, the last 200; guarded by lock


def connect(write):
    if write:
        hosts = ",".join("127.0.0.1" for _ in every)
        where = "host=%s port=%s target_session_attrs=read-write" % (hosts, ",".join(every))
    else:
        where = "host=127.0.0.1 port=%d" % own
    c = psycopg2.connect(where + " user=postgres dbname=postgres connect_timeout=2 options='-c statement_timeout=3000'")
    c.autocommit = True
    return c


def query(name, sql, args=(), write=False):
    """One statement on this thread's connection; a broken connection is dropped and the error raised."""
    conn = getattr(local, name, None)
    try:
        if conn is None:
            conn = connect(write)
            setattr(local, name, conn)
        with conn.cursor() as cur:
            cur.execute(sql, args)
            return cur.fetchone() if cur.description else None
    except psycopg2.Error:
        setattr(local, name, None)
        if conn is not None:
            conn.close()
        raise


def lsn_number(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def write_row(ident):
    start = time.monotonic()
    query("writer", "insert into rows(id, region) values (%s, %s) on conflict do nothing", (ident, region), write=True)
    lsn = lsn_number(query("writer", "select pg_current_wal_lsn()::text", write=True)[0])
    with lock:
        committed.append((lsn, ident))
        durations.append(time.monotonic() - start)
        del durations[:-200]


def at_risk():
    row = query("reader", "select min(flush_lsn)::text from pg_stat_replication")
    flushed = lsn_number(row[0]) if row and row[0] else 0
    with lock:
        while len(committed) > 5000 and committed[0][0] <= flushed:
            committed.pop(0)
        return sorted(i for lsn, i in committed if lsn > flushed)


def own_database():
    try:
        if query("reader", "select pg_is_in_recovery()")[0]:
            row = query("reader", "select coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0), "
                        "(select count(*) from pg_stat_wal_receiver where status = 'streaming')")
            return {"up": True, "recovering": True, "unapplied_bytes": int(row[0]), "streaming": row[1] > 0}
        row = query("reader", "select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)), -1), "
                    "coalesce(max(extract(epoch from flush_lag)), 0), count(*), "
                    "coalesce(bool_and(sync_state in ('sync', 'quorum')), false) from pg_stat_replication where state = 'streaming'")
        out = {"up": True, "recovering": False, "streaming": row[2] > 0, "sync": bool(row[3])}
        if row[2]:
            out["lag_bytes"], out["lag_seconds"] = max(0, int(row[0])), float(row[1])
        return out
    except psycopg2.Error as e:
        return {"up": False, "error": str(e).splitlines()[0]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, kind="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        url = urlparse(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        ident = parse_qs(url.query).get("id", [""])[0]
        if url.path != "/write" or not ident.lstrip("-").isdigit():
            return self.answer(404, {"error": "POST /write?id=N"})
        try:
            write_row(int(ident))
        except psycopg2.Error as e:
            with lock:
                counts["503"] += 1
            return self.answer(503, {"error": str(e).splitlines()[0]})
        with lock:
            counts["200"] += 1
        self.answer(200, {"id": int(ident), "region": region})

    def do_GET(self):
        path = urlparse(self.path).path
        if path == "/health":
            try:
                query("writer", "select 1", write=True)
                with lock:
                    recent = sorted(durations)
                p95 = recent[int(len(recent) * 0.95)] if recent else 0
                self.answer(200, {"status": "ok", "writable": True, "p95_ms": round(p95 * 1000, 1)})
            except psycopg2.Error as e:
                self.answer(503, {"status": "no primary", "writable": False, "error": str(e).splitlines()[0]})
        elif path == "/local":
            self.answer(200, own_database())
        elif path == "/at-risk":
            try:
                self.answer(200, {"ids": [str(i) for i in at_risk()]})
            except psycopg2.Error as e:
                self.answer(503, {"error": str(e).splitlines()[0]})
        elif path == "/metrics":
            with lock:
                lines = ['lab_requests_total{region="%s",code="%s"} %d' % (region, k, v) for k, v in counts.items()]
            self.answer(200, "# TYPE lab_requests_total counter\n" + "\n".join(lines) + "\n", "text/plain; version=0.0.4")
        else:
            self.answer(404, {"error": "no such path"})


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
