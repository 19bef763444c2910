#!/usr/bin/env python3
"""The screen from end to end: the real program in tmux against an engine that plays recorded states.

usage: test_screen.py BUILD [NAME…]    prints a line for each case; exit 0 only if all passed
"""

import copy
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback
import fcntl

from fake_engine import Engine, load
from terminal import Terminal

PASSPHRASES = {"alice": "orange harbour", "bob": "stille wiese ü"}
CASES = []


def case(f):
    CASES.append(f)
    return f


class World:
    """What a case needs: an engine, terminals, keys; all gone afterwards."""

    keys = None

    def __init__(self, build, directory):
        self.build, self.dir = build, directory
        self.warroom = os.path.join(build, "warroom")
        self.engines, self.terminals = [], []

    def engine(self, state="quiet"):
        e = Engine(os.path.join(self.dir, f"{len(self.engines)}-{id(self) % 9973}.sock"), state)
        self.engines.append(e)
        return e

    def screen(self, engine, *options, **kw):
        t = Terminal([self.warroom, "--socket", engine.path, *options], **kw)
        self.terminals.append(t)
        return t

    def with_keys(self, engine):
        if World.keys is None:
            World.keys = {}
            for name, secret in PASSPHRASES.items():
                path, file = os.path.join(self.dir, name + ".key"), os.path.join(self.dir, name + ".pass")
                with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
                    f.write(secret)
                subprocess.run([self.warroom, "key", "new", name, path], check=True, stdout=subprocess.DEVNULL,
                               env={**os.environ, "WARROOM_PASSPHRASE_FILE": file})
                World.keys[name] = path
        engine.use_keys(World.keys)
        return engine

    def close(self):
        for t in self.terminals:
            t.close()
        for e in self.engines:
            e.set_mode("ok")
            if os.path.exists(e.path):
                e.die()


def ended(t, code=0):
    t.wait(f"ended with {code}")
    assert t.show("#{alternate_on}") == "0", "the alternate screen is still on"
    assert t.show("#{cursor_flag}") == "1", "the cursor is still hidden"
    t.wait("icanon", "echo")
    screen = t.text()
    assert "-icanon" not in screen and "-echo " not in screen, "the terminal is still raw:\n" + screen


def fill_first(t, reason=None):
    """The first page: the person is chosen already; a reason, perhaps."""
    t.wait("who signs")
    t.keys("Enter")
    if reason:
        t.type(reason)
        t.wait(reason)
        t.keys("Enter")
    t.wait("read aloud", "passphrase of")


def sign(t, region, secret):
    if region:
        t.type(region)
        t.until(lambda s: any("type the" in line and region in line.split("type the", 1)[1] for line in s.splitlines()),
                "the typed region")
        t.keys("Enter")
    t.type(secret)
    t.wait("(typed blind)")
    assert secret not in t.text(), "the passphrase shows"
    t.keys("Enter")


@case
def starts_and_quits(w):
    t = w.screen(w.engine())
    t.wait("all quiet", "us-central1", "NOW nothing to do", "q quit")
    t.keys("q")
    ended(t)


@case
def every_view_by_its_key(w):
    t = w.screen(w.engine("running"))
    t.wait("op-1 failover")
    for key, title in [("1", "Signals and facts"), ("2", "2 Replication"), ("3", "3 Quota"), ("4", "4 Receipts"),
                       ("5", "Steps"), ("l", "4 Receipts"), ("o", "Steps"), ("w", "why not"), ("?", "Help"),
                       ("F1", "Help")]:
        t.keys(key)
        t.until(lambda s, title=title: title in s and "5 Next" not in s, f"the view of {key}")
        t.keys("q")
        t.wait("5 Next")
    t.keys("w")
    t.wait("why not")
    t.keys("Tab")
    t.keys("p")
    t.wait("What a failover would do", "step-1")
    t.keys("q")
    t.wait("why not")
    t.keys("Escape")
    t.wait("5 Next")
    t.keys("Escape")
    t.wait("q quits")
    t.keys("Enter")
    t.wait("Steps")
    t.keys("Enter")
    t.wait("The plan of op-1", "step-1")
    t.keys("C-c")
    ended(t)


