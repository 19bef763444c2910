#!/usr/bin/env python3
"""The command line against a running engine.

usage: test_live.py BUILD [CASE…]
"""
import json
import os
import re
import signal
import subprocess
import sys

from lib import LIMIT_S, Run, expect, main

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "engine"))
from harness import Platform, Warroom, wait_for  # noqa: E402

READING = [["status"], ["why", "failover"], ["why", "failover", "--from", "a", "--to", "b"], ["plan", "failover", "--from", "a", "--to", "b"],
           ["pending"], ["ledger", "tail"], ["ledger", "tail", "-n", "3"], ["ledger", "show", "0"]]


def with_engine(test):
    def run(build):
        w = Warroom(build, Platform())
        try:
            w.start()
            test(w)
            w.alive()
        finally:
            w.close()
    run.__name__ = test.__name__
    return run


def cli(w, *args, env=None, stdin=b""):
    return Run(w.build, args, env=dict({"WARROOM_SOCKET": w.path("warroom.sock"), "WARROOM_PASSPHRASE_FILE": w.path("passphrase")}, **(env or {})),
               stdin=stdin, cwd=w.dir)


@with_engine
def json_of_all_that_reads(w):
    for args in READING + [["ledger", "verify", w.path("ledger")], ["config", "check", w.path("warroom.yaml")], ["key", "show", w.path("alice.key")], ["version"]]:
        plain, machine = cli(w, *args), cli(w, *args, "--json")
        expect(plain.code == machine.code and plain.code in (0, 1) and plain.out and not plain.err, plain)
        json.loads(machine.out)
        expect(not machine.err, machine)


@with_engine
def no_escape_and_no_more_than_ascii(w):
    for env, option in (({"NO_COLOR": "1", "TERM": "xterm-256color"}, []), ({"TERM": "dumb"}, []), ({"LC_ALL": "C", "TERM": "xterm"}, []), ({}, ["--ascii"])):
        for args in READING + [["ledger", "verify", w.path("ledger")], ["help"], ["nonsense"]]:
            r = cli(w, *args, *option, env=env)
            expect("\x1b" not in r.out + r.err, r)
            if option or env.get("LC_ALL"):
                expect((r.out + r.err).isascii(), r)


@with_engine
def the_answer_is_no(w):
    cases = [(["why", "failover"], 1, "blocked by"), (["ledger", "show", "999999"], 1, "no receipt 999999"),
             (["approve", "op-77", "--key", w.path("alice.key")], None, "op-77"), (["pending", "op-77", "--as", "bob"], None, "op-77"),
             (["ledger", "verify", w.path("nowhere")], 2, "nowhere"), (["ledger", "verify", w.path("warroom.yaml")], None, "warroom.yaml"),
             (["why", "sideways"], 2, '"sideways"'), (["why", "failover", "--from", "mars", "--to", "b"], 2, "mars"),
             (["plan", "failover", "--from", "a", "--to", "mars"], 2, "mars"), (["plan", "failover", "--runbook", "none"], 2, "none")]
    for args, code, says in cases:
        r = cli(w, *args)
        expect((r.code == code if code is not None else r.code in (1, 2)) and says in r.out + r.err, r)
        m = cli(w, *args, "--json")
        expect(m.code == r.code, m)
        json.loads(m.out)


@with_engine
def a_person_and_a_role(w):
    """Who is asked for, and is nobody: the answer names who there is."""
    w.lose_a()
    op = w.propose()
    for args, says in ((["pending", op, "--as", "zoe"], '"zoe" is not among the operators (alice, bob'),
                       (["pending", op], "--as"),
                       (["pending", op, "--as", "bob", "--role", "pilot"], "pilot"),
                       (["pending", op, "--as", "bob", "--decision", "perhaps"], "perhaps"),
                       (["pending", op, "--as", "bob", "--assurance", "certain"], "certain"),
                       (["approve", op, w.path("nosuch.sig")], "nosuch.sig"), (["approve", op, "-"], "standard input"),
                       (["approve", op], "--key"), (["approve", op, "--key", w.path("nosuch.key")], "nosuch.key"),
                       (["approve", op, "--key", w.path("warroom.yaml")], "warroom.yaml"),
                       (["approve", op, "--key", w.path("alice.key"), "--as", "bob"], "alice"),
                       (["rule", op, "nowhere", "done", "--key", w.path("alice.key")], "nowhere"),
                       (["rule", op, "fence", "maybe", "--key", w.path("alice.key")], "maybe"),
                       (["tick", op, "fence", "--key", w.path("alice.key")], "fence")):
        r = cli(w, *args)
        expect(r.code in (1, 2) and says in r.err and r.err.count("\n") == 1 and not r.out, r, "says %r" % says)
    with open(w.path("wrong"), "w") as f:
        os.chmod(w.path("wrong"), 0o600)
        f.write("not the passphrase\n")
    r = cli(w, "hold", op, "--key", w.path("alice.key"), env={"WARROOM_PASSPHRASE_FILE": w.path("wrong")})
    expect(r.code == 1 and "passphrase" in r.err and "not the passphrase" not in r.err, r)


