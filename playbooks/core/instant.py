"""A point in time with nanoseconds, as RFC 3339 writes it."""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Callable, Optional

from playbooks.core.settings import or_off

NANOSECONDS = 1_000_000_000

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))",
    re.ASCII,
)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_DURATION = re.compile(r"(\d{1,9})([smhd])", re.ASCII)


@dataclass(frozen=True, order=True)
class Instant:
    """Nanoseconds since the epoch. Falco writes nine digits, Falcosidekick trims zeros."""

    nanoseconds: int

    @classmethod
    def parse(cls, text: str) -> Instant:
        """Raises ValueError where the text is no RFC 3339 time."""
        match = _RFC3339.fullmatch(text)
        if match is None:
            raise ValueError("an RFC 3339 time such as 2026-01-02T03:04:05.123456789Z")
        day, clock, fraction, sign, hours, minutes = match.groups()
        try:
            seconds = _seconds(day, clock, sign, hours, minutes)
        except (ValueError, OverflowError):
            raise ValueError("a date and time that exist") from None
        return cls(seconds * NANOSECONDS + int((fraction or "").ljust(9, "0")))

    @property
    def seconds(self) -> int:
        """Whole seconds since the epoch."""
        return self.nanoseconds // NANOSECONDS

    def seconds_since(self, earlier: Instant) -> float:
        """How many seconds after ``earlier`` this is; negative when before it."""
        return (self.nanoseconds - earlier.nanoseconds) / NANOSECONDS

    @property
    def to_the_second(self) -> str:
        """As the API writes most times: ``2026-01-02T03:04:05Z``."""
        return f"{str(self).partition('.')[0]}Z"

    def __str__(self) -> str:
        return f"{_to_the_second(self.seconds)}.{self.nanoseconds % NANOSECONDS:09d}Z"


# In a flood most alerts are of the same second.
@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat()


@lru_cache(maxsize=256)
def _seconds(day: str, clock: str, sign: str, hours: str, minutes: str) -> int:
    moment = datetime.fromisoformat(f"{day}T{clock}")
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        moment = moment - offset if sign == "+" else moment + offset
    return timegm(moment.timetuple())


def after(time: Instant, seconds: float) -> Instant:
    """``seconds`` may be negative."""
    return Instant(time.nanoseconds + int(seconds * NANOSECONDS))


def instant_or_none(text: str) -> Optional[Instant]:
    """None where the text is no RFC 3339 time."""
    try:
        return Instant.parse(text)
    except ValueError:
        return None


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
    return or_off(duration(least, most))


@lru_cache(maxsize=256)
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
