"""Playbooks of installed packages: entry points of the group ``falco_playbooks``.

::

    [project.entry-points.falco_playbooks]
    quarantine = "acme_quarantine:playbook"

The name is the playbook's. What an entry point says is read without importing anything:
https://packaging.python.org/specifications/entry-points.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import List, NamedTuple, Optional, Tuple

from playbooks.core.catalogue.sources import NAMES, Source, path_of
from playbooks.core.errors import InvalidSetting
from playbooks.core.settings import DNS_LABEL

GROUP = "falco_playbooks"

_VALUE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*:\s*([^\W\d]\w*)")


class EntryPoint(NamedTuple):
    """One entry point, and the distribution that has it."""

    name: str
    value: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"entry point {self.name} of {self.distribution} {self.version} ({self.value})"


def entries() -> Tuple[EntryPoint, ...]:
    """Those of every installed package, in the order of their names."""
    return _entries(tuple(sys.path))


def named(typed: str) -> Optional[EntryPoint]:
    """The one of this name, or the only one of the distribution of this name. Raises
    InvalidSetting where there are several, or where the distribution has none."""
    found = [each for each in entries() if each.name == typed]
    found = found or [each for each in entries() if _normal(each.distribution) == _normal(typed)]
    if len(found) > 1:
        raise InvalidSetting(f"{typed!r} may be {' or '.join(map(str, found))}")
    if not found and _is_installed(typed):
        raise InvalidSetting(
            f"{typed} is installed, and has no entry point in the group {GROUP}, expected one such"
            f' as {typed} = "{typed.replace("-", "_")}:playbook"'
        )
    return found[0] if found else None


def source(entry: EntryPoint) -> Source:
    """Raises InvalidSetting."""
    match = _VALUE.fullmatch(entry.value)
    if not match:
        raise InvalidSetting(f"{entry} cannot be used: expected MODULE:NAME of a Playbook")
    if not DNS_LABEL.fullmatch(entry.name):
        raise InvalidSetting(f"{entry} cannot be used: expected a name of {NAMES}")
    module, attribute = match.groups()
    try:
        path = path_of(module)
    except Exception as error:  # it imports the packages around it
        what = f"{type(error).__name__}: {error}"
        raise InvalidSetting(f"{entry} cannot be used: {what}") from error
    if not path.is_file() or path.suffix != ".py":
        raise InvalidSetting(f"{entry} cannot be used: {path} is no file of Python source")
    above = module.count(".") + (path.name == "__init__.py")
    return Source(module, attribute, path.resolve().parents[above], True, str(entry), entry.name)


@lru_cache(maxsize=None)
def _entries(path: Tuple[str, ...]) -> Tuple[EntryPoint, ...]:  # noqa: ARG001
    from importlib.metadata import distributions

    found: List[EntryPoint] = []
    for each in distributions():
        here = [entry for entry in each.entry_points if entry.group == GROUP]
        if here:
            name = each.metadata["Name"]
            found += [EntryPoint(e.name, e.value, name, each.version) for e in here]
    # A distribution that lies in two directories of the path is imported from the first.
    first = {(_normal(e.distribution), e.name): e for e in reversed(found)}
    return tuple(sorted(first.values()))


def _is_installed(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution(name)
    except (PackageNotFoundError, ValueError):
        return False
    return True


def _normal(name: str) -> str:
    """https://packaging.python.org/specifications/name-normalization"""
    return re.sub(r"[-_.]+", "-", name).lower()
