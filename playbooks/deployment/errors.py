"""What stops a deployment, and the code with which ``deploy_playbook`` then exits.

::

    DeploymentError        1  the cluster, or what is between us and it, says no
     +-- UsageError        2  what was typed cannot be deployed
     +-- Interrupted     130  somebody pressed Ctrl-C, or sent SIGTERM (143) or SIGHUP (129)
     +-- KubectlError      1  see kubectl.py
"""

from __future__ import annotations

from typing import Sequence


class DeploymentError(Exception):
    """``str(error)`` says what happened and what to do."""

    exit_code = 1


class UsageError(DeploymentError):
    """Everything that is wrong, at once."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Interrupted(DeploymentError):
    def __init__(self, signal_number: int, name: str) -> None:
        self.exit_code = 128 + signal_number
        super().__init__(f"interrupted by {name}")
