"""What the streams of Falco's alerts keep, for an administrator. Needs no client of NATS."""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.engines.worker.function import (
    ALERT_STREAM,
    ALERTS,
    DEAD_LETTER_HOURS,
    DEAD_LETTER_STREAM,
    DEAD_LETTERS,
    INBOX_STREAM,
    INBOXES,
    OUTCOME_HOURS,
    OUTCOME_STREAM,
    OUTCOMES,
)

#: Bytes of the largest message that a stream which the worker creates takes, and of its headers.
LARGEST = 1024 * 1024
HEADERS = 64 * 1024


@dataclass(frozen=True)
class Bounded:
    """A stream that lets the oldest messages go: ``hours`` and ``megabytes`` are what it keeps."""

    name: str
    subjects: str
    hours: int
    megabytes: int


STREAMS = (
    Bounded(ALERT_STREAM, ALERTS, 72, 768),
    Bounded(INBOX_STREAM, INBOXES, 72, 128),
    Bounded(DEAD_LETTER_STREAM, DEAD_LETTERS, DEAD_LETTER_HOURS, 512),
    Bounded(OUTCOME_STREAM, OUTCOMES, OUTCOME_HOURS, 256),
)
