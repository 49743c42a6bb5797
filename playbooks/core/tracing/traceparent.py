"""The trace that the sender of an alert names, as W3C has it.

Source: https://www.w3.org/TR/trace-context/. Whoever can send an alert writes it: it has a fixed
form and length, is shown and passed on, and decides nothing. The flag "sampled" of it is not kept,
nor ``tracestate``: who is watched must not choose whether he is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Optional

HEADER = "traceparent"

# Version 00 is exactly this; later ones may have more behind a hyphen, which is left out.
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)

# Characters that are looked at.
_LONGEST = 512


@dataclass(frozen=True)
class TraceParent:
    """``trace_id``: 32 lowercase hexadecimal digits; ``span_id``: 16."""

    trace_id: str
    span_id: str

    @classmethod
    def parse(cls, text: str) -> Optional[TraceParent]:
        """None where the text is no valid one."""
        found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
        if found is None:
            return None
        version, trace_id, span_id, more = found.groups()
        if version == "ff" or (version == "00" and more):
            return None
        if not trace_id.strip("0") or not span_id.strip("0"):
            return None
        return cls(trace_id, span_id)

    @classmethod
    def of_headers(cls, headers: Mapping[str, str]) -> Optional[TraceParent]:
        """Of a request or a message; the case of the name does not matter. None where there is
        none, several, or no valid one."""
        given = [value for name, value in headers.items() if name.lower() == HEADER]
        return cls.parse(given[0].strip()) if len(given) == 1 else None

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


def headers_of(trace: Optional[TraceParent]) -> Mapping[str, str]:
    """What passes it on."""
    return {HEADER: str(trace)} if trace else {}
