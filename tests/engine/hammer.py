#!/usr/bin/env python3
"""Clients of the API in a process of their own, so that they do not slow the test's platform down.

usage: hammer.py SOCKET THREADS < list of [method, path, body, wanted status, wanted rule] as one JSON line
A path with %d takes the last "rev" that its thread saw, and then each answer must have a newer one. Prints a line for every 50 answers;
when standard input is closed it stops and prints {"count": N, "bad": [...]}.
"""
import http.client
import json
import socket
import sys
import threading


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("warroom", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def client(i):
    global count
    method, path, body, wanted, rule = tasks[i % len(tasks)]
    rev, conn = 0, None
    while not stop.is_set():
        try:
            conn = conn or Unix(sys.argv[1])
            conn.request(method, path % rev if "%d" in path else path, body=json.dumps(body) if body else None)
            answer = conn.getresponse()
            data = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as e:
            if not stop.is_set():
                bad.append(repr(e))
            return
        if answer.status != wanted or (rule and data["error"]["rule"] != rule):
            bad.append([path, answer.status, data])
        if "%d" in path:
            if data["rev"] <= rev:
                bad.append([path, rev, data["rev"]])
            rev = data["rev"]
        with lock:
            count += 1
            if count % 50 == 0:
                print(count, flush=True)


tasks, count, bad = json.loads(sys.stdin.readline()), 0, []
stop, lock = threading.Event(), threading.Lock()
threads = [threading.Thread(target=client, args=(i,), daemon=True) for i in range(int(sys.argv[2]))]
for t in threads:
    t.start()
sys.stdin.read()
stop.set()
for t in threads:
    t.join(70)
    if t.is_alive():
        bad.append("a client hangs")
print(json.dumps({"count": count, "bad": bad[:5]}), flush=True)