@case
def receipts_are_opened_and_walked(w):
    e = w.engine("down")
    t = w.screen(e)
    t.wait("4 Receipts")
    t.keys("l")
    t.wait("guards_changed")
    t.keys("j", "j", "Enter")
    seq = t.until(lambda s: re.search(r"Receipt #(\d+)", s) and "test_receipt" in s and re.search(r"seq +(\d+)", s),
                  "the receipt")[1]
    t.keys("[")
    t.until(lambda s: re.search(rf"seq +{int(seq) - 1}\b", s), "the older receipt")
    t.keys("Right", "Right")
    t.until(lambda s: re.search(rf"seq +{int(seq) + 1}\b", s), "the newer receipt")
    t.keys("G")
    t.keys("q")
    t.wait("chain", "Receipt #")
    t.keys("q", "q")
    ended(t)


@case
def filter_shows_what_matches(w):
    t = w.screen(w.engine("blocked"))
    t.wait("5 block")
    t.keys("w", "/")
    t.type("quotas")
    t.keys("BSpace")
    t.keys("Enter")
    t.until(lambda s: "/quota: " in s and "residency" not in s, "the filtered list")
    t.keys("Escape")
    t.wait("runbook")
    t.keys("q", "q")
    ended(t)


@case
def sizes_while_it_runs(w):
    t = w.screen(w.engine("running"))
    t.wait("NOW")
    t.resize(120, 40)
    t.until(lambda s: len(s.splitlines()[2].rstrip()) == 120 and "us-central1-health" in s, "the wide screen")
    t.resize(200, 60)
    t.until(lambda s: len(s.splitlines()[2].rstrip()) == 200, "the widest screen")
    t.resize(40, 10)
    t.wait("needs 60x16; this is 40x10")
    t.resize(20, 5)
    t.wait("20x5")
    t.resize(80, 24)
    t.wait("1 Regions", "5 Next")
    t.resize(40, 10)
    t.wait("quits.")
    t.keys("q")
    ended(t)


@case
def proposes_with_a_sealed_key(w):
    e = w.with_keys(w.engine("down"))
    e.on_sign["approve"] = "proposed"
    t = w.screen(e)
    t.wait("press f: propose the failover")
    t.keys("f")
    fill_first(t, "us-central1 ist dunkel, größer")
    t.wait("firewood-garlic-squadron-vivid-tumbler-team")
    t.resize(120, 40)
    t.until(lambda s: len(s.splitlines()[0].rstrip()) > 100 and "read aloud" in s, "the dialog on a wide screen")
    t.resize(40, 10)
    t.wait("needs 60x16")
    t.type("unseen")
    t.resize(80, 24)
    t.wait("read aloud")
    assert "unseen" not in t.text(), "keys were taken that nobody could see"
    t.keys("Tab", "x")
    t.wait("(typed blind)")
    t.keys("Enter")
    t.wait("type the target region first")
    t.keys("Tab", "C-u")
    t.wait_gone("(typed blind)")
    t.keys("BTab")
    sign(t, "europe-west1", "not it at all")
    t.wait("wrong passphrase; nothing was signed")
    assert not e.signed
    sign(t, None, PASSPHRASES["alice"])
    t.wait("op-1: approve by alice is recorded", "1 of 2 approved")
    assert e.signed == [("alice", "approve", "op-1")], e.signed
    t.keys("q")
    ended(t)


@case
def second_person_at_another_terminal(w):
    e = w.with_keys(w.engine("proposed"))
    e.on_sign["approve"] = "running"
    first, second = w.screen(e), w.screen(e, width=100, height=30)
    for t in (first, second):
        t.wait("press a to approve op-1")
    second.keys("a")
    second.wait("2 bob (on_call)")
    fill_first(second)
    sign(second, "europe-west1", PASSPHRASES["bob"])
    for t in (first, second):
        t.wait("2 of 2 approved", "running")
    assert e.signed == [("bob", "approve", "op-1")], e.signed


@case
def holds_and_ticks_and_rules(w):
    e = w.with_keys(w.engine("running"))
    t = w.screen(e)
    for state, key, decision, reason, region in [
            ("running", "h", "hold", "look first", None), ("held", "r", "resume", None, None),
            ("running", "x", "abort", "enough", "op-1"), ("manual", "t", "tick:call-the-provider", "done it", None),
            ("uncertain", "u", "rule:promote-postgres:done", None, "op-1")]:
        e.become(state)
        t.until(lambda s, key=key: re.search(rf"\b{key} (hold|resume|abort|tick off|rule)", s.splitlines()[-1]), state)
        t.keys(key)
        if key == "u":
            t.wait("who signs")
            t.keys("Enter", "Enter")
            t.wait("read aloud")
        else:
            fill_first(t, reason)
        operation = e.state["operations"][0]["id"]
        sign(t, operation if region else None, PASSPHRASES["alice"])
        t.wait(f"{operation}: {decision} by alice is recorded")
        assert e.signed[-1] == ("alice", decision, operation), e.signed
    t.keys("q")
    ended(t)


