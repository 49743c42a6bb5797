"""Which playbooks there are: every module at the top of the package, and nothing else.

Directories ``playbooks`` elsewhere on the path, without an ``__init__.py``, are parts of it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import List

import playbooks
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook

PACKAGE = Path(__file__).parents[1]


def directories() -> List[Path]:
    """Those that the package consists of, its own first."""
    others = [Path(each).resolve() for each in playbooks.__path__]
    return [PACKAGE, *(each for each in others if each != PACKAGE.resolve())]


def names() -> List[str]:
    found = {path.stem for each in directories() for path in each.glob("*.py")}
    return sorted(found - {"__init__"})


def load(name: str) -> Playbook:
    """The declaration of a playbook. Raises InvalidSetting with the list of those there are."""
    if not _is_there(name):
        raise InvalidSetting(f"there is no playbook {name!r}: one of {', '.join(names())}")
    try:
        declared = import_module(f"playbooks.{name}").playbook
    except (ImportError, AttributeError, SyntaxError) as error:
        raise InvalidSetting(f"playbooks/{name}.py cannot be used: {error}") from error
    if not isinstance(declared, Playbook) or declared.name != name:
        raise InvalidSetting(f"playbooks/{name}.py declares no Playbook of the name {name!r}")
    return declared


def _is_there(name: str) -> bool:
    if name == "__init__" or not name.isidentifier():
        return False
    return any((each / f"{name}.py").is_file() for each in directories())


def containing(kind: str = "") -> List[Playbook]:
    """The playbooks whose containment of a ``pod`` or a ``node``, or of either, can be released."""
    found = [(each, each.reaction.CONTAINMENT) for each in map(load, names())]
    return [playbook for playbook, ends in found if ends and kind in ("", ends.KIND)]


def summary(name: str) -> str:
    """The first line of its docstring."""
    return (import_module(f"playbooks.{name}").__doc__ or "").strip().partition("\n")[0]
