"""The repository of one's own in docs/extending.md, in a fresh directory, as the page has it."""

import base64
import io
import json
import os
import re
import shlex
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml
from expects import be_above, contain, equal, expect
from mamba import before, description, it

from playbooks.testing import a_document, an_alert
from specs.support.own_playbooks import SECTION, SHOWN
from specs.support.processes import ROOT, ahead, run
from specs.support.programs import in_turn

SHELL = re.search(r"```sh\n(.*?)```", SECTION, re.DOTALL)[1]

ALERT = a_document(output_fields=dict(an_alert().fields))


def shown(beginning):
    """The words of the page's command that begins so."""
    (line,) = [line for line in SHELL.splitlines() if line.startswith(beginning)]
    return shlex.split(line)


COMMANDS = {
    "list": ["deploy_playbook", "-l"],
    "installed": [*shown("deploy_playbook -p acme"), "-E", "kubernetes", "-d"],
    # Now that it was used as a package.
    "file": [*shown("deploy_playbook -p ./"), "-E", "kubernetes"],
    "simulate": [*shown("falco-playbook simulate"), "-o", "json"],
}


def made(environ):
    """What its specs say, and what each of the commands prints."""
    with tempfile.TemporaryDirectory(prefix="acme-") as name:
        directory = Path(name)
        for path, text in SHOWN.items():
            (directory / path).parent.mkdir(exist_ok=True)
            (directory / path).write_text(text, encoding="utf-8")
        (directory / "alerts.jsonl").write_text(json.dumps(ALERT) + "\n")
        path = os.pathsep.join([str(ROOT), name])
        environ = {**environ, "PYTHONPATH": path, "KUBECONFIG": "", "COLUMNS": "100"}

        def python(*words):
            return run([sys.executable, *words], directory, environ)

        # What pip writes beside the module: what it would resolve and download does not matter.
        python("-c", "import setuptools; setuptools.setup()", "-q", "dist_info")
        return (
            python("-c", "from mamba.cli import main; main()", "specs"),
            python(*in_turn(*COMMANDS.values())),
        )


MADE = ahead(made, {**os.environ})

with description("A repository of one's own, as the page about extending shows it") as self:
    with before.all:
        specs, commands = MADE.result()
        expect(commands.stderr).to(equal(""))
        self.printed = dict(zip(COMMANDS, json.loads(commands.stdout)))
        self.specs = specs.stdout + specs.stderr

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
