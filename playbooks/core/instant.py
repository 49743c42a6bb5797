"""A point in time with nanoseconds, as RFC 3339 writes it."""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass
from datetime import datetime, timedelta

NANOSECONDS = 1_000_000_000

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))",
    re.ASCII,
)


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
            moment = datetime.fromisoformat(f"{day}T{clock}")
            if sign:
                if int(hours) > 23 or int(minutes) > 59:
                    raise ValueError
                offset = timedelta(hours=int(hours), minutes=int(minutes))
                moment = moment - offset if sign == "+" else moment + offset
        except (ValueError, OverflowError):
            raise ValueError("a date and time that exist") from None
        seconds = timegm(moment.timetuple())
        return cls(seconds * NANOSECONDS + int((fraction or "").ljust(9, "0")))

    @property
    def seconds(self) -> int:
        """Whole seconds since the epoch."""
        return self.nanoseconds // NANOSECONDS

    def seconds_since(self, earlier: Instant) -> float:
        """How many seconds after ``earlier`` this is; negative when before it."""
        return (self.nanoseconds - earlier.nanoseconds) / NANOSECONDS

    def __str__(self) -> str:
        moment = datetime(1970, 1, 1) + timedelta(seconds=self.seconds)
        return f"{moment.isoformat()}.{self.nanoseconds % NANOSECONDS:09d}Z"
