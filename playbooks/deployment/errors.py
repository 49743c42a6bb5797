"""What stops a deployment, and the code with which ``deploy_playbook`` then exits.

::

    PlaybookError          1  of playbooks.core.errors: what the API server says, among others
     +-- DeploymentError   1  what a deployment needs is not there
          +-- UsageError   2  what was typed cannot be deployed
          +-- RolloutFailed 1 what was deployed does not become ready
          +-- TooLarge      1 it is more than what it goes into can hold; 2 where typing shows it
          +-- MissingRights 1 an administrator has to grant something first
          +-- Interrupted 130 somebody pressed Ctrl-C, or sent SIGTERM (143) or SIGHUP (129)
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Collection, Sequence

from playbooks.core.errors import PermanentError, PlaybookError


class DeploymentError(PermanentError):
    """``str(error)`` says what happened and what to do."""

    exit_code = 1


def exit_code(error: PlaybookError) -> int:
    return error.exit_code if isinstance(error, DeploymentError) else 1


class UsageError(DeploymentError):
    """Everything that is wrong, at once."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class TooLarge(DeploymentError):
    """``Engine.problems`` has it of what is made without a tool, such as pip."""


class MissingRights(DeploymentError):
    """Who deploys lacks rights. ``manifest``: the YAML that an administrator applies, or empty."""

    def __init__(self, message: str, manifest: str = "") -> None:
        self.manifest = manifest
        super().__init__(message)


class RolloutFailed(DeploymentError):
    """Everything is stored, and what was deployed does not become ready."""


class Interrupted(DeploymentError):
    def __init__(self, signal_number: int, name: str) -> None:
        self.exit_code = 128 + signal_number
        super().__init__(f"interrupted by {name}")


def meant(typed: str, known: Collection[str], *, alike: float = 0.6) -> str:
    """Said of a name that is none of the known ones, after what is wrong with it: the one that is
    most like it, in whatever case; or empty. ``alike``: how much it has to be, up to 1."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(typed.lower(), names, n=1, cutoff=alike)
    return f", did you mean {names[found[0]]}?" if found and typed not in known else ""
