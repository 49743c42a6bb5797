"""What one worker's NATS user may do, and nothing else.

It reaches its own consumers, inbox and answers, and those of no other worker. Subscribing to all of
``_INBOX.>`` would show it what other clients of the account are told, alerts among it.
Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from __future__ import annotations

import re
from typing import Iterable, List, Tuple

from playbooks.engines.worker.function import (
    ALERTS,
    DEAD_LETTERS,
    INBOXES,
    OUTCOMES,
    Function,
    inbox_prefix,
    readers,
)

_CREATE, _NEXT = "$JS.API.CONSUMER.CREATE", "$JS.API.CONSUMER.MSG.NEXT"
_INFO, _DELETE = "$JS.API.CONSUMER.INFO", "$JS.API.CONSUMER.DELETE"


def publishing(
    function: Function, topics: Iterable[str], *, stream: str = ALERTS.name, dead: bool = True
) -> List[str]:
    """Subjects. ``stream``: that has the alerts. ``dead``: also what ``falco-playbook dead`` needs,
    and counting dead letters, which reaches those of all workers."""
    found = ["$JS.API.STREAM.LIST", f"$JS.API.CONSUMER.LIST.{stream}"]
    for topic in sorted(set(topics)):
        found += _consumer(stream, function.consumer(topic), topic)
    found += _consumer(INBOXES.name, function.consumer(""), function.inbox)
    for name in readers(function.namespace, function.name):
        found += [f"{_CREATE}.{stream}.{name}.{ALERTS.subjects}", f"{_NEXT}.{stream}.{name}"]
        found += [f"{_DELETE}.{stream}.{name}"]
        found += [f"{_CREATE}.{OUTCOMES.name}.{name}.{function.outcomes}"]
        found += [f"{_NEXT}.{OUTCOMES.name}.{name}"]
    found += [function.dead_letters, f"{function.dead_letters}.*"]
    found += [function.inbox, function.outcome(">"), function.outcomes]
    if dead:
        found += [f"$JS.API.STREAM.MSG.{verb}.{DEAD_LETTERS.name}" for verb in ("GET", "DELETE")]
    return found


def subscribing(function: Function) -> List[str]:
    """Subjects."""
    return [f"{inbox_prefix(function.namespace, function.name)}.>", function.outcome(">")]


def user(function: Function) -> Tuple[str, str]:
    """Its name, and the variable of the server's environment that has its password."""
    name = f"{function.namespace}.{function.name}"
    return name, re.sub("[^A-Z0-9]", "_", name.upper())


def _consumer(stream: str, name: str, subject: str) -> List[str]:
    return [
        f"{_CREATE}.{stream}.{name}.{subject}",
        *(f"{call}.{stream}.{name}" for call in (_INFO, _DELETE, _NEXT)),
        f"$JS.ACK.{stream}.{name}.>",
    ]
