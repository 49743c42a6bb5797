"""The repository of one's own in docs/extending.md, in a fresh directory, as the page has it."""

import base64
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml
from expects import be_above, contain, equal, expect
from mamba import after, before, description, it

from playbooks.testing import a_document, an_alert
from specs.support.own_playbooks import SECTION, SHOWN

ROOT = Path(__file__).resolve().parents[2]
SHELL = re.search(r"```sh\n(.*?)```", SECTION, re.DOTALL)[1]

ALERT = a_document(output_fields=dict(an_alert().fields))

# Runs commands one after the other, and prints what each of them printed.
RUN = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from playbooks.commands.__main__ import run as falco_playbook
from playbooks.deployment.__main__ import run as deploy_playbook

printed = []
for program, *words in json.loads(sys.argv[1]):
    sys.argv, out, err = [program, *words], io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = {"deploy_playbook": deploy_playbook, "falco-playbook": falco_playbook}[program]()
        except SystemExit as ended:
            code = ended.code
    assert not code, (words, err.getvalue())
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


def shown(beginning):
    """The words of the page's command that begins so."""
    (line,) = [line for line in SHELL.splitlines() if line.startswith(beginning)]
    return shlex.split(line)


def start(directory, *words):
    path = os.pathsep.join([str(ROOT), str(directory)])
    environ = {**os.environ, "PYTHONPATH": path, "KUBECONFIG": "", "COLUMNS": "100"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *words], cwd=directory, env=environ, **pipes)


with description("A repository of one's own, as the page about extending shows it") as self:
    with before.all:
        self.directory = Path(tempfile.mkdtemp(prefix="acme-"))
        for path, text in SHOWN.items():
            (self.directory / path).parent.mkdir(exist_ok=True)
            (self.directory / path).write_text(text, encoding="utf-8")
        (self.directory / "alerts.jsonl").write_text(json.dumps(ALERT) + "\n")
        # What pip writes beside the module: what it would resolve and download does not matter.
        made = start(
            self.directory, "-c", "import setuptools; setuptools.setup()", "-q", "dist_info"
        )
        specs = start(self.directory, "-c", "from mamba.cli import main; main()", "specs")
        made.communicate()
        commands = {
            "list": ["deploy_playbook", "-l"],
            "installed": [*shown("deploy_playbook -p acme"), "-E", "kubernetes", "-d"],
            # Now that it was used as a package.
            "file": [*shown("deploy_playbook -p ./"), "-E", "kubernetes"],
            "simulate": [*shown("falco-playbook simulate"), "-o", "json"],
        }
        out, err = start(
            self.directory, "-c", RUN, json.dumps(list(commands.values()))
        ).communicate()
        expect(err).to(equal(""))
        self.printed = dict(zip(commands, json.loads(out)))
        self.specs = "".join(specs.communicate())

    with after.all:
        shutil.rmtree(self.directory)

    def objects(self, name):
        return [each for each in yaml.load_all(self.printed[name], yaml.CSafeLoader) if each]

    def archived(self, name):
        (packed,) = [o["binaryData"]["worker.zip"] for o in self.objects(name) if "binaryData" in o]
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
            return {path: archive.read(path).decode() for path in archive.namelist()}

    with it("passes its specs"):
        examples = SHOWN["specs/quarantine_spec.py"].count("with it(")

        expect(self.specs).to(contain(f"\n{examples} examples ran in"))
        expect(examples).to(be_above(2))

    with it("is simulated from its file"):
        simulated = json.loads(self.printed["simulate"])

        expect((simulated["playbook"], simulated["acted"])).to(equal(("quarantine", 1)))
        expect(simulated["settings"]).to(equal({"QUARANTINE_TICKET": "SEC-1"}))

    with it("is deployed from its file, and as a package, in the same way"):
        file, installed = self.objects("file"), self.objects("installed")
        names = {(each["kind"], each["metadata"]["name"]) for each in file}

        expect(names).to(contain(("Deployment", "falco-quarantine")))
        expect({(each["kind"], each["metadata"]["name"]) for each in installed}).to(equal(names))

    with it("brings its module to the function, where the worker finds it as one of ours"):
        for name in ("file", "installed"):
            archived = self.archived(name)

            expect(archived["quarantine.py"]).to(equal(SHOWN["quarantine.py"]))
            expect(archived["playbooks/quarantine.py"]).to(
                equal("from quarantine import playbook\n")
            )
            expect([path for path in archived if path.startswith("specs")]).to(equal([]))

    with it("gets the rights that it declares"):
        roles = [each for each in self.objects("file") if each["kind"] == "ClusterRole"]
        rules = [rule for role in roles for rule in role["rules"] if "pods" in rule["resources"]]

        expect(rules[0]["verbs"]).to(contain("patch"))

    with it("is listed with its settings where it is installed"):
        listed = self.printed["list"]

        expect(listed).to(contain("quarantine\n    Mark the proven pod for the quarantine"))
        expect(listed).to(contain("    QUARANTINE_TICKET: required"))
