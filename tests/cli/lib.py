"""Running the command line as people and scripts do, and reading its own help for what there is to try."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import traceback

LIMIT_S = 60  # only so that a broken test ends


class Run:
    """A program that ended: code, out, err, and the most memory it had."""

    def __init__(self, build, args, program="warroom", env=None, cwd=None, stdin=b"", limits=None):
        base = {k: v for k, v in os.environ.items() if not k.startswith("WARROOM_") and k not in ("NO_COLOR", "USER")}
        base.update({"LC_ALL": "C.UTF-8"}, **(env or {}))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as inp:
            inp.write(stdin)
            inp.seek(0)
            p = subprocess.Popen([build + "/" + program, *args], stdin=inp, stdout=out, stderr=err, env=base, cwd=cwd,
                                 start_new_session=True, preexec_fn=limits)
            signal.signal(signal.SIGALRM, lambda *_: p.kill())
            signal.alarm(LIMIT_S)
            _, status, usage = os.wait4(p.pid, 0)
            signal.alarm(0)
            p.returncode = self.code = os.waitstatus_to_exitcode(status)
            self.kb = usage.ru_maxrss
            out.seek(0)
            err.seek(0)
            self.out, self.err = out.read().decode(errors="replace"), err.read().decode(errors="replace")
        self.what = "%s %s: exit %s\n%s%s" % (program, " ".join(args), self.code, self.out[-2000:], self.err[-2000:])


def expect(condition, run, why=""):
    if not condition:
        raise AssertionError("%s\n%s" % (why, run.what if isinstance(run, Run) else run))


def rows(text):
    """The names in a list of verbs: what is indented by exactly two blanks."""
    return re.findall(r"^  ([a-z][\w-]*)", text, re.M)


def verbs(build):
    """[(verb, sub-verb or "", operands)] as the help lists them."""
    found = []
    for name in rows(Run(build, ["help"]).out.split("\nOptions")[0]):
        text = Run(build, [name, "--help"]).out.split("\nCommon options")[0]
        subs = rows(text.split("\nVerbs:\n")[1]) if "\nVerbs:\n" in text else [""]
        for sub in subs:
            usage = Run(build, [*words(name, sub), "--help"]).out.split("\n")[0]
            found.append((name, sub, usage[len("usage: warroom " + " ".join(words(name, sub))):].strip()))
    assert len(found) > 20 and ("ledger", "verify", "PATH") in found, found
    return found


def words(verb, sub):
    return [verb, sub] if sub else [verb]


def options(build, verb, sub):
    """[(option with dashes, needs a value)] of a verb's own."""
    text = Run(build, words(verb, sub) + ["--help"]).out.split("\nCommon options")[0]
    part = text.split("\nOptions:\n")[1] if "\nOptions:\n" in text else ""
    return [(o, bool(v)) for o, v in re.findall(r"^  (-[\w-]+)(?: (\S+))?(?:  |$)", part, re.M)]


def main(cases):
    """Runs the cases, or those that are named; says which failed; exits 0 only if none did."""
    build, chosen, failed = os.path.abspath(sys.argv[1]), sys.argv[2:], 0
    name = os.path.basename(sys.argv[0])[:-3]
    for c in cases:
        if chosen and c.__name__ not in chosen:
            continue
        try:
            c(build)
            print("%s: ok %s" % (name, c.__name__), flush=True)
        except Exception as e:  # noqa: say it and go on with the next
            failed += 1
            traceback.print_exc()
            print("%s: FAILED %s: %s" % (name, c.__name__, e), flush=True)
    sys.exit(1 if failed else 0)
