"""Playbooks by the names that are typed, or deployed: an unknown one is a UsageError, or None."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from playbooks.core import catalogue
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.deployment.errors import UsageError, meant


def load(name: str) -> Playbook:
    """The declaration of a playbook. Raises UsageError with the list of those there are."""
    try:
        return catalogue.load(name)
    except InvalidSetting as error:
        raise UsageError([f"{error}{meant(name, catalogue.names())}"]) from error


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
