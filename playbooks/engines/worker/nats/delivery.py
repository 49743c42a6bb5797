"""One delivery of a message, from a stream or without one, and its headers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Callable, Dict, Mapping, Optional, Protocol, Tuple, Union

from playbooks.core.alert import Alert, NoAlert
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import Instant
from playbooks.core.tracing.traceparent import TraceParent, headers_of
from playbooks.engines.worker.function import Function

# The header of a message of the worker to itself, which is no alert.
PROBE = "Falco-Probe"

# Beginnings of names of headers that are not sent again, in lower case.
_NOT_CARRIED = ("nats-", "falco-", "status", "description", "traceparent", "tracestate")

# Characters of a header, and the name of one that nats-py sends: it raises for any other, which a
# server takes.
LONGEST = 1000
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)

# Headers of a message that are sent again.
MOST = 20

# Bytes of a message beside its body and its own headers: what it is stored with.
ROOM = 512


@dataclass(frozen=True)
class Origin:
    """Where in a stream a message lies.

    The time belongs to it: a server that lost its data counts from 1 again.
    """

    stream: str
    sequence: int
    stored: Instant
    number: int
    pending: int = 0

    @classmethod
    def of(cls, reply: str) -> Optional[Origin]:
        """Read from the reply subject of a message; None where it is not JetStream's.

        Nine tokens, or with the domain and account in front of the stream eleven and more. Source:
        https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-15.md
        """
        tokens = reply.split(".")
        if tokens[:2] != ["$JS", "ACK"]:
            return None
        if len(tokens) == 9:
            tokens = tokens[2:]
        elif len(tokens) >= 11:
            tokens = tokens[4:]
        else:
            return None
        try:
            number, sequence, _, stored, pending = (int(token) for token in tokens[2:7])
        except ValueError:
            return None
        return cls(tokens[0], sequence, Instant(stored), number, pending)

    @property
    def key(self) -> Tuple[str, int, int]:
        return self.stream, self.sequence, self.stored.nanoseconds

    def __str__(self) -> str:
        return f"{self.stream}:{self.sequence}"


class Channel(Protocol):
    """How the server hears of a delivery. Each may raise an error of the connection: the server
    then delivers the message again."""

    async def acknowledge(self) -> None: ...

    async def give_back(self, delay: float) -> None: ...

    async def keep(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Delivery:
    """``topic``: that of the consumer which delivered it, empty for the inbox of the function.
    ``released_by``: the person who redelivered a dead letter, once that is proven."""

    topic: str
    subject: str
    body: bytes
    origin: Origin
    channel: Channel
    headers: Mapping[str, str] = field(default_factory=dict)
    durable: bool = True
    released_by: str = ""

    @property
    def trace(self) -> Optional[TraceParent]:
        """The one that the sender names."""
        return TraceParent.of_headers(self.headers)

    def forget(self) -> None:
        """Keep where it came from alone, where another one is answered in its place."""
        self.__dict__.pop("alert", None)
        object.__setattr__(self, "body", b"")

    @cached_property
    def alert(self) -> Union[Alert, bytes]:
        """Read once, for all who ask; the body where that is no alert."""
        try:
            return Alert.parse(self.body)
        except InvalidAlert as error:
            return NoAlert.of(self.body, error)


# Begins with a delivery, and with what is to be called when it is no longer claimed.
Take = Callable[[Delivery, Callable[[], None]], None]


def carried(headers: Mapping[str, str]) -> Dict[str, str]:
    """The message's own headers, as far as they may be sent again.

    ``Nats-*`` tell the server what to do, such as to purge a subject; ``Falco-*`` are ours. A trace
    is named where it is a valid one.
    """
    kept = dict(headers_of(TraceParent.of_headers(headers)))
    for key, value in list(headers.items())[:MOST]:
        if _NAME.fullmatch(key) and not key.lower().startswith(_NOT_CARRIED):
            kept[key] = plain(value)
    return kept


def number_of(text: str) -> Optional[int]:
    """Of a header, which somebody else may write; None where it is none, or has no end."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def size_of(headers: Mapping[str, str]) -> int:
    """Bytes that they take of a message; they are ASCII."""
    return sum(len(f"{key}: {value}\r\n") for key, value in headers.items())


def owned(function: Function, playbook: str) -> Dict[str, str]:
    """The headers that say whose message it is, among those of all functions."""
    return {
        "Falco-Function": str(function),
        "Falco-Function-Uid": function.uid,
        "Falco-Playbook": plain(playbook),
    }


def plain(text: str) -> str:
    """One line of ASCII, as a header may hold."""
    flat = " ".join(text.split())
    return flat.encode("ascii", "backslashreplace").decode()[:LONGEST]
