"""What the port of an engine promises: one module more is an engine more."""

import json
import re
import sys
import tempfile
from importlib import reload
from keyword import iskeyword
from pathlib import Path
from textwrap import dedent
from unittest.mock import patch

from expects import be_above, be_empty, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.commands import __main__ as falco_playbook
from playbooks.commands.targets import deployed
from playbooks.deployment import command_line, engines
from playbooks.deployment.apply.orphaned_roles import remove_orphans
from playbooks.deployment.engines import knative, kubernetes, registry
from playbooks.deployment.engines.engine import Engine, Invocation
from playbooks.deployment.errors import TooLarge
from playbooks.deployment.manifests import function, rbac, record
from playbooks.deployment.removal.client import client_for
from specs.deployment.fake_objects import FakeObjects, Unasked
from specs.deployment.fake_programs import FakePrograms
from specs.deployment.mothers import run

# An engine whose own tool deploys files, such as those of the clouds.
EXAMPLE = dedent(
    '''
    """-E example: what somebody with nothing but this repository adds."""

    import json
    import shutil
    import subprocess

    from playbooks.core.settings import Setting, whole_number
    from playbooks.deployment.engines.engine import Engine, Option
    from playbooks.deployment.errors import DeploymentError
    from playbooks.deployment.packaging.dependencies import requirements
    from playbooks.deployment.terminal import print_step

    ZONE = Option("zone", ("--zone",), "with -E example: where it runs", "ZONE")
    BUDGET = Setting("MAX_INSTANCES", whole_number(1, 9), "3", "how many run at once")


    class Example(Engine):
        name = "example"
        summary = "Example Functions, by the example tool"
        settings = (BUDGET,)
        options = (ZONE,)

        def problems(self, request, options):
            return [] if "zone" in options.own else ["--zone is not given"]

        def rendered(self, request, invocation):
            return {
                "name": request.function,
                "zone": invocation.options.own["zone"],
                "topics": list(request.topics),
                "env": dict(request.values),
                "secrets": {r.name: [r.secret, r.key] for r in request.references},
                "requirements": requirements(request.playbook.installs(request.values)),
            }

        def show(self, request, invocation):
            print(json.dumps(self.rendered(request, invocation)))

        def deploy(self, request, invocation):
            self.tool("deploy", json.dumps(self.rendered(request, invocation)))
            print_step("deployed", request.function)
            return 0

        def remove(self, function, invocation):
            self.tool("delete", function)
            print_step("removed", function)

        def tool(self, *arguments):
            if not shutil.which("example-tool"):
                raise DeploymentError("example-tool is not on the PATH")
            done = subprocess.run(["example-tool", *arguments], capture_output=True, text=True)
            if done.returncode:
                raise DeploymentError(f"example-tool: {done.stderr.strip()}")


    ENGINE = Example()
    '''
)

TOOL = """\
#!/bin/sh
if [ -e "$0.fails" ]; then echo "quota exceeded" >&2; exit 3; fi
echo "$1 $2" >>"$0.log"
"""


DELETE_NORTH = ("-p", "delete", "-t", "falco.error.*", "--zone", "north")
DEPLOY = ("-E", "example", *DELETE_NORTH)


