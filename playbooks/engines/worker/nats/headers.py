"""Headers of NATS messages: those that may be sent again, and text that fits into one."""

from __future__ import annotations

from typing import Dict, Mapping

from playbooks.core.tracing.traceparent import TraceParent, headers_of

# Beginnings of names, in lower case.
_NOT_CARRIED = ("nats-", "falco-", "status", "description", "traceparent", "tracestate")

# Characters of a header.
LONGEST = 1000


def carried(headers: Mapping[str, str]) -> Dict[str, str]:
    """The message's own headers, as far as they may be sent again.

    ``Nats-*`` tell the server what to do, such as to purge a subject; ``Falco-*`` are ours. A trace
    is named where it is a valid one.
    """
    kept = dict(headers_of(TraceParent.of_headers(headers)))
    for key, value in list(headers.items())[:20]:
        if not key.lower().startswith(_NOT_CARRIED):
            kept[key] = plain(value)
    return kept


def plain(text: str) -> str:
    """One line of ASCII, as a header may hold."""
    flat = " ".join(text.split())
    return flat.encode("ascii", "backslashreplace").decode()[:LONGEST]
