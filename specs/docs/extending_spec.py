"""The examples of docs/extending.md, written as they are shown into a copy of the repository."""

import base64
import io
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from importlib import import_module
from pathlib import Path

import yaml
from expects import be_above, contain, equal, expect, start_with
from mamba import description, it

from specs.support.processes import ROOT, ahead, run
from specs.support.programs import in_turn

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")

# Each file is a block of Python, under a line that ends with its path.
FILES = dict(re.findall(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
SPECS = [path for path in FILES if path.startswith("specs/")]

# What mypy found of the modules that the examples import, kept for the next time.
CACHE = ROOT / ".mypy_cache" / "extending"


CHECKED = [path for path in FILES if path not in SPECS]
COMMANDS = {
    "specs": ("-c", "from mamba.cli import main; main()", "--no-color", *SPECS),
    "mypy": ("-m", "mypy", "--cache-dir", str(CACHE), *CHECKED),
    "check": ("-m", "ruff", "check", "-q", *FILES),
    "format": ("-m", "ruff", "format", "--check", *FILES),
    "list": ("-m", "playbooks.deployment", "-l"),
}


def copied(environ):
    """What each of the commands answers in a copy of the repository with the examples."""
    with tempfile.TemporaryDirectory(prefix="extending-") as name:
        copy = Path(name)
        left_out = shutil.ignore_patterns("__pycache__", "infrastructure")
        shutil.copytree(ROOT / "playbooks", copy / "playbooks", copy_function=os.symlink)
        shutil.copytree(ROOT / "specs", copy / "specs", ignore=left_out, copy_function=os.symlink)
        for path, text in FILES.items():
            (copy / path).write_text(text, encoding="utf-8")
        for name in (".ruff.toml", ".mypy.ini"):
            shutil.copy(ROOT / name, copy / name)
        environ = {**environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        return {
            name: run([sys.executable, *words], copy, environ) for name, words in COMMANDS.items()
        }


COPIED = ahead(copied, {**os.environ})

with description("The page about extending") as self:

    def answer(self, name):
        """Its exit code and what it printed."""
        done = COPIED.result()[name]
        return done.returncode, done.stdout, done.stderr

    with it("shows files that are not there yet, each under its path"):
        expect([path for path in FILES if (ROOT / path).exists()]).to(equal([]))
        expect(len(FILES)).to(equal(PAGE.count("```python")))

    with it("names modules and files that are there, with the names that they have"):
        rows = re.findall(r"^\| `(playbooks/[\w/]+)\.py` \| (.*?) \|", PAGE, re.MULTILINE)
        listed = PAGE.partition("### What an engine comes with")[2]
        places = [p for p in re.findall(r"`([\w./]+)`", listed) if "/" in p and "NAME" not in p]

        expect(len(rows)).to(be_above(6))
        for path, names in rows:
            module = import_module(path.replace("/", "."))
            for name in re.findall(r"`(\w+)`", names):
                expect((path, name, hasattr(module, name))).to(equal((path, name, True)))
        expect([place for place in places if not (ROOT / place).exists()]).to(equal([]))

    with it("shows a playbook, a guard and an engine that pass the specs shown for them"):
        examples = "".join(FILES[path] for path in SPECS).count("with it(")
        code, out, err = self.answer("specs")

        expect(out + err).to(contain(f"\n{examples} examples ran in"))
        expect(code).to(equal(0))
        expect(examples).to(be_above(5))

    with it("shows code that ruff and mypy accept"):
        for name in ("check", "format"):
            code, out, err = self.answer(name)
            expect(err + "".join(re.findall("^Would.*", out, re.MULTILINE))).to(equal(""))
            expect(code).to(equal(0))
        expect(self.answer("mypy")[1]).to(start_with("Success"))

    with it("shows a playbook that deploy_playbook lists with its settings"):
        listed = "".join(self.answer("list")[1:])

        expect(listed).to(contain("mark\n    Mark the pod that an alert is about"))
        expect(listed).to(contain("    MARK_VALUE: default true\n"))


OUTSIDE = (
    "playbooks/reactions/mark_pod.py",
    "playbooks/mark.py",
    "specs/reactions/mark_pod_spec.py",
)
PRINTED = ("-E", "kubernetes", "-p", "mark", "-t", "falco.notice.*", "-d")


def outside(environ):
    """What its spec, the list and deploying answer beside what a wheel installs."""
    with tempfile.TemporaryDirectory(prefix="outside-") as name:
        directory = Path(name)
        source, installed, own = (directory / each for each in ("source", "installed", "own"))
        left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        shutil.copytree(
            ROOT / "playbooks", source / "playbooks", ignore=left_out, copy_function=os.symlink
        )
        for name in ("setup.py", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        build = [sys.executable, "setup.py", "-q", "bdist_wheel", "-d", str(directory)]
        built = run(build, source, {**environ, "PYTHONDONTWRITEBYTECODE": "1"})
        wheels = [*directory.glob("*.whl")]
        if len(wheels) != 1:
            raise AssertionError(built.stderr)
        with zipfile.ZipFile(wheels[0]) as archive:
            archive.extractall(installed)
        for path in OUTSIDE:
            (own / path).parent.mkdir(parents=True, exist_ok=True)
            (own / path).write_text(FILES[path], encoding="utf-8")
        path = os.pathsep.join([str(own), str(installed)])
        environ = {**environ, "PYTHONPATH": path, "KUBECONFIG": ""}
        return [
            run([sys.executable, *words], own, environ)
            for words in (
                ("-c", "from mamba.cli import main; main()", "--no-color", "specs"),
                in_turn(("deploy_playbook", "-l"), ("deploy_playbook", *PRINTED)),
            )
        ]


OUTSIDE_OF_IT = ahead(outside, {**os.environ})

with description("The playbook of the page about extending, outside this repository") as self:
    with it("passes its spec with playbooks.testing of the wheel"):
        done, _ = OUTSIDE_OF_IT.result()

        expect(done.stdout + done.stderr).to(contain("\n2 examples ran in"))
        expect(done.returncode).to(equal(0))

    with it("is listed and packaged by deploy_playbook of the wheel, with its modules"):
        _, done = OUTSIDE_OF_IT.result()
        expect(done.stderr).to(equal(""))
        listed, printed = json.loads(done.stdout)
        objects = list(yaml.load_all(printed, yaml.CSafeLoader))
        (packed,) = [o["binaryData"]["worker.zip"] for o in objects if "binaryData" in o]
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
            names = archive.namelist()

        expect(listed).to(contain("mark\n    Mark the pod that an alert is about"))
        expect(names).to(contain("playbooks/mark.py", "playbooks/reactions/mark_pod.py"))
        expect([name for name in names if "testing" in name]).to(equal([]))
