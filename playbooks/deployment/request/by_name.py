"""Playbooks by the names that are typed, or deployed: an unknown one is a UsageError, or None."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Collection, Optional

from playbooks.core import catalogue
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.deployment.errors import UsageError


def load(name: str) -> Playbook:
    """The declaration of a playbook. Raises UsageError with the list of those there are."""
    try:
        return catalogue.load(name)
    except InvalidSetting as error:
        raise UsageError([f"{error}{meant(name, catalogue.names())}"]) from error


def meant(typed: str, known: Collection[str], *, alike: float = 0.6) -> str:
    """Said of a name that is none of the known ones: the one that is most like it; or empty.
    ``alike``: how much it has to be, up to 1."""
    found = get_close_matches(typed.lower(), known, n=1, cutoff=alike)
    return f", did you mean {found[0]}?" if found and typed not in known else ""


def find(name: str) -> Optional[Playbook]:
    """The same; None where it is none that is known here, as what is deployed may have."""
    return load(name) if name in catalogue.names() else None


def named(given: str, beside: Optional[Path] = None) -> str:
    """The name of the playbook that was typed, which may be the path of its file or the
    distribution that has it. Raises UsageError."""
    try:
        return catalogue.named(given, beside)
    except InvalidSetting as error:
        raise UsageError([str(error)]) from error
