"""The first command of the README, from its second half on: the first installs from PyPI."""

import os
import re
import shlex
import sys
from pathlib import Path

from expects import contain, equal, expect, have_len
from mamba import before, description, it

from specs.support.processes import ROOT, process

README = (ROOT / "README.md").read_text(encoding="utf-8")

DEMO = re.findall(r" && (\./deploy_playbook -E local .*)$", README, re.MULTILINE)[0]

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
SHOWN = process(*shlex.split(DEMO), env={**os.environ, "PATH": PATH, "COLUMNS": "400"})

with description("The demo of the README") as self:
    with before.all:
        self.done = SHOWN.result()

    with it("ends well"):
        expect((self.done.returncode, self.done.stderr)).to(equal((0, "")))

    with it("shows eight alerts, each with something that no other shows"):
        lines = re.findall(r"^ {21}(\S.*)$", self.done.stdout, re.MULTILINE)

        expect(self.done.stdout).to(contain("8 alerts in "))
        expect(set(lines)).to(have_len(8))
        expect(README).to(contain("eight alerts"))

    with it("has a row of the README's table for each"):
        rows = re.findall(r"^\| .* \| (deleted|skipped|held)", README, re.MULTILINE)

        expect(rows).to(have_len(8))
        expect(rows.count("deleted")).to(equal(self.done.stdout.count(" acted  ")))

    with it("says what to do next"):
        expect(self.done.stdout).to(contain("What next?", "docs/try-it.md"))
