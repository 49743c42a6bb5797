"""What there is to be of every engine beside its modules, so that nothing of it is forgotten.

docs/extending.md has the same as a list.
"""

import re
from pathlib import Path

from expects import be_above, contain, equal, expect
from mamba import description, it

from playbooks.deployment.engines import registry
from playbooks.deployment.engines.cluster_engine import ClusterEngine
from playbooks.deployment.engines.engine import Invocation
from playbooks.deployment.errors import UsageError
from playbooks.deployment.removal.client import client_for
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import read
from specs.deployment.fake_objects import FakeObjects
from specs.support.engines.callers import ENGINES
from specs.support.engines.packages import PACKAGES
from specs.support.processes import ROOT

PAGE = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Those that the first version had.
FROM_THE_START = {"kubeless", "kubernetes", "local"}

# A worker, and this machine, which is deployed nowhere.
NO_FUNCTION = {"kubernetes", "local"}


def column_of(table):
    """The names in the first column."""
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def tables():
    """Those with a row for each engine."""
    return ["| `-E` |" + text.partition("\n\n")[0] for text in PAGE.split("| `-E` |")[1:]]


def heads():
    """By engine, the head of its column in the table of what works with which engine."""
    line = re.search(r"^\| \|(.* `kubernetes` .*)\|$", PAGE, re.MULTILINE)[1]
    return {name: head.strip() for head in line.split("|") for name in re.findall(r"`(\w+)`", head)}


def subjects(engine):
    """The kinds of those that its rights are bound to; none where it has no rights."""
    own = {option.name: "falco@project-1.iam.example" for option in engine.identity}
    options = Options(playbook="delete", topics=("falco.>",), engine=engine.name, own=own)
    request, _ = read(options, engine.settings)
    try:
        made = engine.rights(request, Invocation(options, {}, FakeObjects(), client_for()))
    except UsageError:
        return set()
    return {who["kind"] for each in made for who in each.get("subjects", ())}


with description("Every engine") as self:
    with it("has a spec of how it calls a playbook, and one of how it is deployed"):
        modules = {
            engine.name: engine.__module__.split(".") for engine in registry.known().values()
        }

        for name in {*modules} - FROM_THE_START:
            for folder in ("engines", "deployment/engines"):
                path = Path("specs", folder, f"{modules[name][3]}_spec.py")
                expect((path, (ROOT / path).is_file())).to(equal((path, True)))

    with it("answers the inputs that all engines answer alike"):
        called = {caller.NAME.partition(",")[0] for caller in ENGINES}

        expect(sorted(called)).to(equal([*registry.known()]))

    with it("has a package whose imports are looked at, where it is deployed as a function"):
        packed = {package.engine for package in PACKAGES}

        expect(sorted(packed | NO_FUNCTION)).to(equal([*registry.known()]))

    with it("has a row in each table of the page about engines"):
        expect(len(tables())).to(be_above(2))
        for table in tables():
            expect(sorted(column_of(table))).to(equal([*registry.known()]))

    with it("is in the column of what works with it, by whose account it has"):
        expect(sorted(heads())).to(equal([*registry.known()]))
        for name, engine in registry.known().items():
            kinds = subjects(engine)
            if isinstance(engine, ClusterEngine) or not kinds:
                expect(heads()[name]).to(equal(f"`{name}`"))
            else:
                there = kinds == {"ServiceAccount"}
                expect(heads()[name]).to(contain("In the" if there else "Outside of"))

    with it("has a page of its own, which the README leads to"):
        rows = dict(re.findall(r"^\| `(\w+)` \| .*?\[.*?\]\((.*?)\)", tables()[0], re.MULTILINE))

        expect(sorted(rows)).to(equal([*registry.known()]))
        for page in rows.values():
            expect(README).to(contain(f"(docs/{page.partition('#')[0] or 'engines.md'})"))

    with it("is one of which pages speak together, unless they name it as the exception"):
        operating, conditions = (
            " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())
            for name in ("operating.md", "conditions.md")
        )
        engines = registry.known().items()
        stored = {name for name, engine in engines if isinstance(engine, ClusterEngine)}
        chosen = {name for name, engine in engines if engine.runtimes}

        but = re.search(r"of any engine but (.*?), the commands", operating)[1]
        expect({*re.findall(r"`(\w+)`", but)}).to(equal(stored))
        but = re.search(
            r"needs Python 3\.10 or later. Every engine has that but (.*?):", conditions
        )[1]
        expect({*re.findall(r"`(\w+)`", but)}).to(equal(chosen))

    with it("is in the list of what changed"):
        changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

        for name in {*registry.known()} - FROM_THE_START:
            expect(re.search(rf"`(-E )?{name}`", changes) is not None).to(equal(True))