@case
def refusals_are_said(w):
    e = w.with_keys(w.engine("proposed"))
    t = w.screen(e)
    t.wait("d deny")
    t.keys("d")
    t.wait("reason")
    t.keys("Enter", "Enter")
    t.wait("say why in a few words")
    t.type("because")
    t.wait("because")
    t.keys("Enter")
    t.wait("O-TEST: this engine denies denials")
    t.keys("Escape")
    t.wait("cancelled; nothing was signed")
    t.keys("h")
    t.wait("nothing runs")
    assert not e.signed


@case
def engine_that_lies_gets_no_signature(w):
    e = w.with_keys(w.engine("running"))
    e.lie = "decision"
    t = w.screen(e)
    t.wait("h hold")
    t.keys("h")
    t.wait("who signs")
    t.keys("Enter")
    t.type("look first")
    t.wait("look first")
    t.keys("Enter")
    t.wait("does not say what was asked; nothing was")
    e.lie = "words"
    t.keys("Enter")
    t.wait("firewood-garlic-squadron-vivid-tumbler-team")
    t.type(PASSPHRASES["alice"])
    t.wait("(typed blind)")
    t.keys("Enter")
    t.wait("not accepted: the engine asks to sign something else")
    assert not e.signed


@case
def pasted_lines_sign_nothing(w):
    e = w.with_keys(w.engine("down"))
    t = w.screen(e)
    t.wait("press f")
    t.paste("fxaq\nq\n")  # outside dialogs pasted text is not keys
    t.keys("w")
    t.wait("guards hold; none blocks")
    t.keys("q")
    t.wait("press f")
    t.keys("f")
    t.wait("who signs")
    t.keys("Enter")
    t.paste("dark\nand silent\n")
    t.wait("darkand silent")
    t.keys("Enter")
    t.wait("read aloud")
    t.paste("europe-west1\n")
    t.wait("type it: what is pasted was not read")
    t.type("europe-west1")
    t.wait("europe-west1    ")
    t.keys("Enter")
    t.paste(PASSPHRASES["alice"] + "\n")
    t.wait("(typed blind)")
    t.keys("PPage")
    assert not e.signed
    # A terminal without bracketed paste: the Enter comes with the text.
    t.type("x\r")
    t.wait("that Enter came with the text")
    assert not e.signed
    t.keys("C-c")
    t.wait("cancelled; nothing was signed")
    t.keys("C-c")
    ended(t)


@case
def leaves_while_signing(w):
    e = w.with_keys(w.engine("running"))
    t = w.screen(e)
    t.wait("h hold")
    t.keys("h")
    fill_first(t, "look first")
    e.set_mode("hang")
    sign(t, None, PASSPHRASES["alice"])
    t.wait("unsealing the key")
    t.keys("C-c")
    t.wait("Ctrl-C again leaves")
    t.keys("C-c")
    ended(t)
    t.wait("a signature was on its way")


@case
def dead_engine_comes_back(w):
    e = w.engine("down")
    t = w.screen(e)
    t.wait("impact")
    e.die()
    age = t.until(lambda s: re.search(r"ENGINE GONE for 00:(\d\d)", s), "the banner")[1]
    clock = t.text().splitlines()[0].split()[-1]
    verified = t.until(lambda s: re.search(r"verified (\d+)s ago", s), "the age of the verification")[1]
    t.until(lambda s: int(re.search(r"ENGINE GONE for 00:(\d\d)", s)[1]) >= int(age) + 2, "a growing age")
    t.until(lambda s: int(re.search(r"verified (\d+)s ago", s)[1]) >= int(verified) + 2, "growing ages")
    assert t.text().splitlines()[0].split()[-1] == clock, "the clock of a dead engine runs"
    assert "us-central1" in t.text() and "no engine: nothing can be signed" in t.text()
    t.keys("f")
    t.wait("the engine is not reached")
    e.start()
    t.wait_gone("ENGINE GONE")
    e.become("quiet")
    t.wait("all quiet")
    t.keys("q")
    ended(t)


@case
def no_engine_at_all(w):
    t = Terminal([w.warroom, "--socket", os.path.join(w.dir, "nobody.sock")])
    w.terminals.append(t)
    t.wait("NO ENGINE YET: cannot reach the engine")
    t.keys("w", "o", "1", "2", "l", "p", "?")
    t.wait("Help")
    t.keys("C-c")
    ended(t)