with description("The port of an engine") as self:
    with it("is kept by every engine there is, under its module's name, where Python takes that"):
        expect(list(registry.known())).to(contain("kubeless", "kubernetes", "local"))
        for name, engine in registry.known().items():
            expect(isinstance(engine, Engine)).to(equal(True))
            module = f"aws_{name}" if iskeyword(name) else name
            expect(engine.__module__).to(equal(f"playbooks.deployment.engines.{module}"))
            expect(engine.summary).not_to(be_empty)

    with it("finds what is too large with everything else that is wrong, and touches nothing"):
        for name, module, packs in (
            ("kubeless", function, "archive"),
            ("kubernetes", kubernetes, "worker_archive"),
            ("knative", knative, "zipped"),
        ):
            cluster = FakeObjects()
            typed = ("-E", name, "-p", "delete", "-t", "falco.>", "-e", "NAMESPACES=not_one")
            with patch.object(module, packs, side_effect=TooLarge("it has 2000 KiB")):
                done = run(*typed, cluster=cluster)

            expect(done.code).to(equal(2))
            expect(done.err).to(contain("error: NAMESPACES: 'not_one'", "error: it has 2000 KiB"))
            expect(cluster.changes).to(be_empty)

    with it("is named in the help wherever an engine is an option, in the order of the names"):
        taking = [command_line.deploy, *falco_playbook.program.commands.values()]
        options = [o for each in taking for o in each.params if "--engine" in o.opts]

        expect(len(options)).to(be_above(1))
        for option in options:
            words = re.findall(r"[a-z]+", option.help)
            known = [words.index(name) for name in sorted(registry.known())]
            expect(known).to(equal(sorted(known)))

    with it("has each option of the command line once"):
        flags = [flag for option in registry.own_options() for flag in option.flags]

        expect(len(flags)).to(be_above(4))
        expect(flags).to(have_len(len(set(flags))))

    with description("with one module more"):
        with before.each:
            self.directory = tempfile.TemporaryDirectory()
            self.programs = FakePrograms({"example-tool": TOOL})
            Path(self.directory.name, "example.py").write_text(EXAMPLE)
            self.paths = patch.object(engines, "__path__", [*engines.__path__, self.directory.name])
            self.paths.start()
            self.read_engines()

        with after.each:
            self.paths.stop()
            sys.modules.pop("playbooks.deployment.engines.example", None)
            self.read_engines()
            self.programs.close()
            self.directory.cleanup()

        def read_engines(self):
            """As when the program starts."""
            registry.known.cache_clear()
            reload(command_line)

        def run(self, *arguments):
            """Where there is the tool, and neither kubectl nor a cluster."""
            return self.programs.run(*arguments, cluster=Unasked())

        with it("takes it by its name, with its options, and shows both in the help"):
            said = " ".join(self.run("-h").out.split())

            expect(said).to(contain("example, Example Functions, by the example tool;"))
            expect(said).to(contain("--zone ZONE with -E example: where it runs"))

        with it("has rights that stay, by which falco-playbook finds it"):
            options = command_line.parse([*DEPLOY, "-n", "responders"])
            engine = registry.known()["example"]
            request = registry.checked(options, engine)
            made = engine.rights(request, Invocation(options, {}, Unasked(), client_for()))
            (found,) = deployed.functions(FakeObjects(*made), "responders")

            expect(remove_orphans(FakeObjects(*made))).to(equal(([], [])))
            expect(record.engine_of(found)).to(equal("example"))
            expect(deployed.subjects_of(found)).to(
                equal([rbac.subject("falco-delete", "responders")])
            )

        with it("refuses what it cannot do with everything else that is typed wrong"):
            typed = ("-E", "example", "-p", "delete", "-t", "a..b", "-e", "MAX_INSTANCES=10")
            done = self.run(*typed, "-R", "2")

            expect(done.code).to(equal(2))
            expect([line.partition("error: ")[2] for line in done.err.splitlines()]).to(
                equal(
                    [
                        "topic 'a..b' is malformed: it has an empty token",
                        "MAX_INSTANCES is '10', expected a whole number from 1 to 9",
                        "-R is for -E kubernetes only",
                        "--zone is not given",
                    ]
                )
            )

        with it("keeps its options from the other engines"):
            done = self.run("-E", "kubeless", *DELETE_NORTH)

            expect(done.err).to(contain("--zone is for -E example only"))

        with it("prints what its tool would be given, without the tool"):
            self.programs.remove("example-tool")
            done = self.run("-d", *DEPLOY, "-e", "RULES=x", "-s", "NAMES=a/b")
            shown = json.loads(done.out)

            expect(done.code).to(equal(0))
            expect([shown["zone"], shown["env"], shown["secrets"]]).to(
                equal(["north", {"RULES": "x"}, {"NAMES": ["a", "b"]}])
            )
            expect(shown["requirements"]).to(contain("urllib3=="))

        with it("deploys by its tool, and removes by it"):
            deployed = self.run(*DEPLOY)
            removed = self.run("-x", "-E", "example", "-p", "delete")

            expect(deployed.out).to(equal("deployed  falco-delete\n"))
            expect(removed.out).to(equal("removed   falco-delete\n"))
            expect(self.programs.kept("example-tool.log").splitlines()[-1]).to(
                equal("delete falco-delete")
            )

        with it("fails with its tool's words"):
            self.programs.path("example-tool.fails").touch()
            done = self.run(*DEPLOY)

            expect(done.code).to(equal(1))
            expect(done.err).to(contain("deploy_playbook: error: example-tool: quota exceeded\n"))
