#!/usr/bin/env python3
"""The command line without an engine. The verbs are read from the help, so that a new one is covered at once.

usage: test_cli.py BUILD [CASE…]
"""
import hashlib
import json
import os
import pty
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import termios
import threading

from lib import LIMIT_S, Run, expect, main, options, verbs, words

MAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "man", "warroom.1")
LIMIT_KB = 64 << 10  # of a program that reads a bad file


def help_of_every_verb(build):
    for verb, sub, operands in verbs(build):
        for args in ([*words(verb, sub), "--help"], ["--help", *words(verb, sub)], ["help", *words(verb, sub)]):
            r = Run(build, args)
            expect(r.code == 0 and not r.err, r)
            expect(r.out.startswith("usage: warroom " + " ".join([*words(verb, sub), operands]).strip() + "\n"), r)
            expect(" ".join([sub or verb, operands]).strip() in Run(build, ["help", verb] if sub else ["help"]).out, r, "the list says it too")
            expect("Common options:" in r.out and "--json" in r.out, r)
            expect(len(r.out) > 200, r)
        r = Run(build, [*words(verb, sub), "--help", "--socket", "/nowhere"])
        expect(r.code == 0, r, "help needs no engine")


def every_verb_is_in_the_manual(build):
    with open(MAN) as f:
        text = f.read()
    heads = [re.sub(r"\b(Cm|Ar|Op|Fl|Oo|Oc|Ns)\b|[,|]", " ", line).split() for line in text.split("\n") if line.startswith(".It Cm")]
    for verb, sub, _ in verbs(build):
        expect(any(verb in h and (not sub or sub in h) for h in heads), "docs/man/warroom.1 lacks: %s %s" % (verb, sub))
        for option, _ in options(build, verb, sub):
            expect(re.search(r"Fl (-\w+ )*%s\b" % re.escape(option[1:]), text), "docs/man/warroom.1 lacks %s of %s %s" % (option, verb, sub))


def wrong_options(build):
    for verb, sub, _ in verbs(build):
        w = words(verb, sub)
        tries = [[*w, "--no-such-option"], [*w, "--json=3"], [*w, "--socket"], [*w, "-Z"], [*w, "--socket", "--json"]]
        for option, value in options(build, verb, sub):
            tries += [[*w, option]] if value else [[*w, option + "=x"]] if option.startswith("--") else []
        for args in tries:
            r = Run(build, args)
            expect(r.code == 2, r)
            if not any(a.startswith("--json") for a in args):
                expect(not r.out and r.err.count("\n") == 1 and r.err.startswith("warroom: ") and " ".join(w) + " --help" in r.err, r)
            r = Run(build, ["--json", *args])
            expect(r.code == 2 and json.loads(r.out)["error"]["code"] == "invalid", r)
    for args in (["--\udcff"], ["\x1b[31mred"], ["status", "a\nb"], ["ledger", "show", "\udcff"]):
        r = Run(build, args)
        expect(r.code == 2 and r.err.count("\n") == 1 and "\x1b" not in r.err and "\ufffd" * 3 not in r.err, r)
        expect(json.loads(Run(build, [*args, "--json"]).out)["error"]["message"], r)
    for args in (["frobnicate"], ["help", "frobnicate"], ["ledger"], ["ledger", "frobnicate"], ["key"], ["config"], ["ledger", "verify"],
                 ["ledger", "show", "-1"], ["ledger", "show", "x"], ["ledger", "show", "1x"], ["ledger", "show", ""],
                 ["ledger", "tail", "-n", "0"], ["ledger", "tail", "-n", "501"], ["ledger", "tail", "-nx"], ["ledger", "tail", "-n", ""],
                 ["status", "now"], ["why"], ["plan"], ["propose"], ["propose", "failover"], ["approve"], ["rule", "op-1"],
                 ["rule", "op-1", "fence"], ["tick", "op-1"], ["demo", "nowhere"], ["config", "check", "a", "b"], ["key", "show"],
                 ["key", "new", "a/b"], ["status", "--reason", "x"], ["--from", "a"], ["--no-such-option"], ["pending", "a", "b"]):
        r = Run(build, args)
        expect(r.code == 2 and r.err.startswith("warroom: ") and r.err.count("\n") == 1 and not r.out, r)


