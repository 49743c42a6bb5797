"""Slow, and needs a package registry: what a function installs, installed on Python 3.8."""

import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.deployment.packaging.archive import archive
from playbooks.deployment.packaging.dependencies import requirements
from specs.support.conditions import Condition, not_run_unless

SECONDS = 300

ASKED_FOR = Condition(
    os.environ.get("KUBERNETES_LOAD_KUBE_CONFIG") == "1",
    "it takes minutes and a package registry, and wants KUBERNETES_LOAD_KUBE_CONFIG=1",
)


def runs(python):
    """A pyenv shim is on the PATH for a Python that is not chosen, too."""
    if not shutil.which(python):
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


with description("A function's archive on Python 3.8") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()

    with after.each:
        self.directory.cleanup()

    def installed(self, playbook, **values):
        """As Kubeless lays it out: /kubeless with the archive, its packages beneath lib."""
        root = Path(self.directory.name, playbook)
        zipfile.ZipFile(io.BytesIO(archive(playbook))).extractall(root)
        (root / "requirements.txt").write_text(
            requirements(catalogue.load(playbook).installs(values))
        )
        self.run("python3.8", "-m", "venv", str(root / "venv"))
        install = ("install", "--quiet", "--disable-pip-version-check", "--prefix", str(root))
        self.run(str(root / "venv/bin/pip"), *install, "-r", str(root / "requirements.txt"))
        return root

    def run(self, *command, **environment):
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        expect((done.returncode, done.stderr if done.returncode else "")).to(equal((0, "")))
        return done.stdout

    with it("has everything that its entrypoint imports"):
        for playbook in catalogue.names():
            root = self.installed(playbook)
            path = f"{root}/lib/python3.8/site-packages:{root}"
            code = f"import {playbook}; print({playbook}.__file__, callable({playbook}.handler))"
            answer = self.run(
                str(root / "venv/bin/python"), "-c", code, PYTHONPATH=path, PYTHONSAFEPATH="1"
            )

            expect(answer.split()).to(equal([f"{root}/{playbook}.py", "True"]))

    with it("has what stores evidence"):
        for scheme, options in (("s3", ""), ("gs", "token='anon'")):
            root = self.installed("delete", EVIDENCE_URL=f"{scheme}://evidence")
            code = (
                f"import delete, fsspec; print(fsspec.filesystem('{scheme}', {options}).protocol)"
            )
            answer = self.run(
                *(str(root / "venv/bin/python"), "-W", "ignore", "-c", code),
                PYTHONPATH=f"{root}/lib/python3.8/site-packages:{root}",
                PYTHONSAFEPATH="1",
            )

            expect(answer).to(contain(scheme))
            shutil.rmtree(root)


not_run_unless(ASKED_FOR, globals())
not_run_unless(Condition(runs("python3.8"), "there is no python3.8 that runs"), globals())
