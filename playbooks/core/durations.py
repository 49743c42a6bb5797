"""Lengths of time as people write them: 90s, 10m, 2h, 7d."""

from __future__ import annotations

import re
from typing import Callable, Optional

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9})([smhd])", re.ASCII)


def duration(least: int, most: int) -> Callable[[str], float]:
    """The kind of a setting; ``least`` and ``most`` in seconds, as its value."""

    def kind(value: str) -> float:
        match = _DURATION.fullmatch(value)
        seconds = int(match.group(1)) * _UNITS[match.group(2)] if match else 0
        if not match or not least <= seconds <= most:
            raise ValueError(f"a time from {shown(least)} to {shown(most)} such as 90s, 10m or 2h")
        return float(seconds)

    return kind


def duration_or_off(least: int, most: int) -> Callable[[str], Optional[float]]:
    """The same, or None for ``off``."""
    kind = duration(least, most)

    def or_off(value: str) -> Optional[float]:
        if value == "off":
            return None
        try:
            return kind(value)
        except ValueError as error:
            raise ValueError(f"{error}, or off") from None

    return or_off


def shown(seconds: float) -> str:
    """In the two largest units: ``2d 3h``, ``10m``, ``1m 30s``, ``0.2s``."""
    if seconds < 1:
        return f"{seconds:.1f}s"
    left, parts = round(seconds), []
    for unit, size in reversed(list(_UNITS.items())):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts[:2])
