"""Headers of NATS messages: those that may be sent again, and text that fits into one."""

from __future__ import annotations

from typing import Dict, Mapping

# Characters of a header.
LONGEST = 1000


def carried(headers: Mapping[str, str]) -> Dict[str, str]:
    """The message's own headers, as far as they may be sent again.

    ``Nats-*`` tell the server what to do, such as to purge a subject; ``Falco-*`` are ours.
    """
    kept = {}
    for key, value in list(headers.items())[:20]:
        if not key.lower().startswith(("nats-", "falco-", "status", "description")):
            kept[key] = plain(value)
    return kept


def plain(text: str) -> str:
    """One line of ASCII, as a header may hold."""
    flat = " ".join(text.split())
    return flat.encode("ascii", "backslashreplace").decode()[:LONGEST]
