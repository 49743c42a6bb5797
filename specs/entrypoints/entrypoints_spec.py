import ast
import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path

from expects import be_a, be_below, be_empty, be_true, contain, equal, expect, raise_error
from mamba import description, it

import playbooks
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.core.settings import read
from playbooks.reactions.delete_pod import DeletePod
from playbooks.reactions.isolate_pod import IsolatePod
from playbooks.reactions.nodes.taint_node import TaintNode
from playbooks.reactions.notify_slack import NotifySlack

WEBHOOK = "https://hooks.slack.com/services/T0/B0/secret"
NAMES = [module.name for module in pkgutil.iter_modules(playbooks.__path__) if not module.ispkg]


def load(name):
    return importlib.import_module(f"playbooks.{name}")


def build(name, **environ):
    playbook = load(name).playbook
    settings = read(playbook.settings, environ)
    return playbook.build(settings, playbook.collaborators(name, settings))


with description("The playbooks") as self:
    with it("are at least delete, isolate, slack and taint"):
        expect(NAMES).to(contain("delete", "isolate", "slack", "taint"))

    with it("are wired from their settings, without connecting anywhere"):
        expect(build("delete")).to(be_a(DeletePod))
        expect(build("isolate")).to(be_a(IsolatePod))
        expect(build("taint")).to(be_a(TaintNode))
        expect(build("slack", SLACK_WEBHOOK_URL=WEBHOOK)).to(be_a(NotifySlack))

    with it("say what keeps one from being built, and where"):

        def build_it(settings, collaborators):
            return settings["NONE"]

        declared = replace(load("delete").playbook, build=build_it)

        expect(lambda: declared.responder({"KUBECONFIG": ""})).to(
            raise_error(
                InvalidSetting,
                f"delete cannot be built: KeyError: 'NONE' ({__file__}, line"
                f" {build_it.__code__.co_firstlineno + 1})",
            )
        )

    with it("declare themselves under the name of their module"):
        for name in NAMES:
            expect(load(name).playbook).to(be_a(Playbook))
            expect(load(name).playbook.name).to(equal(name))

    with it("have a handler that Kubeless can name"):
        for name in NAMES:
            expect(load(name).handler.__name__).to(equal("handler"))

    with it("say in one line what they do"):
        for name in NAMES:
            expect(len(load(name).__doc__.splitlines()[0])).to(be_below(101))

    with it("are wiring only: a screenful without an if"):
        for name in NAMES:
            source = Path(load(name).__file__).read_text(encoding="utf-8")
            branches = [
                node
                for node in ast.walk(ast.parse(source))
                if isinstance(node, (ast.If, ast.For, ast.While, ast.Try))
            ]

            expect(branches).to(be_empty)
            expect(len(source.splitlines())).to(be_below(50))

    with it("bear no name that a dependency has"):
        for name in NAMES:
            try:
                found = importlib.util.find_spec(name)
            except ImportError:
                found = None
            expect(found is None or "playbooks" in str(found.origin)).to(be_true)

    with it("declare each setting once"):
        for name in NAMES:
            declared = [setting.name for setting in load(name).playbook.settings]

            expect(sorted(set(declared))).to(equal(sorted(declared)))

    with it("declare valid defaults"):
        for name in NAMES:
            for setting in load(name).playbook.settings:
                if not setting.required:
                    setting.check(setting.default)

    with it("share the settings of the guards"):
        for name in NAMES:
            declared = [setting.name for setting in load(name).playbook.settings]

            expect(declared).to(
                contain("MINIMUM_PRIORITY", "RULES", "NAMESPACES", "CLUSTER", "DRY_RUN")
            )
