"""Names on NATS: everything of one function holds the uid of its Function.

A Function that is deleted and created again has another uid, and starts from nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Mapping, Tuple

from playbooks.core.cluster.selectors import Labels
from playbooks.core.instant import Instant

#: Why the worker warns that NATS refuses it, as ``reason``; a later line ends that with ``over``.
UNAUTHORIZED = "nats-unauthorized"


@dataclass(frozen=True)
class Stream:
    """One that is created where none has its ``subjects``, and lets the oldest messages go.

    ``hours`` and ``megabytes``: what it keeps where an administrator creates it. Where a worker
    does, its settings say that, but for the hours of what people look ``back`` at.
    """

    name: str
    subjects: str
    hours: int
    megabytes: int
    back: bool = False


#: What publishers of Falco's alerts use.
ALERTS = Stream("FALCO", "falco.>", 72, 768)

#: Alerts for one function alone: from HTTP, and dead letters that are put back.
INBOXES = Stream("FALCO_INBOX", "falco-inbox.>", 72, 128)

#: Of all functions.
DEAD_LETTERS = Stream("FALCO_DEAD", "falco-dead.>", 30 * 24, 512, back=True)

#: What became of every alert, of all functions.
OUTCOMES = Stream("FALCO_OUTCOMES", "falco-outcomes.>", 30 * 24, 256, back=True)

STREAMS = (ALERTS, INBOXES, DEAD_LETTERS, OUTCOMES)

#: Bytes of the largest message that a stream which the worker creates takes, and of its headers.
LARGEST = 1024 * 1024
HEADERS = 64 * 1024

_EPOCH = Instant(0)

# Consumers of its own with which a function's programs read streams, one each at a time.
READERS = 4


def client(namespace: str, name: str) -> str:
    """One token for what a Function's programs name before they know its uid."""
    return hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:12]


def readers(namespace: str, name: str) -> Tuple[str, ...]:
    """The names of such consumers."""
    return tuple(f"falco-reader-{client(namespace, name)}-{n}" for n in range(READERS))


def inbox_prefix(namespace: str, name: str) -> str:
    """Of the subjects on which NATS answers a Function's programs: those of others need not be
    readable to it."""
    return f"_INBOX.{client(namespace, name)}"


@dataclass(frozen=True)
class Function:
    """The worker's own Function, as far as it matters to it; its names on NATS need no more than
    the uid."""

    namespace: str
    name: str
    uid: str
    created: Instant = _EPOCH
    labels: Labels = field(default_factory=dict)

    @staticmethod
    def of(manifest: Mapping[str, Any]) -> Function:
        metadata = manifest["metadata"]
        return Function(
            metadata["namespace"],
            metadata["name"],
            metadata["uid"],
            Instant.parse(metadata["creationTimestamp"]),
            dict(metadata.get("labels") or {}),
        )

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def dead_letters(self) -> str:
        """Where its dead letters go. Headers tell functions of one name apart."""
        return f"falco-dead.{self.name}"

    def dead_letter(self, reason: str, target: str) -> str:
        """Where the one dead letter about a target lies that was given up for this reason."""
        about = "\0".join((self.namespace, self.uid, reason, target))
        return f"{self.dead_letters}.{hashlib.sha256(about.encode()).hexdigest()[:24]}"

    @property
    def outcomes(self) -> str:
        """Where what became of its alerts is kept. Headers tell functions of one name apart."""
        return f"falco-outcomes.{self.name}"

    @property
    def inbox(self) -> str:
        """Alerts for this function alone: from HTTP, and dead letters that are put back."""
        return f"falco-inbox.{self.uid}"

    @property
    def consumer_prefix(self) -> str:
        return f"falco-{self.uid}-"

    def outcome(self, sequence: object) -> str:
        """Where replicas tell each other what became of an alert in the inbox (core NATS)."""
        return f"falco-outcome.{self.uid}.{sequence}"

    def consumer(self, topic: str) -> str:
        """A durable consumer's name: a hash, because a topic's dots and wildcards cannot be.
        ``topic`` empty: that of its inbox."""
        name = hashlib.sha256(topic.encode()).hexdigest()[:12] if topic else "inbox"
        return f"{self.consumer_prefix}{name}"
