"""The examples of docs/extending.md, written as they are shown into a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from expects import be_above, contain, equal, expect, start_with
from mamba import after, before, description, it

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")

# Each file is a block of Python, under a line that ends with its path.
FILES = dict(re.findall(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
SPECS = [path for path in FILES if path.startswith("specs/")]

# What mypy found of the modules that the examples import, kept for the next time.
CACHE = ROOT / ".mypy_cache" / "extending"


def run(*words, cwd):
    environ = {**os.environ, "PYTHONPATH": str(cwd), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=cwd, env=environ, text=True, capture_output=True)


with description("The page about extending") as self:
    with before.all:
        self.copy = Path(tempfile.mkdtemp(prefix="extending-"))
        left_out = shutil.ignore_patterns("__pycache__", "infrastructure")
        shutil.copytree(ROOT / "playbooks", self.copy / "playbooks")
        shutil.copytree(
            ROOT / "specs", self.copy / "specs", ignore=left_out, copy_function=os.symlink
        )
        for path, text in FILES.items():
            (self.copy / path).write_text(text, encoding="utf-8")

    with after.all:
        shutil.rmtree(self.copy)

    with it("shows files that are not there yet, each under its path"):
        expect([path for path in FILES if (ROOT / path).exists()]).to(equal([]))
        expect(len(FILES)).to(equal(PAGE.count("```python")))

    with it("shows a playbook, a guard and an engine that pass the specs shown for them"):
        examples = "".join(FILES[path] for path in SPECS).count("with it(")
        done = run("-c", "from mamba.cli import main; main()", "--no-color", *SPECS, cwd=self.copy)

        expect(done.stdout + done.stderr).to(contain(f"\n{examples} examples ran in"))
        expect(done.returncode).to(equal(0))
        expect(examples).to(be_above(5))

    with it("shows code that ruff and mypy accept"):
        for name in (".ruff.toml", ".mypy.ini"):
            shutil.copy(ROOT / name, self.copy / name)
        for words in (("ruff", "check", "-q", *FILES), ("ruff", "format", "--check", *FILES)):
            done = run("-m", *words, cwd=self.copy)
            expect(done.stderr + "".join(re.findall("^Would.*", done.stdout, re.MULTILINE))).to(
                equal("")
            )
            expect(done.returncode).to(equal(0))
        shown = [path for path in FILES if path not in SPECS]
        checked = run("-m", "mypy", "--cache-dir", str(CACHE), *shown, cwd=self.copy)
        expect(checked.stdout).to(start_with("Success"))

    with it("shows a playbook that deploy_playbook lists with its settings"):
        done = run("-m", "playbooks.deployment", "-l", cwd=self.copy)
        listed = done.stdout + done.stderr

        expect(listed).to(contain("label\n    Label the pod that an alert is about"))
        expect(listed).to(contain("    LABEL_VALUE: default true\n"))
