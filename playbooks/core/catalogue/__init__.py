"""Which playbooks there are: every module at the top of the package, the entry points of installed
packages in the group ``falco_playbooks``, and the files that are named.

Directories ``playbooks`` elsewhere on the path, without an ``__init__.py``, are parts of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import playbooks
from playbooks.core.catalogue import installed, sources
from playbooks.core.catalogue.installed import EntryPoint
from playbooks.core.catalogue.sources import ATTRIBUTE, Source
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook

PACKAGE = Path(__file__).parents[2]

# What a module at the top of the package may be called. In the archive of a function one of
# another's package stands there by the name of its playbook, which may have a '-'.
_MODULE = re.compile(r"(?!__init__$)[A-Za-z_][A-Za-z0-9_-]*")

# By the name of the playbook: the files that were named to this program.
_files: Dict[str, Source] = {}


def directories() -> List[Path]:
    """Those that the package consists of, its own first."""
    return [PACKAGE, *_others(tuple(playbooks.__path__))]


@lru_cache(maxsize=None)
def _others(path: Tuple[str, ...]) -> Tuple[Path, ...]:
    others = [Path(each).resolve() for each in path]
    return tuple(each for each in others if each != PACKAGE.resolve())


def own_names() -> List[str]:
    """Of the playbooks that are modules of the package."""
    found = {path.stem for each in directories() for path in each.glob("*.py")}
    return sorted(found - {"__init__"})


def names() -> List[str]:
    """Of all that there are. What one of a package declares is not known before it is loaded."""
    return sorted({*own_names(), *_files, *(entry.name for entry in installed.entries())})


def named(typed: str, beside: Optional[Path] = None) -> str:
    """The name of what was typed: a playbook's name, the path of its file, or the distribution
    that has its entry point. A file is then known by its playbook's name, too.

    ``beside``: the directory to which a path is relative; default: the current one. Raises
    InvalidSetting for a file that cannot be used, a name that is taken, and a distribution without
    an entry point; an unknown name is given back.
    """
    if sources.is_path(typed):
        return _of_file((beside or Path()) / typed)
    entry = None
    if not _is_own(typed) and typed not in _files and typed:
        entry = installed.named(typed)
    name = entry.name if entry else typed
    if _is_own(name):
        _refuse_taken(name)
    return name


def load(name: str) -> Playbook:
    """The declaration of a playbook. Raises InvalidSetting with the list of those there are."""
    return _declared(name).playbook()


def source(name: str) -> Optional[Source]:
    """Where a playbook is declared that is no module of the package; None for one that is. Raises
    InvalidSetting."""
    return None if _is_own(name) else _declared(name)


def origin(name: str) -> str:
    """What messages call the place where it is declared."""
    return _declared(name).origin


def typed(name: str) -> str:
    """What is typed after ``-p`` for it: the file of one that is known by its file alone."""
    return _files[name].origin if name in _files else name


def containing(kind: str = "") -> List[Playbook]:
    """The playbooks whose containment can be released. ``kind``: of targets, as people type it
    (``pod``); by default all.

    A package that cannot be used has none: it does not keep others' from being released.
    """
    found = [(each, each.reaction.CONTAINMENT) for each in _usable()]
    return [playbook for playbook, ends in found if ends and kind in ("", *ends.KINDS)]


def leaving(playbook: Playbook) -> List[str]:
    """The playbooks that may leave on a target what this one leaves, itself among them: a chain
    has it as a step."""
    ends = {kind for kind, _ in playbook.containments}
    among = [each.name for each in _usable() if ends & {kind for kind, _ in each.containments}]
    return among or [playbook.name]


def summary(name: str) -> str:
    """The first line of its docstring."""
    found = _declared(name)
    found.playbook()
    return found.summary()


def _usable() -> List[Playbook]:
    found = [*map(load, own_names()), *(each.playbook() for each in _files.values())]
    for entry in installed.entries():
        if not any(each.name == entry.name for each in found):
            try:
                found.append(installed.source(entry).playbook())
            except InvalidSetting:
                continue
    return sorted(found, key=lambda each: each.name)


def _is_own(name: str) -> bool:
    if not _MODULE.fullmatch(name):
        return False
    return any((each / f"{name}.py").is_file() for each in directories())


def _declared(name: str) -> Source:
    if not _is_own(name):
        return _files.get(name) or installed.source(_installed(name))
    origin = f"playbooks/{name}.py"
    return Source(f"playbooks.{name}", ATTRIBUTE, PACKAGE.parent, True, origin, name)


def _of_file(path: Path) -> str:
    if path.resolve().parent in [each.resolve() for each in directories()]:
        return path.stem
    found = sources.of_file(path)
    name = found.playbook().name
    if _is_own(name):
        raise InvalidSetting(
            f"{path} declares the playbook {name}, which is one of this package: expected another"
            " name"
        )
    _refuse_prefix(name, str(path))
    _files[name] = found
    return name


def _installed(name: str) -> EntryPoint:
    found = [entry for entry in installed.entries() if entry.name == name]
    if len(found) > 1:
        raise InvalidSetting(f"{name!r} may be {' or '.join(map(str, found))}")
    if not found:
        raise InvalidSetting(f"there is no playbook {name!r}: one of {', '.join(names())}")
    _refuse_prefix(name, str(found[0]))
    return found[0]


def _refuse_prefix(name: str, origin: str) -> None:
    """``-N delete-shop`` is a deployment of delete, whose admission policies then hold it."""
    for own in own_names():
        if name.startswith(f"{own}-"):
            raise InvalidSetting(
                f"{origin} declares the playbook {name}, expected a name that does not begin with"
                f" {own}-: accounts of such names are those of {own}"
            )


def _refuse_taken(name: str) -> None:
    """Nobody takes one for the other."""
    for entry in installed.entries():
        if entry.name == name and entry.value.partition(":")[0] != f"playbooks.{name}":
            raise InvalidSetting(
                f"{entry} has the name of a playbook of this package: expected another name"
            )
