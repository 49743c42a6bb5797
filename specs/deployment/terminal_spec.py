import contextlib
import io
import os
import pty
import subprocess
import sys
from unittest.mock import patch

from expects import be_below_or_equal, contain, equal, expect
from mamba import before, description, it

from playbooks.deployment.terminal import show_table
from specs.support.processes import ROOT

COLUMNS = ("TIME", "RULE", "ID")
RULE = "Terminal shell in container of a deployment whose name is long"
ROWS = [(("2026-01-02T03:04:05Z", RULE, 17), ["why: [red]\x1b[2J"]), ((None, "x", ""), [])]


# With a pod's name as long as a Deployment's can make it.
NAMED_COLUMNS = ("NAMESPACE", "TARGET", "RULE")
TARGET = f"pod team-shop/{'w' * 63}-744fc79db9-7pldn"
NAMED_ROWS = [(("team-shop-and-checkout-of-europe", TARGET, RULE), [])]


def on_a_terminal(columns=COLUMNS, rows=ROWS, **environment):
    """What is printed on a terminal of 60 columns."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm", "COLUMNS": "60", **environment}
    with patch.dict(os.environ, environment, clear=True):
        with os.fdopen(theirs, "w") as out, contextlib.redirect_stdout(out):
            show_table(columns, rows)
    text = b""
    # The end of a terminal is an error on Linux.
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 65536):
            text += piece
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


STEPS = """
import sys
from playbooks.deployment.terminal import print_step

print_step("created", "ConfigMap shop/a")
print_step("created", "ConfigMap shop/b")
print("done", file=sys.stderr)
"""


def elsewhere(columns=COLUMNS, rows=ROWS):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show_table(columns, rows)
    return out.getvalue()


with description("A table") as self:
    with before.all:
        self.plain = elsewhere()

    with it("is plain text where standard output is no terminal, with notes below its rows"):
        expect(self.plain.splitlines()).to(
            equal(
                [
                    f"TIME                  RULE{'':58}ID",
                    f"2026-01-02T03:04:05Z  {RULE[:57]}...  17",
                    r"    why: [red]\x1b[2J",
                    f"-                     x{'':61}-",
                ]
            )
        )

    with it("has styles on a terminal, and fits it; an alert's text is neither style nor markup"):
        said = on_a_terminal()
        head, row, note, _ = said.splitlines()

        expect(head).to(contain("\x1b[1mTIME"))
        expect(len(row)).to(be_below_or_equal(60))
        expect(row.split("  ")).to(equal(["2026-01-02T03:04:05Z", f"{RULE[:33]}…", "17"]))
        expect(note).to(contain(r"why: [red]\x1b[2J"))

    with it("is plain on a terminal with NO_COLOR, or one that has no styles"):
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            expect(on_a_terminal(**environment)).to(equal(self.plain))

    with it("never cuts the name of an object, which other commands take"):
        for show in (elsewhere, on_a_terminal):
            said = show(NAMED_COLUMNS, NAMED_ROWS)
            expect(said).to(contain(f"team-shop-and-checkout-of-europe  {TARGET}  Terminal shell"))

    with it("cuts what claims to be a name and is longer than any"):
        said = elsewhere(NAMED_COLUMNS, [(("shop", "w" * 5000, RULE), [])])

        expect(len(said.splitlines()[1])).to(be_below_or_equal(500))


with description("What is said of each step") as self:
    with it("keeps no step from being done whose reader is gone, such as head"):
        reads, writes = os.pipe()
        os.close(reads)
        command = [sys.executable, "-c", STEPS]
        with os.fdopen(writes) as out:
            done = subprocess.run(
                command, stdout=out, stderr=subprocess.PIPE, cwd=ROOT, text=True, check=False
            )

        expect((done.returncode, done.stderr)).to(equal((0, "done\n")))