def options_stand_anywhere(build):
    for args in (["--json", "version"], ["version", "--json"]):
        expect(json.loads(Run(build, args).out)["version"], args)
    r = Run(build, ["--from", "a", "--to=b", "why", "--socket=/nowhere/s", "failover"])
    expect(r.code == 3 and "/nowhere/s" in r.err, r)
    r = Run(build, ["ledger", "-n5", "--socket", "/nowhere/s", "tail"])
    expect(r.code == 3, r)
    r = Run(build, ["ledger", "verify", "--", "--json"])
    expect(r.code == 2 and "--json" in r.err and not r.out, r, "behind -- all are operands")


def need_engine():
    """Command lines that ask an engine, complete enough to get that far."""
    return [["status"], ["status", "--watch"], ["why", "failover"], ["why", "failover", "--from", "a", "--to", "b"], ["plan", "failover"],
            ["propose", "failover", "--from", "a", "--to", "b", "--reason", "test"], ["pending"], ["pending", "op-1", "--as", "bob"],
            ["approve", "op-1", "-"], ["deny", "op-1", "-"], ["hold", "op-1", "-"], ["resume", "op-1", "-"], ["abort", "op-1", "-"],
            ["rule", "op-1", "fence", "done", "-"], ["tick", "op-1", "fence", "-"], ["ledger", "tail"], ["ledger", "tail", "--watch"],
            ["ledger", "show", "0"]]


def no_engine(build):
    d = tempfile.mkdtemp(prefix="warroom-cli.")
    try:
        dead = d + "/dead.sock"
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(dead)
        with open(d + "/file.sock", "w"):
            pass
        for path, why in ((d + "/none.sock", "no such socket"), (dead, "nobody answers"), (d + "/file.sock", "no socket"), (d, "no socket")):
            for args in need_engine() if path == dead else need_engine()[:1]:
                r = Run(build, [*args, "--socket", path], stdin=b"signature\n")
                expect(r.code == 3 and path in r.err and why in r.err and r.err.count("\n") == 1 and not r.out, r)
                r = Run(build, [*args, "--json", "--socket", path], stdin=b"signature\n")
                expect(r.code == 3 and json.loads(r.out)["error"]["code"] == "unavailable", r)
        r = Run(build, ["status"], cwd=d)
        expect(r.code == 3 and "--config" in r.err, r)
        r = Run(build, ["status", "--socket", d + "/" + "x" * 200])
        expect(r.code == 2 and r.err.startswith("warroom: "), r)
        r = Run(build, ["status", "--config", d + "/none.yaml"])
        expect(r.code == 2 and "none.yaml" in r.err, r)
    finally:
        shutil.rmtree(d)


