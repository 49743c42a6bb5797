"""The examples of docs/extending.md, written as they are shown into a copy of the repository."""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import import_module
from pathlib import Path

import yaml
from expects import be_above, contain, equal, expect, start_with
from mamba import after, before, description, it

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")

# Each file is a block of Python, under a line that ends with its path.
FILES = dict(re.findall(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
SPECS = [path for path in FILES if path.startswith("specs/")]

# What mypy found of the modules that the examples import, kept for the next time.
CACHE = ROOT / ".mypy_cache" / "extending"


def start(*words, cwd):
    environ = {**os.environ, "PYTHONPATH": str(cwd), "PYTHONDONTWRITEBYTECODE": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *words], cwd=cwd, env=environ, **pipes)


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
        for name in (".ruff.toml", ".mypy.ini"):
            shutil.copy(ROOT / name, self.copy / name)
        checked = [path for path in FILES if path not in SPECS]
        commands = {
            "specs": ("-c", "from mamba.cli import main; main()", "--no-color", *SPECS),
            "mypy": ("-m", "mypy", "--cache-dir", str(CACHE), *checked),
            "check": ("-m", "ruff", "check", "-q", *FILES),
            "format": ("-m", "ruff", "format", "--check", *FILES),
            "list": ("-m", "playbooks.deployment", "-l"),
        }
        # All at once: each of them waits for its own answer only.
        self.started = {name: start(*words, cwd=self.copy) for name, words in commands.items()}

    with after.all:
        for process in self.started.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.copy)

    def answer(self, name):
        """Its exit code and what it printed."""
        out, err = self.started[name].communicate()
        return self.started[name].returncode, out, err

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


with description("The playbook of the page about extending, outside this repository") as self:
    with before.all:
        self.directory = Path(tempfile.mkdtemp(prefix="outside-"))
        source, self.installed = self.directory / "source", self.directory / "installed"
        left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        shutil.copytree(ROOT / "playbooks", source / "playbooks", ignore=left_out)
        for name in ("setup.py", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        start("setup.py", "-q", "bdist_wheel", "-d", str(self.directory), cwd=source).communicate()
        (wheel,) = self.directory.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.installed)
        self.own = self.directory / "own"
        for path in OUTSIDE:
            (self.own / path).parent.mkdir(parents=True, exist_ok=True)
            (self.own / path).write_text(FILES[path], encoding="utf-8")

    with after.all:
        shutil.rmtree(self.directory)

    def run(self, *words):
        path = os.pathsep.join([str(self.own), str(self.installed)])
        environ = {**os.environ, "PYTHONPATH": path, "KUBECONFIG": ""}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=self.own, env=environ, text=True, capture_output=True)

    with it("passes its spec with playbooks.testing of the wheel"):
        done = self.run("-c", "from mamba.cli import main; main()", "--no-color", "specs")

        expect(done.stdout + done.stderr).to(contain("\n2 examples ran in"))
        expect(done.returncode).to(equal(0))

    with it("is listed and packaged by deploy_playbook of the wheel, with its modules"):
        listed = self.run("-m", "playbooks.deployment", "-l").stdout
        words = ("-E", "kubernetes", "-p", "mark", "-t", "falco.notice.*", "-d")
        printed = self.run("-m", "playbooks.deployment", *words)
        objects = list(yaml.safe_load_all(printed.stdout))
        (packed,) = [o["binaryData"]["worker.zip"] for o in objects if "binaryData" in o]
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
            names = archive.namelist()

        expect(listed).to(contain("mark\n    Mark the pod that an alert is about"))
        expect(names).to(contain("playbooks/mark.py", "playbooks/reactions/mark_pod.py"))
        expect([name for name in names if "testing" in name]).to(equal([]))