@with_engine
def readers_that_stop_reading(w):
    sh = lambda line: subprocess.run(["bash", "-c", "set -o pipefail; " + line], env=w.env, cwd=w.dir, capture_output=True, text=True, timeout=LIMIT_S)
    for line in ("%s/warroom status | head -1", "%s/warroom ledger tail -n 500 --json | head -c 1", "%s/warroom help | true", "%s/warroom plan failover --from a --to b | head -1"):
        r = sh(line % w.build)
        expect(r.returncode == 0 and not r.stderr, "%s: exit %d\n%s%s" % (line, r.returncode, r.stdout, r.stderr))
    for line in ("%s/warroom status --watch", "%s/warroom ledger tail --watch", "%s/warroom status --watch --json"):
        p = subprocess.Popen([w.build + "/warroom", *(line % "").split()[1:]], env=w.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        expect(p.stdout.readline(), line)
        p.stdout.close()
        w.platform.sick ^= {"a"}
        # It ends by itself at the next change.
        p.wait(timeout=LIMIT_S)
        expect(p.returncode == 0 and not p.stderr.read(), "%s: exit %d" % (line, p.returncode))
        p.stderr.close()


@with_engine
def what_is_watched(w):
    p = subprocess.Popen([w.build + "/warroom", "status", "--watch"], env=w.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = p.stdout.readline()
    expect(re.match(r"^\d{4}-\d\d-\d\dT\S+Z  a primary ", line), line)
    w.platform.sick.add("a")
    while "a primary DOWN" not in line:
        line = p.stdout.readline()
        expect(line, "the watcher ended")
    expect("\x1b" not in line, line)
    # The engine is gone: that is said, with exit 3.
    w.kill(signal.SIGTERM)
    p.wait(timeout=LIMIT_S)
    expect(p.returncode == 3 and "cannot reach the engine" in p.stderr.read(), "exit %d" % p.returncode)
    p.stdout.close()
    p.stderr.close()
    w.start()
    p = subprocess.Popen([w.build + "/warroom", "ledger", "tail", "--watch", "--json"], env=w.env, stdout=subprocess.PIPE, text=True)
    seqs = [json.loads(p.stdout.readline())["seq"] for _ in range(3)]
    expect(seqs == list(range(seqs[0], seqs[0] + 3)), str(seqs))
    p.send_signal(signal.SIGINT)
    p.wait(timeout=LIMIT_S)
    p.stdout.close()


BY_HAND = """
      - {name: ask, phase: prove, manual: {ask: "Call the DBA and hear a yes"}, timeout: 10m}
      - {name: fence, phase: fence, http: {method: POST, url: "${var.base}/do/fence"}, timeout: 1s}
      - {name: shift, phase: shift, traffic: {provider: edge, weights: {"${from}": 0, "${to}": 100}}, class: idempotent, timeout: 10s}
"""


def the_command_that_comes_next(build):
    """What waits for people says for what, and the whole command; a person who follows it gets on."""
    w = Warroom(build, Platform(), steps=BY_HAND)
    w.platform.slow["fence"] = 30

    def follow(pattern, *more):
        out = cli(w, "status").out
        found = re.search(r"warroom (%s.*)" % pattern, out)
        expect(found, out, pattern)
        r = cli(w, *found.group(1).split(), *more)
        expect(r.code == 0, r)
        return r.out
    try:
        w.start()
        w.lose_a()
        key = ("--key", w.path("alice.key"))
        expect("needs: " in cli(w, "why", "failover").out, "why")
        line = re.search(r"to propose it: warroom (.*) --reason TEXT --key FILE", cli(w, "status").out).group(1)
        r = cli(w, *line.split(), "--reason", "test", *key)
        expect(r.code == 0 and "waits for" in r.out and "warroom approve op-1" in r.out, r)
        assert w.sign("op-1", "bob")[0] == 200
        wait_for("the manual step", lambda: w.step("op-1", "ask")["state"] == "running")
        expect("Call the DBA" in cli(w, "pending").out, "pending")
        follow("tick op-1 ask", *key)
        wait_for("the uncertain step", lambda: w.operation("op-1")["state"] == "held")
        out = cli(w, "status").out
        expect("warroom rule op-1 fence done|not_done|skip" in out, out)
        r = cli(w, "rule", "op-1", "fence", "done", *key)
        expect(r.code == 0 and "another person must say the same" in r.out and "warroom rule op-1 fence done" in r.out, r)
        r = cli(w, "rule", "op-1", "fence", "done", *key)
        expect(r.code == 1 and "alice has ruled so already" in r.err, r)
        assert w.sign("op-1", "bob", "rule:fence:done")[0] == 200
        wait_for("the end", lambda: w.operation("op-1")["state"] == "completed")
        r = cli(w, "abort", "op-1", *key)
        expect(r.code == 1 and "it is over" in r.err, r)
    finally:
        w.close()


@with_engine
def a_broken_ledger(w):
    w.kill(signal.SIGTERM)
    segments = [os.path.join(r, f) for r, _, fs in os.walk(w.path("ledger")) for f in fs if f.endswith(".jsonl")]
    with open(segments[0], "r+b") as f:
        f.seek(100)
        byte = f.read(1)
        f.seek(100)
        f.write(bytes([byte[0] ^ 1]))
    r = cli(w, "ledger", "verify", w.path("ledger"))
    expect(r.code == 1 and "VERIFIED" not in r.out, r)
    r = cli(w, "ledger", "verify", w.path("ledger"), "--json")
    expect(r.code == 1 and json.loads(r.out), r)
    with open(segments[0], "r+b") as f:
        f.seek(100)
        f.write(byte)
    r = cli(w, "ledger", "verify", w.path("ledger"))
    expect(r.code == 0 and "VERIFIED" in r.out, r)
    w.start()


main([json_of_all_that_reads, no_escape_and_no_more_than_ascii, the_answer_is_no, a_person_and_a_role, readers_that_stop_reading, what_is_watched,
      the_command_that_comes_next, a_broken_ledger])
