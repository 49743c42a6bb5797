"""Alerts that were given up, stored with the reason, so that a person can look and redeliver."""

from __future__ import annotations

from playbooks.engines.worker import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.nats.headers import carried, plain
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.work.verdict import Dead

# What the headers take of the server's largest message.
ROOM = 8192


class DeadLetters:
    """``most``: bytes of the server's largest message."""

    def __init__(
        self, jetstream: JetStream, function: Function, playbook: str, most: int, metrics: Metrics
    ) -> None:
        self._jetstream = jetstream
        self._function = function
        self._playbook = playbook
        self._largest = max(0, most - ROOM)
        self._metrics = metrics

    async def write(self, delivery: Delivery, dead: Dead) -> bool:
        """Whether the alert may be acknowledged now."""
        if delivery.durable:
            try:
                await self._store(delivery, dead)
            except Exception as error:
                log.error(f"no dead letter for {delivery.origin}, it is tried again: {error!r}")
                return False
            where = "kept as a dead letter"
            advice = f"; `falco-playbook dead -p {self._playbook}` shows it"
        else:
            where = "lost, without JetStream there are no dead letters"
            advice = ""
        ended = "is held" if dead.held else "is given up"
        log.warn(
            f"{delivery.origin} {ended} and {where}: {dead.message}{advice}", reason=dead.reason
        )
        self._metrics.gave_up(dead.reason)
        return True

    async def _store(self, delivery: Delivery, dead: Dead) -> None:
        """The body as it came; ``Falco-Reason`` and the others say why and where it came from."""
        headers = {
            **carried(delivery.headers),
            "Falco-Reason": dead.reason,
            "Falco-Message": plain(dead.message),
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
