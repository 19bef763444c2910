#!/usr/bin/env python3
"""What the lab's runbooks run: each prints one JSON object and exits 0, or says why not and exits 1.

  fence DIR REGION          prove that the region's database and service are dead, and leave the mark that keeps them so
  stop-database DIR REGION  a clean stop, which sends every byte to the standby first, and the same mark
  promote PORT              promote the standby behind PORT, wait until it takes writes
  is-primary PORT           is the database behind PORT a primary?
  capacity PORT             is the service behind PORT there?
"""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

PG = "/usr/lib/postgresql/15/bin"


def out(**fields):
    print(json.dumps(fields))
    sys.exit(0)


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def sql(port, text):
    return subprocess.run([PG + "/psql", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-XAtq", "-c", text], check=True,
                          capture_output=True, text=True, timeout=50).stdout.strip()


def pid_of(directory, region):
    try:
        with open(os.path.join(directory, "pg-" + region, "postmaster.pid")) as f:
            return int(f.readline())
    except (OSError, ValueError):
        return None


def gone(pid):
    if pid is None or not os.path.exists("/proc/%d" % pid):
        return True
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "Z"


def mark(directory, region):
    with open(os.path.join(directory, "fenced-" + region), "w") as f:
        f.write("fenced\n")


def stop(directory, region, how):
    pid = pid_of(directory, region)
    if not gone(pid):
        os.kill(pid, how)
        end = time.monotonic() + 40
        while not gone(pid):
            if time.monotonic() > end:
                fail("the database of %s does not stop" % region)
            time.sleep(0.05)
    mark(directory, region)
    out(fenced=True, region=region)


verb, args = sys.argv[1], sys.argv[2:]
if verb == "fence":
    stop(args[0], args[1], signal.SIGQUIT)
elif verb == "stop-database":
    stop(args[0], args[1], signal.SIGINT)
elif verb == "promote":
    if sql(args[0], "select pg_is_in_recovery()") == "t":
        sql(args[0], "alter system set synchronous_standby_names = ''")
        print("promoting", file=sys.stderr)
        if sql(args[0], "select pg_promote(true, 45)") != "t":
            fail("pg_promote did not finish in 45 s")
        sql(args[0], "select pg_reload_conf()")
    out(promoted=sql(args[0], "select pg_is_in_recovery()") == "f")
elif verb == "is-primary":
    out(primary=sql(args[0], "select pg_is_in_recovery()") == "f")
elif verb == "capacity":
    try:
        with urllib.request.urlopen("http://127.0.0.1:%s/local" % args[0], timeout=0.8) as r:
            out(ready_percent=100 if json.load(r)["up"] else 0)
    except (urllib.error.URLError, OSError, KeyError, ValueError):
        out(ready_percent=0)
else:
    fail(__doc__)
