import io
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout

from expects import contain, equal, expect, have_len, raise_error
from mamba import description, it

from playbooks.commands.state.watch import INTERRUPTED, watch
from playbooks.core.errors import ClusterUnavailable
from playbooks.deployment.errors import DeploymentError
from specs.support.processes import ROOT, ahead, let_ctrl_c_arrive

# Watches a text of 100 lines, as ``--watch`` does.
PROGRAM = """
import time
from playbooks.commands.state.watch import watch
raise SystemExit(watch(lambda: "\\n".join(f"line {n}" for n in range(100)), sleep=time.sleep))
"""


def looks(*found):
    """Each in turn, then Ctrl-C."""
    left = list(found)

    def look():
        if not left:
            raise KeyboardInterrupt
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return look


def watched(*found):
    with redirect_stdout(io.StringIO()) as out:
        code = watch(looks(*found), sleep=lambda seconds: None)
    expect(code).to(equal(INTERRUPTED))
    return out.getvalue()


def on_a_terminal(environ):
    """What the terminal of 24 lines gets until Ctrl-C, what the program says beside, and its
    code."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**environ, "TERM": "xterm", "LINES": "24", "COLUMNS": "80", "NO_COLOR": ""},
        stdout=slave,
        preexec_fn=let_ctrl_c_arrive,
        stderr=subprocess.PIPE,
    )
    os.close(slave)
    shown = b""
    until = time.monotonic() + 60
    while b"more lines" not in shown and time.monotonic() < until:
        shown += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
    os.close(master)
    return shown.decode(), err.decode(), process.returncode


ON_A_TERMINAL = ahead(on_a_terminal, {**os.environ})

with description("Watching, where the output is no terminal") as self:
    with it("prints what changed, as plain text, until Ctrl-C"):
        expect(watched("one", "one", "two")).to(equal("one\n\ntwo\n"))

    with it("goes on after an error, and shows it"):
        expect(watched("one", ClusterUnavailable("no answer"), "one")).to(
            equal("one\n\nerror: no answer\n\none\n")
        )

    with it("ends with the error of the first look"):
        expect(lambda: watch(looks(DeploymentError("none")), sleep=lambda _: None)).to(
            raise_error(DeploymentError)
        )


with description("Watching, on a terminal") as self:
    with it("shows no more than the window takes, and leaves the terminal as it was"):
        shown, err, code = ON_A_TERMINAL.result()

        expect(code).to(equal(INTERRUPTED))
        expect(err).to(equal(""))
        expect(shown).to(contain("line 0", "line 20", "(79 more lines)"))
        expect(shown).not_to(contain("line 21"))
        # The window of its own is entered and left, and the cursor is shown again.
        expect(shown.split("\x1b[?1049h")).to(have_len(2))
        expect(shown.split("\x1b[?1049l")).to(have_len(2))
        expect(shown).to(contain("\x1b[?25h"))
