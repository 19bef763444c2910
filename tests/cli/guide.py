#!/usr/bin/env python3
"""Does what docs/first-platform.md says: all its shell blocks, one after the other in one shell, in an empty directory. The ports are others,
the waits are shorter, and the passphrase comes from a file instead of fingers.

usage: guide.py BUILD
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "first-platform.md")
LIMIT_S = 300  # only so that a broken guide ends


def free_ports(n):
    """n free ports in a row: the first of them."""
    for base in range(21000 + os.getpid() % 5000, 32000, 10):
        taken = []
        try:
            for i in range(n):
                s = socket.socket()
                taken.append(s)
                s.bind(("127.0.0.1", base + i))
            return base
        except OSError:
            continue
        finally:
            for s in taken:
                s.close()
    raise AssertionError("no free ports")


def main():
    build = os.path.abspath(sys.argv[1])
    with open(GUIDE) as f:
        blocks = re.findall(r"^```sh\n(.*?)^```$", f.read(), re.M | re.S)
    assert len(blocks) > 8, blocks
    base = free_ports(3)
    script = "set -e -o pipefail\n" + "".join(blocks)
    for i in range(3):
        script = script.replace("%d" % (9100 + i), "%d" % (base + i))
    for slow, fast in (("--speed 5", "--speed 20"), (r"\b10s\b", "4s"), (r"\binterval: 1s", "interval: 500ms"), ("hold: 5s", "hold: 2s"), ("sleep 1;", "sleep 0.3;")):
        script, n = re.subn(slow, fast, script)
        assert n, slow
    d = tempfile.mkdtemp(prefix="warroom-guide.")
    env = {k: v for k, v in os.environ.items() if not k.startswith("WARROOM_")}
    env.update(PATH=build + ":" + env["PATH"], LC_ALL="C.UTF-8", WARROOM_PASSPHRASE_FILE=d + "/passphrase")
    try:
        with open(d + "/passphrase", "w") as f:
            os.chmod(d + "/passphrase", 0o600)
            f.write("a passphrase for the guide\n")
        os.mkdir(d + "/empty")
        output = open(d + "/output", "w+", errors="replace")
        # A shell in a session of its own, so that what it left running can be ended with it.
        shell = subprocess.Popen(["bash", "-c", script], cwd=d + "/empty", env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                 start_new_session=True)
        try:
            shell.wait(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        output.seek(0)
        out = output.read()
        wanted = ["no: north is well", "op-1 failover north → south: completed", "op-2 rebuild south → north: completed",
                  "op-3 failback south → north: completed", "Chain integrity: VERIFIED", ": 0 errors"]
        missing = [w for w in wanted if w not in out]
        if shell.returncode != 0 or missing:
            print(out)
            for name in ("warroomd.log", "why.txt"):
                if os.path.exists(d + "/empty/" + name):
                    with open(d + "/empty/" + name) as f:
                        print("---", name, "\n", f.read()[-3000:])
            print("guide: FAILED: exit %s, missing %s" % (shell.returncode, missing))
            sys.exit(1)
        print("guide: ok, %d blocks" % len(blocks))
    finally:
        shutil.rmtree(d, ignore_errors=True)


main()