def strange_engines(build):
    """What answers on the socket is no engine: said, and never believed."""
    d = tempfile.mkdtemp(prefix="warroom-cli.")
    answers = {"text": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "nothing": b"", "garbage": os.urandom(2000),
               "list": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "deep": b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100000,
               "half": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"rev\":1", "status": b"HTTP/1.1 500 no\r\nContent-Length: 2\r\n\r\n{}"}
    try:
        # One that takes the call and says nothing: its end is awaited below, beside the others.
        silent = socket.socket(socket.AF_UNIX)
        silent.bind(d + "/silent.sock")
        silent.listen(8)
        waiting = subprocess.Popen([build + "/warroom", "status", "--socket", d + "/silent.sock"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name, answer in answers.items():
            s = socket.socket(socket.AF_UNIX)
            s.bind("%s/%s.sock" % (d, name))
            s.listen(8)

            def serve(s=s, answer=answer):
                try:
                    while True:
                        c, _ = s.accept()
                        c.recv(65536)
                        c.sendall(answer)
                        c.close()
                except OSError:
                    pass
            threading.Thread(target=serve, daemon=True).start()
            for args in (["status"], ["ledger", "tail"], ["pending"]):
                r = Run(build, [*args, "--socket", "%s/%s.sock" % (d, name)])
                expect(r.code in (1, 2, 3) and r.err.count("\n") == 1 and "\x1b" not in r.err, r)
                expect(name + ".sock" in r.err or name == "status", r, "says where")
            s.close()
        out, err = waiting.communicate(timeout=LIMIT_S)
        expect(waiting.returncode == 3 and not out and "does not answer" in err, "exit %d: %s" % (waiting.returncode, err))
        silent.close()
    finally:
        shutil.rmtree(d)


def nothing_there(build):
    """Every verb in an empty directory, without an engine, with operands that name nothing: an error that is clear, and nothing is made."""
    d = tempfile.mkdtemp(prefix="warroom-cli.")
    try:
        for verb, sub, operands in verbs(build):
            if verb in ("version", "help", "demo"):
                continue
            given = ["/nowhere/%d" % i for i in range(len(operands.split()) + 1)]
            for n in range(0 if verb == "ledger" else 1, len(given) + 1):
                args = [*words(verb, sub), *given[:n], "--socket", d + "/none.sock"]
                if args[:2] == ["key", "new"]:
                    continue
                r = Run(build, args, cwd=d)
                if verb == "config" and n == 1:
                    expect(r.code == 2 and "/nowhere/0" in r.out, r)
                    continue
                expect(r.code in (1, 2, 3) and r.err.startswith(("warroom: ", "/nowhere/")) and r.err.count("\n") == 1, r)
                expect(r.code != 1, r, "what cannot be read is no answer")
                m = Run(build, [*args, "--json"], cwd=d)
                # What is wrong in a profile is said as findings, a line each.
                expect(m.code == r.code and (json.loads(m.out) and not m.err if r.err.startswith("warroom: ") else m.err == r.err), m)
                expect(not os.listdir(d), r, "something was made: %s" % os.listdir(d))
    finally:
        shutil.rmtree(d)


def parts_of_two(s, count):
    """An engine that gives two receipts at a time, whatever it is asked for."""
    try:
        while True:
            c, _ = s.accept()
            first = int(re.search(rb"from=(-?\d+)", c.recv(65536)).group(1))
            first = max(0, count + first) if first < 0 else first
            seqs = list(range(first, min(first + 2, count)))
            body = json.dumps({"receipts": [{"seq": n, "timestamp": "2026-01-01T00:00:00.000000Z", "operation": "x"} for n in seqs],
                               "texts": ["text %d" % n for n in seqs], "head": {"count": count, "hash": ""}}).encode()
            c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            c.close()
    except OSError:
        pass


def a_tail_in_parts(build):
    """An answer may hold less than was asked for: the newest receipts are shown all the same."""
    d = tempfile.mkdtemp(prefix="warroom-cli.")
    try:
        for count, asked in ((0, 20), (1, 20), (7, 5), (7, 20), (8, 1)):
            with socket.socket(socket.AF_UNIX) as s:
                path = "%s/%d-%d.sock" % (d, count, asked)
                s.bind(path)
                s.listen(8)
                threading.Thread(target=parts_of_two, args=(s, count), daemon=True).start()
                wanted = list(range(max(0, count - asked), count))
                r = Run(build, ["ledger", "tail", "-n", str(asked), "--socket", path])
                expect(r.code == 0 and [int(x.split()[0]) for x in r.out.splitlines()] == wanted, r)
                r = Run(build, ["ledger", "tail", "-n", str(asked), "--json", "--socket", path])
                expect(r.code == 0 and [x["seq"] for x in json.loads(r.out)] == wanted, r)
    finally:
        shutil.rmtree(d)


BASE = """platform: tiny
observer: here
regions:
  - {name: a, role: primary, residency: eu}
  - {name: b, role: standby, residency: eu}
services:
  - {name: app, rto: 30m, rpo: 1m}
signals:
  - {name: "${region}-health", regions: all, class: synthetic, http: "http://127.0.0.1:9/health"}
traffic:
  - {name: edge, provider: http, url: "http://127.0.0.1:9/traffic"}
"""
STEP = """runbooks:
  - name: away
    kind: failover
    steps:
      - {name: one, phase: shift, class: idempotent, %s}
"""
SHIFT = 'traffic: {provider: edge, weights: {"${from}": %d, "${to}": 100}}'
LINES = BASE.count("\n")
BAD = {  # name: (text or bytes, line, what the error says)
    "empty": ("", 1, "empty"),
    "blank": ("\n\n# nothing\n", None, ""),
    "binary": (bytes(range(128, 256)) * 40, 1, "UTF-8"),
    "nul": (BASE + "observer: \0\n", LINES + 1, ""),
    "cyclic": (BASE + "vars: &v {x: *v}\n", LINES + 1, "anchors"),
    "laughs": (BASE + "vars:\n  a: &a [x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n", LINES + 2, "anchors"),
    "duplicate": (BASE + "platform: again\n", LINES + 1, "already given in line 1"),
    "unknown": (BASE + "frobnicate: 3\n", LINES + 1, "unknown key"),
    "step": (BASE + STEP % "teleport: {to: moon}", LINES + 5, "unknown key"),
    "weights": (BASE + STEP % (SHIFT % 10), LINES + 5, "sum to 100"),
    "region": (BASE.replace("regions: all", "region: mars"), 9, 'unknown region "mars"'),
    "no regions": (re.sub(r"regions:\n(  - .*\n){2}", "", BASE, count=1), None, "region"),
    "no primary": (BASE.replace("role: primary", "role: standby"), None, "primary"),
    "not yaml": (BASE + "signals: [{\n", LINES + 1, ""),
    "tag": (BASE + "vars: !!python/object:os.system {}\n", LINES + 1, ""),
    "duration": (BASE.replace("rto: 30m", "rto: soon"), 7, "soon"),
    "two documents": (BASE + "---\n" + BASE, None, ""),
    "deep": (BASE + "vars: " + "[" * 20000 + "\n", LINES + 1, ""),
    "long line": (BASE + "vars: {x: " + "y" * 900000 + "}\n", LINES + 1, ""),
}


def tree(d):
    """Everything below d with mode, size and content (of a sparse file: its size)."""
    found = {}
    for root, dirs, files in os.walk(d):
        for name in dirs + files:
            path = os.path.join(root, name)
            st = os.lstat(path)
            small = stat.S_ISREG(st.st_mode) and st.st_size < 4 << 20
            with open(path, "rb") if small else open(os.devnull, "rb") as f:
                found[path] = (st.st_mode, st.st_size, st.st_mtime_ns, hashlib.sha256(f.read()).hexdigest())
    return found


def refuse(build, path, line, text):
    before = tree(os.path.dirname(path))
    where = os.path.basename(path) + ("" if line is None else ":%d:" % line)
    for program, args in (("warroom", ["config", "check", path]), ("warroom", ["config", "check", "--config", path]),
                          ("warroomd", ["--check", "--config", path]), ("warroomd", ["--config", path])):
        r = Run(build, args, program, cwd=os.path.dirname(path))
        both = r.out + r.err
        expect(r.code == 2, r)
        expect(any(where in x and text in x for x in both.split("\n")), r, "wanted %s … %s" % (where, text))
        expect(len(both) < 100000 and "\x1b" not in both and r.kb < LIMIT_KB, r, "%d KB" % r.kb)
    r = Run(build, ["config", "check", path, "--json"])
    findings = json.loads(r.out)
    expect(r.code == 2 and findings["errors"] >= 1, r)
    expect(any(f["severity"] == "error" and path in f["file"] and (line is None or f["line"] == line) and text in f["text"]
               for f in findings["findings"]), r)
    expect(tree(os.path.dirname(path)) == before, path, "something was changed")


def bad_configurations(build):
    d = tempfile.mkdtemp(prefix="warroom-cli.")
    try:
        path = d + "/good.yaml"
        with open(path, "w") as f:
            f.write(BASE)
        for args, env in ((["config", "check", path], {}), (["config", "check", "-c", path], {}), (["config", "check"], {"WARROOM_CONFIG": path})):
            r = Run(build, args, env=env, cwd="/")
            expect(r.code == 0 and path + ": 0 errors" in r.out, r, "the base of the bad ones is good")
        for name, (text, line, says) in BAD.items():
            path = "%s/%s.yaml" % (d, name)
            with open(path, "wb") as f:
                f.write(text.encode() if isinstance(text, str) else text)
            refuse(build, path, line, says)
            os.unlink(path)
        path = d + "/sparse.yaml"
        with open(path, "wb") as f:
            f.truncate(100 << 20)
        refuse(build, path, None, "larger than")
        path = d + "/open.yaml"
        with open(path, "w") as f:
            f.write(BASE)
        os.chmod(path, 0o666)
        refuse(build, path, None, "others can write")
        os.mkdir(d + "/directory.yaml")
        refuse(build, d + "/directory.yaml", None, "not a regular file")
        os.mkfifo(d + "/fifo.yaml")
        refuse(build, d + "/fifo.yaml", None, "")
        refuse(build, d + "/none.yaml", None, "No such file")
    finally:
        shutil.rmtree(d)


def with_passphrase(d, text, mode=0o600):
    path = d + "/passphrase"
    with open(path, "wb") as f:
        f.write(text)
    os.chmod(path, mode)
    return {"WARROOM_PASSPHRASE_FILE": path}


def key_refusals(build):
    d = tempfile.mkdtemp(prefix="warroom-cli.")
    try:
        good = b"a good passphrase\n"
        r = Run(build, ["key", "new", "alice", d + "/alice.key"], env=with_passphrase(d, good))
        expect(r.code == 0 and re.search(r"^alice namespaces=\"warroom-approval\" ssh-ed25519 \S+$", r.out, re.M), r)
        expect(stat.S_IMODE(os.stat(d + "/alice.key").st_mode) == 0o600, r)
        with open(d + "/alice.key", "rb") as f:
            before = f.read()
        r = Run(build, ["key", "new", "alice", d + "/alice.key"], env=with_passphrase(d, good))
        expect(r.code == 2 and "never overwritten" in r.err and "alice.key" in r.err, r)
        with open(d + "/alice.key", "rb") as f:
            expect(f.read() == before, r)
        os.symlink(d + "/elsewhere", d + "/link.key")
        os.mkdir(d + "/directory.key")
        for target, text, says in ((d + "/none/x.key", good, "none/x.key"), ("/proc/x.key", good, "/proc/x.key"),
                                   (d + "/link.key", good, "link.key"), (d + "/directory.key", good, "directory.key"),
                                   (d + "/x.key", b"", "at least 8"), (d + "/x.key", b"\n", "at least 8"), (d + "/x.key", b"seven77\n", "at least 8"),
                                   (d + "/x.key", b"p" * 5000 + b"\n", ""), (d + "/" + "n" * 300, good, "too long")):
            r = Run(build, ["key", "new", "bob", target], env=with_passphrase(d, text))
            expect(r.code == 2 and says in r.err and r.err.startswith("warroom: ") and r.err.count("\n") == 1 and not r.out, r)
            expect(not os.path.isfile(target) and not os.path.exists(d + "/elsewhere"), r)
        os.mkdir(d + "/closed", 0o500)
        if os.geteuid() != 0:  # nothing is closed for root
            r = Run(build, ["key", "new", "bob", d + "/closed/x.key"], env=with_passphrase(d, good))
            expect(r.code == 2 and "closed/x.key" in r.err and not os.listdir(d + "/closed"), r)
        r = Run(build, ["key", "new", "bob", d + "/x.key"], env=with_passphrase(d, good, 0o644))
        expect(r.code == 2 and "passphrase" in r.err and not os.path.exists(d + "/x.key"), r, "a passphrase that others can read")
        r = Run(build, ["key", "new", "bob", d + "/x.key"])
        expect(r.code == 2 and "no terminal" in r.err and not os.path.exists(d + "/x.key"), r)
        for name in ("", "a b", "a/b", "-", "é", "n" * 64):
            r = Run(build, ["key", "new", "--", name, d + "/x.key"], env=with_passphrase(d, good))
            expect(r.code == 2 and not os.path.exists(d + "/x.key"), r)
        r = Run(build, ["key", "show", d + "/alice.key", "--json"])
        expect(r.code == 0 and json.loads(r.out)["principal"] == "alice", r)
        for bad in ("none", "passphrase", "directory.key"):
            r = Run(build, ["key", "show", d + "/" + bad])
            expect(r.code == 2 and bad in r.err and good.decode().strip() not in r.err, r)
    finally:
        shutil.rmtree(d)


def type_at(build, args, env, typed):
    """Runs a verb on a terminal of its own and types there; (exit code, all that the terminal showed)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(build + "/warroom", ["warroom", *args], dict(os.environ, **env))
    seen = b""
    echo = termios.tcgetattr(fd)[3] & termios.ECHO
    for prompt, answer in typed:
        while prompt not in seen:
            seen += os.read(fd, 4096)
        assert not termios.tcgetattr(fd)[3] & termios.ECHO, "typed blind"
        os.write(fd, answer)
    try:
        while chunk := os.read(fd, 4096):
            seen += chunk
    except OSError:
        pass
    assert echo and termios.tcgetattr(fd)[3] & termios.ECHO, "the echo is back"
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode(errors="replace")


def typed_passphrases(build):
    d = tempfile.mkdtemp(prefix="warroom-cli.")
    try:
        env = {"WARROOM_PASSPHRASE_FILE": "", "LC_ALL": "C.UTF-8"}
        for first, second, says in ((b"correct horse\n", b"correct horsf\n", "differ"), (b"short\n", None, "at least 8")):
            typed = [(b"New passphrase: ", first)] + ([(b"Once more: ", second)] if second else [])
            code, seen = type_at(build, ["key", "new", "eve", d + "/eve.key"], env, typed)
            assert code == 2 and says in seen and "horse" not in seen and not os.path.exists(d + "/eve.key"), seen
        for keys in (b"\x03", b"half of it\x03", b"\x1c", b"\x1a"):
            code, seen = type_at(build, ["key", "new", "eve", d + "/eve.key"], env, [(b"New passphrase: ", keys)])
            assert code != 0 and "interrupted" in seen and "half" not in seen and not os.path.exists(d + "/eve.key"), (code, seen)
        long = b"p" * 200
        code, seen = type_at(build, ["key", "new", "eve", d + "/eve.key"], env, [(b"New passphrase: ", long * 10 + b"\n")])
        assert code == 2 and "at most" in seen and not os.path.exists(d + "/eve.key"), seen
        code, seen = type_at(build, ["key", "new", "eve", d + "/eve.key"], env, [(b"New passphrase: ", b"correct horse\n"), (b"Once more: ", b"correct horse\n")])
        assert code == 0 and "horse" not in seen and os.path.exists(d + "/eve.key"), seen
    finally:
        shutil.rmtree(d)


def output_that_cannot_be_written(build):
    for args in (["help"], ["version"], ["ledger", "--help"], ["version", "--json"]):
        with open("/dev/full", "w") as full:
            p = subprocess.run([build + "/warroom", *args], stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
        expect(p.returncode == 2 and "No space left" in p.stderr, "%s: exit %d, %s" % (args, p.returncode, p.stderr))


main([help_of_every_verb, every_verb_is_in_the_manual, wrong_options, options_stand_anywhere, no_engine, strange_engines, nothing_there, a_tail_in_parts, bad_configurations, key_refusals, typed_passphrases, output_that_cannot_be_written])
