"""A program in a terminal of its own (tmux), its screen read as text. Everything is waited for, nothing slept for."""

import os
import shlex
import subprocess
import time

PATIENCE = 30.0  # seconds for anything: only a failure takes so long


class Gone(AssertionError):
    pass


class Terminal:
    """One tmux server with one window. `command` runs in it under sh, which says when and how it ended."""

    count = 0

    def __init__(self, argv, width=80, height=24, env=None, term="xterm-256color"):
        Terminal.count += 1
        self.name = f"warroom-{os.getpid()}-{Terminal.count}"
        variables = {"TERM": term, "LC_ALL": "C.UTF-8", "NO_COLOR": "", "WARROOM_THEME": "", **(env or {})}
        line = "exec 2>&1; env " + " ".join(f"{k}={shlex.quote(v)}" for k, v in variables.items())
        line += " " + " ".join(shlex.quote(a) for a in argv) + "; echo \"ended with $?\"; "
        # In one line, so that it is seen whole on the smallest screen.
        line += "stty -a | grep -owE -- '-?(icanon|echo)' | tr '\\n' ' '; exec sleep 1000"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), line)
        self.tmux("set", "-g", "status", "off")
        self.tmux("set", "-g", "escape-time", "0")
        self.resize(width, height)

    def tmux(self, *args):
        return subprocess.run(["tmux", "-L", self.name, *args], check=True, capture_output=True, text=True,
                              encoding="utf-8", errors="replace").stdout

    def text(self):
        return self.tmux("capture-pane", "-p")

    def colours(self):
        return self.tmux("capture-pane", "-p", "-e")

    def show(self, what):
        return self.tmux("display-message", "-p", what).strip()

    def keys(self, *keys):
        """Named keys (Enter, Escape, C-c) or single characters, as tmux names them."""
        if keys == ("Enter",):
            # Nobody's Enter follows their text within 4 ms, and one that does is refused as pasted. The text before it has
            # been waited for on the screen, so that this is a longer time than that, however busy the machine is.
            time.sleep(0.02)
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", "--", text)

    def paste(self, text):
        """As a terminal pastes: bracketed, if the program asked for that."""
        self.tmux("set-buffer", "--", text)
        self.tmux("paste-buffer", "-p", "-r")

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def pid(self, program):
        """The program's process, below the window's shell."""
        shell = self.show("#{pane_pid}")
        out = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", shell], check=False, capture_output=True, text=True)
        for line in out.stdout.splitlines():
            pid, comm = line.split(None, 1)
            if comm.strip() == program:
                return int(pid)
        raise Gone(f"{program} does not run:\n{self.text()}")

    def until(self, test, what):
        """Waits until test(screen) is true; returns its value."""
        end = time.monotonic() + PATIENCE
        while True:
            screen = self.text()
            value = test(screen)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come; the screen:\n{screen}")
            time.sleep(0.03)

    def wait(self, *texts):
        return self.until(lambda s: all(t in s for t in texts), " and ".join(repr(t) for t in texts))

    def wait_gone(self, text):
        return self.until(lambda s: text not in s, f"the end of {text!r}")

    def close(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], check=False, capture_output=True)
