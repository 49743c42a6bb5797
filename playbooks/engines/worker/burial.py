"""Alerts that are given up: each becomes a dead letter before it is acknowledged."""

from __future__ import annotations

from typing import Protocol

from playbooks.engines.worker import log
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.work.verdict import Dead

# Seconds until a message whose dead letter could not be written comes again.
DELAY = 30.0


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
