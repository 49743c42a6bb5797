"""Alerts that were given up, kept with why, so that somebody can look and put them back."""

from __future__ import annotations

from typing import Dict, Mapping, Protocol

from playbooks.engines.worker import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.work.verdict import Dead

# Characters of a header.
LONGEST = 1000

# What the headers take of the server's largest message.
ROOM = 8192

# Seconds until a message whose dead letter could not be written comes again.
DELAY = 30.0


class KeptDeadLetters:
    """The body as it came; ``Falco-Reason`` and the others say why and where it came from."""

    def __init__(self, jetstream: JetStream, function: Function, playbook: str, most: int) -> None:
        self._jetstream = jetstream
        self._function = function
        self._playbook = playbook
        self._largest = max(0, most - ROOM)

    async def write(self, delivery: Delivery, reason: str, message: str) -> None:
        headers = {
            **carried(delivery.headers),
            "Falco-Reason": reason,
            "Falco-Message": plain(message),
            "Falco-Subject": plain(delivery.subject),
            "Falco-Origin": str(delivery.origin),
            "Falco-Stored": str(delivery.origin.stored),
            "Falco-Deliveries": str(delivery.origin.number),
            "Falco-Playbook": self._playbook,
            "Falco-Function": f"{self._function.namespace}/{self._function.name}",
            "Falco-Function-Uid": self._function.uid,
            # One dead letter, also when the acknowledgement after it is lost.
            "Nats-Msg-Id": "-".join(map(str, (self._function.uid, *delivery.origin.key))),
        }
        body = delivery.body
        if len(body) > self._largest:
            headers["Falco-Cut"] = f"{len(body)} bytes"
            body = body[: self._largest]
        await self._jetstream.store(self._function.dead_letters, body, headers)


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


class DeadLetters(Protocol):
    async def write(self, delivery: Delivery, reason: str, message: str) -> None:
        """Returns when the server has stored it. Raises when it has not."""


class Burial:
    def __init__(self, letters: DeadLetters, metrics: Metrics) -> None:
        self._letters = letters
        self._metrics = metrics

    async def bury(self, delivery: Delivery, dead: Dead) -> bool:
        """Whether it may be acknowledged now. If not, it is handed back."""
        if delivery.durable:
            try:
                await self._letters.write(delivery, dead.reason, dead.message)
            except Exception as error:
                log.complain(f"no dead letter for {delivery.origin}, it will come again: {error!r}")
                await delivery.channel.give_back(DELAY)
                return False
            where = "kept as a dead letter"
        else:
            where = "lost, without JetStream there are no dead letters"
        ended = "is held" if dead.held else "is given up"
        log.warn(f"{delivery.origin} {ended} and {where}: {dead.message}", reason=dead.reason)
        self._metrics.gave_up(dead.reason)
        return True
