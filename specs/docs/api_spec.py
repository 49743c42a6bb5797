"""docs/api.md names what there is, with the parameters and members that it says."""

import importlib
import inspect
import re

from expects import be_above, equal, expect
from mamba import description, it

import playbooks
from playbooks.core import VERSION
from specs.support.processes import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")

ROW = re.compile(r"^\| `(playbooks[\w.]+)` \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
# Of the examples on the page about extending.
BESIDE = (
    "playbooks.core.containment.expiry.expiry",
    "playbooks.core.containment.freezing.DEPLOYMENT",
    "playbooks.core.containment.freezing.Freezing",
    "playbooks.core.containment.undo.Undo",
    "playbooks.core.instant.after",
    "playbooks.freeze.playbook",
    "playbooks.mark.playbook",
    "playbooks.reactions.freeze_rollouts.FreezeRollouts",
    "playbooks.reactions.mark_pod.MarkPod",
)

NAME = re.compile(r"(\w+)(?:\(([\w, ]*)\))?$")


def spans(cell):
    return re.findall(r"`([^`]+)`", cell)


def rows():
    """Module, name, parameters (None where the page has none) and members of every public name."""
    for module, names, members in ROW.findall(PAGE):
        for each in spans(names):
            name, parameters = NAME.match(each).groups()
            yield module, name, parameters, spans(members)


def found(module, name):
    return getattr(importlib.import_module(module), name, None)


def has(thing, member):
    fields = getattr(thing, "__dataclass_fields__", {})
    declared = (vars(each).get("__annotations__", {}) for each in getattr(thing, "__mro__", ()))
    return hasattr(thing, member) or member in fields or any(member in each for each in declared)


def takes(thing, parameters):
    """Whether these are its first, in this order, and every other may be left out."""
    there = list(inspect.signature(thing).parameters.values())
    wanted = [each for each in parameters.split(", ") if each]
    others = there[len(wanted) :]
    optional = all(
        each.default is not each.empty or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        for each in others
    )
    return [each.name for each in there[: len(wanted)]] == wanted and (optional or not wanted)


def declared(what):
    """The first words of a table's rows."""
    table = EXTENDING[EXTENDING.index(f"| Declaration {what} |") :].split("\n\n")[0]
    cells = [row.split(" | ")[0].split(":")[0] for row in table.splitlines()[2:]]
    return [re.match(r"\w+", each)[0] for cell in cells for each in spans(cell)]


with description("The page of the public surface") as self:
    with it("names what there is"):
        missing = [
            f"{module}.{name}" for module, name, _, _ in rows() if found(module, name) is None
        ]

        expect(missing).to(equal([]))
        expect(len(list(rows()))).to(be_above(40))

    with it("says what each of them takes"):
        others = [
            f"{name}{inspect.signature(found(module, name))}"
            for module, name, parameters, _ in rows()
            if parameters and not takes(found(module, name), parameters)
        ]

        expect(others).to(equal([]))

    with it("says what each of them has"):
        missing = [
            f"{name}.{member}"
            for module, name, _, members in rows()
            for member in members
            if not has(found(module, name), member)
        ]

        expect(missing).to(equal([]))

    with it("names everything that the playbooks of the page about extending import"):
        public = {(module, name) for module, name, _, _ in rows()}
        section = EXTENDING[: EXTENDING.index("## A guard")]
        imports = re.findall(r"^from (playbooks[\w.]*) import (.+)$", section, re.MULTILINE)
        used = {(module, name) for module, names in imports for name in names.split(", ")}
        modules = {module for module, _ in public}
        others = [
            f"{module}.{name}"
            for module, name in sorted(used)
            if (module, name) not in public
            and f"{module}.{name}" not in modules
            and module != "playbooks.testing"
        ]

        # Modules of the examples themselves, and what a spec of one looks at beside.
        expect([each for each in others if each not in BESIDE]).to(equal([]))

    with it("has everything that the page about extending says one declares"):
        missing = []
        for table, name in (("of the reaction", "Reaction"), ("of its containment", "Containment")):
            members = {m for _, each, _, found in rows() if each == name for m in found}
            missing += [f"{name}.{each}" for each in declared(table) if each not in members]

        expect(missing).to(equal([]))

    with it("names the version as what is installed has it"):
        expect(playbooks.__version__).to(equal(VERSION))
