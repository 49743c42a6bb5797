"""The one error of this engine: it cannot start, and says why."""

from __future__ import annotations


class CannotStart(Exception):
    """``str(error)`` is for the person at the terminal."""
