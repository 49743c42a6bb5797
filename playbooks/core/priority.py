"""Falco's eight priorities, ordered."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """Higher is more urgent: ``Priority.EMERGENCY > Priority.DEBUG``.

    Source: falcosecurity/falco, ``userspace/engine/falco_common.cpp``.
    """

    DEBUG = 1
    INFORMATIONAL = 2
    NOTICE = 3
    WARNING = 4
    ERROR = 5
    CRITICAL = 6
    ALERT = 7
    EMERGENCY = 8

    @classmethod
    def of(cls, name: str) -> Priority:
        """Read a priority in any case; ``info`` is what rules write for Informational.

        Raises ValueError that lists the known names.
        """
        key = name.strip().upper()
        if key == "INFO":
            return cls.INFORMATIONAL
        try:
            return cls[key]
        except KeyError:
            known = ", ".join(str(priority) for priority in reversed(cls))
            raise ValueError(f"one of {known}") from None

    def __str__(self) -> str:
        return self.name.capitalize()