@case
def engine_that_hangs_or_talks_rubbish(w):
    e = w.engine("down")
    t = w.screen(e)
    for mode, words in [("hang", "cannot reach"), ("garble", "the answer of"), ("half", "cannot reach")]:
        t.wait("impact")
        t.wait_gone("ENGINE GONE")
        e.set_mode(mode)
        t.wait("ENGINE GONE", words)
        e.set_mode("ok")
    t.wait_gone("ENGINE GONE")
    e.become({"rev": 1, "regions": "none", "actions": 7, "operations": {"a": 1}, "ledger": []})
    t.wait("no regions")
    t.keys("q")
    ended(t)


@case
def signals_restore_the_terminal(w):
    e = w.engine("running")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        t = w.screen(e)
        t.wait("NOW")
        os.kill(t.pid("warroom"), number)
        ended(t)


@case
def suspends_and_goes_on(w):
    e = w.engine("running")
    t = Terminal(["sh", "-i"], env={"PS1": "prompt> ", "ENV": ""})
    w.terminals.append(t)
    t.wait("prompt>")
    t.type(f"{w.warroom} --socket {e.path}")
    t.keys("Enter")
    t.wait("NOW")
    t.keys("C-z")
    t.until(lambda s: "prompt>" in s and t.show("#{alternate_on}") == "0", "the shell")
    t.type("fg")
    t.keys("Enter")
    t.until(lambda s: "NOW" in s and t.show("#{alternate_on}") == "1", "the screen again")
    t.keys("q")
    t.until(lambda s: t.show("#{alternate_on}") == "0", "the end")


@case
def read_only_changes_nothing(w):
    e = w.with_keys(w.engine("down"))
    t = w.screen(e, "--read-only")
    t.wait("[read-only]", "propose the failover")
    assert "press f" not in t.text() and "f failover" not in t.text()
    t.keys("f")
    t.wait("read-only: this screen changes nothing")
    e.become("proposed")
    t.wait("op-1 waits for one on_call")
    for key in "abdhrxtu":
        t.keys(key)
    t.wait("read-only: this screen changes nothing")
    assert "who signs" not in t.text()
    t.keys("q")
    ended(t)


@case
def hostile_five_megabytes(w):
    state = load("hostile")
    state["operations"] = [copy.deepcopy(state["operations"][0]) for _ in range(10)]
    state["operations"][0]["steps"] = [dict(copy.deepcopy(state["operations"][0]["steps"][i % 13]), index=i,
                                            name=f"\x1b]0;owned\x07{i}") for i in range(3000)]
    state["regions"] = [copy.deepcopy(state["regions"][i % 2]) for i in range(300)]
    state["filler"] = "\x1b[2J\u202e" * 400000
    assert len(json.dumps(state)) > 5_000_000
    e = w.engine(state)
    t = w.screen(e)
    t.wait("5 Next")
    for key in ("o", "j", "G", "1", "G", "w", "l", "2", "p"):
        t.keys(key)
    t.keys("q")
    t.resize(60, 16)
    t.until(lambda s: all(len(line) <= 60 for line in s.splitlines()), "the small screen")
    t.keys("q", "q")
    t.until(lambda s: "ended with" in s or t.keys("q"), "the end")
    assert "owned" not in t.show("#{pane_title}"), "the title was set from outside"


@case
def unknown_keys_do_nothing(w):
    t = w.screen(w.engine("running"))
    t.wait("NOW")
    t.keys("M-x", "M-q", "F13", "S-F5", "C-Up", "M-Enter", "IC")
    t.type("\x1b[200;5;99~")
    t.keys("w")
    t.wait("why not")
    assert "who signs" not in t.text()
    t.keys("z")
    t.wait("that key does nothing here")


@case
def freezes_the_picture(w):
    e = w.engine("down")
    t = w.screen(e)
    t.wait("impact")
    t.keys("Z")
    frozen = t.wait("FROZEN") and t.text()
    e.become("quiet")
    t.keys("f")
    t.wait("the picture is frozen")
    t.keys("C-l")
    t.until(lambda s: "f failover" not in s, "no failover from a frozen picture")
    assert t.text().splitlines()[1:5] == frozen.splitlines()[1:5]
    t.keys("Z")
    t.wait("all quiet")


