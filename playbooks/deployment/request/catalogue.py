"""The playbooks, for names that are typed: an unknown one is a UsageError."""

from __future__ import annotations

from playbooks.core import catalogue
from playbooks.core.catalogue import PACKAGE, containing, names, summary
from playbooks.core.errors import InvalidSetting
from playbooks.core.playbook import Playbook
from playbooks.deployment.errors import UsageError

__all__ = ["PACKAGE", "containing", "load", "names", "summary"]


def load(name: str) -> Playbook:
    """The declaration of a playbook. Raises UsageError with the list of those there are."""
    try:
        return catalogue.load(name)
    except InvalidSetting as error:
        raise UsageError([str(error)]) from error
