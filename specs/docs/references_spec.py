"""What docstrings and comments of the package name is there."""

import importlib
import re

from expects import be_above, equal, expect
from mamba import description, it

from specs.support.processes import ROOT

MODULE = re.compile(r"``(?:[^`\n]* )?(playbooks(?:\.[a-z_]+)+)")
FILE = re.compile(r"(?<![\w/.-])((?:playbooks|specs|docs)/[\w/-]+\.\w+)")


def named(pattern):
    """Each name that matches, with the file that has it."""
    for path in sorted((ROOT / "playbooks").rglob("*.py")):
        for name in pattern.findall(path.read_text(encoding="utf-8")):
            yield path.name, name


def is_there(name):
    """A module, or something that one has."""
    parent, _, attribute = name.rpartition(".")
    path = ROOT / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    return bool(parent) and hasattr(importlib.import_module(parent), attribute)


with description("The docstrings and comments of the package") as self:
    with it("name modules that are there"):
        found = list(named(MODULE))

        expect([each for each in found if not is_there(each[1])]).to(equal([]))
        expect(len(found)).to(be_above(3))

    with it("name files that are there"):
        found = list(named(FILE))

        expect([each for each in found if not (ROOT / each[1]).exists()]).to(equal([]))
        expect(len(found)).to(be_above(2))