@case
def ascii_and_colours(w):
    e = w.engine("blocked")
    coloured = re.compile(r"\x1b\[[0-9;]*(3[0-8]|4[0-8]|9[0-7])[;m]")
    for name, options, env, term, plain, mono in [
            ("--ascii", ["--ascii"], {}, "xterm-256color", True, False),
            ("LC_ALL=C", [], {"LC_ALL": "C"}, "xterm-256color", True, False),
            ("NO_COLOR", [], {"NO_COLOR": "1"}, "xterm-256color", False, True),
            ("xterm", [], {}, "xterm", False, False), ("screen", [], {}, "screen", False, False),
            ("linux", [], {}, "linux", False, False), ("vt100", [], {}, "vt100", False, True),
            ("tmux-256color", [], {}, "tmux-256color", False, False),
            *[(f"theme {n}", ["--theme", n], {}, "xterm-256color", False, n == "mono")
              for n in ("dark", "light", "high-contrast", "colour-blind", "mono", "paper")]]:
        t = w.screen(e, *options, env=env, term=term)
        t.wait("5 block", "DOWN", "q quit")
        screen, sgr = t.text(), t.colours()
        assert screen.isascii() == plain, f"{name}: ASCII\n{screen}"
        assert bool(coloured.search(sgr)) != mono, f"{name}: colours"
        t.keys("q")
        ended(t)
        t.close()


@case
def no_screen_for_it(w):
    e = w.engine()
    t = w.screen(e, term="dumb")
    t.wait("TERM=dumb cannot carry a screen", "ended with 2")
    t = w.screen(e, term="no-such-terminal")
    t.wait("is not known here", "ended with 2")
    out = subprocess.run([w.warroom, "--socket", e.path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         check=False)
    assert out.returncode == 2 and "no terminal" in out.stderr, out
    t = w.screen(e, "--theme", "nonsense")
    t.wait('no theme "nonsense"', "ended with 2")


class Pty:
    """The program on a pseudo-terminal whose every byte is counted."""

    def __init__(self, argv, width=80, height=24):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
            os.execv(argv[0], argv)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read_until(self, test, what):
        data, end = b"", time.monotonic() + 30
        while not test(data):
            assert time.monotonic() < end, f"{what} did not come: {data[-300:]}"
            if select.select([self.fd], [], [], 0.2)[0]:
                data += os.read(self.fd, 65536)
        return data

    def wait_for_silence(self, seconds):
        end, data = time.monotonic() + 30, b""
        while select.select([self.fd], [], [], seconds)[0]:
            data = os.read(self.fd, 65536)
            assert time.monotonic() < end, f"a picture that does not change still writes: {data[:200]}"

    def cpu_ticks(self):
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def close(self):
        try:
            os.close(self.fd)
        except OSError:
            pass
        os.waitpid(self.pid, 0)


@case
def few_bytes_when_little_changes(w):
    e = w.engine("down")
    p = Pty([w.warroom, "--socket", e.path])
    p.read_until(lambda d: b"q" in d and b"quit" in d, "the first picture")
    p.wait_for_silence(0.4)
    # Each tick of the clock, in the first row, costs the seconds that changed, here and there.
    before = p.cpu_ticks()
    ticks = p.read_until(lambda d: d.count(b"\x1b[1;") >= 5, "five ticks of the clock")
    assert len(ticks) < 5 * 500, ticks
    print(f"    {len(ticks) // 5} bytes a second, {p.cpu_ticks() - before} hundredths of a second of CPU in five")
    os.write(p.fd, b"Z")
    p.read_until(lambda d: b"FROZEN" in d, "the frozen picture")
    p.wait_for_silence(2.5)
    os.write(p.fd, b"q")
    p.close()


@case
def terminal_that_vanishes(w):
    e = w.engine("down")
    p = Pty([w.warroom, "--socket", e.path])
    p.read_until(lambda d: b"quit" in d, "the first picture")
    p.close()  # returns when the program has ended


def main():
    build, only = os.path.abspath(sys.argv[1]), sys.argv[2:]
    failed = 0
    directory = tempfile.mkdtemp(prefix="wr-")
    try:
        for f in CASES:
            if only and f.__name__ not in only:
                continue
            world = World(build, directory)
            try:
                f(world)
                print(f"ok      {f.__name__.replace('_', ' ')}", flush=True)
            except Exception:  # noqa: every failure is a case that failed
                failed += 1
                print(f"FAILED  {f.__name__.replace('_', ' ')}\n{traceback.format_exc()}", flush=True)
            finally:
                world.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
