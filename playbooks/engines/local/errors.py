"""The errors of this engine."""

from __future__ import annotations

from playbooks.core.errors import PermanentError


class CannotStart(Exception):
    """``str(error)`` is for the person at the terminal."""


class TimedOut(PermanentError):
    """The playbook did not answer within the function's timeout."""

    reason = "timed-out"


class NoAnswer(PermanentError):
    """Somebody gave the alert up before the playbook answered."""

    reason = "no-answer"
