"""Alerts that were given up, stored with the reason, so that a person can look and redeliver."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Hashable, Optional, Sequence

from nats.js.api import PubAck

from playbooks.core.claim import Claim
from playbooks.core.instant import Instant
from playbooks.engines.worker import log
from playbooks.engines.worker.function import DEAD_LETTER_STREAM, DEAD_LETTERS, Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.nats.headers import carried, plain
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.work.verdict import Dead

# What the headers take of the server's largest message.
ROOM = 8192

# Targets whose last dead letters are known.
REMEMBERED = 10_000


@dataclass(frozen=True)
class LastLetter:
    """The last dead letter about a target: its sequence, the alerts it stands for, and when the
    first of these was stored."""

    sequence: int
    count: int
    first: Instant


class DeadLetters:
    """One for each target and reason, with the newest alert, how many there were, the first and the
    last. Other replicas, and this one after a restart, begin others.

    ``most``: bytes of the server's largest message.
    """

    def __init__(
        self, jetstream: JetStream, function: Function, playbook: str, most: int, metrics: Metrics
    ) -> None:
        self._jetstream = jetstream
        self._function = function
        self._playbook = playbook
        self._largest = max(0, most - ROOM)
        self._metrics = metrics
        self._writing = asyncio.Lock()
        self._kept: OrderedDict[Hashable, LastLetter] = OrderedDict()

    async def write(self, deliveries: Sequence[Delivery], dead: Dead) -> bool:
        """One dead letter for all of these, which are about the same target. Whether the alerts may
        be acknowledged now."""
        delivery = deliveries[-1]
        if delivery.durable:
            try:
                async with self._writing:
                    await self._keep(deliveries, dead)
            except Exception as error:
                log.error(f"no dead letter for {delivery.origin}, it is tried again: {error!r}")
                return False
            where = "kept as a dead letter"
            advice = f"; `falco-playbook dead -p {self._playbook}` shows it"
        else:
            where = "lost, without JetStream there are no dead letters"
            advice = ""
        ended = "is held" if dead.held else "is given up"
        also = f" with {len(deliveries) - 1} others" if len(deliveries) > 1 else ""
        log.warn(
            f"{delivery.origin}{also} {ended} and {where}: {dead.message}{advice}",
            reason=dead.reason,
        )
        self._metrics.gave_up(dead.reason, len(deliveries), held=dead.held)
        return True

    async def _keep(self, deliveries: Sequence[Delivery], dead: Dead) -> None:
        """In place of the last one about this target for this reason, as long as that is there."""
        delivery = deliveries[-1]
        target = _target(delivery)
        key = (dead.reason, target) if target is not None else None
        before = await self._last(key) if key is not None else None
        stored = [each.origin.stored for each in deliveries]
        first = min([*stored, before.first] if before else stored)
        count = len(deliveries) + (before.count if before else 0)
        ack = await self._store(delivery, dead, count, first, max(stored))
        if ack.duplicate or key is None:
            return
        self._kept[key] = LastLetter(ack.seq, count, first)
        self._kept.move_to_end(key)
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        if before is not None:
            await self._jetstream.delete_message(ack.stream, before.sequence)

    async def _last(self, key: Hashable) -> Optional[LastLetter]:
        """None where somebody redelivered or dropped it, or where it may not be looked for."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        try:
            stream = await self._jetstream.stream(DEAD_LETTERS, DEAD_LETTER_STREAM)
            found = await self._jetstream.message(stream, kept.sequence)
        except Exception:
            found = None
        return kept if found is not None else None

    async def _store(
        self, delivery: Delivery, dead: Dead, count: int, first: Instant, last: Instant
    ) -> PubAck:
        """The body as it came; ``Falco-Reason`` and the others say why and where it came from."""
        headers = {
            **carried(delivery.headers),
            "Falco-Reason": dead.reason,
            **({"Falco-Held": "true"} if dead.held else {}),
            **({"Falco-Trace-Id": dead.trace_id} if dead.trace_id else {}),
            "Falco-Message": plain(dead.message),
            "Falco-Subject": plain(delivery.subject),
            "Falco-Origin": str(delivery.origin),
            "Falco-Stored": str(delivery.origin.stored),
            "Falco-Deliveries": str(delivery.origin.number),
            "Falco-Playbook": self._playbook,
            "Falco-Function": f"{self._function.namespace}/{self._function.name}",
            "Falco-Function-Uid": self._function.uid,
            "Falco-Count": str(count),
            "Falco-First": str(first),
            "Falco-Last": str(last),
            # One dead letter, also when the acknowledgement after it is lost.
            "Nats-Msg-Id": "-".join(map(str, (self._function.uid, *delivery.origin.key))),
        }
        body = delivery.body
        if len(body) > self._largest:
            headers["Falco-Cut"] = f"{len(body)} bytes"
            body = body[: self._largest]
        return await self._jetstream.store(self._function.dead_letters, body, headers)


def _target(delivery: Delivery) -> Optional[Claim]:
    """None where the alert is about nothing of the cluster."""
    alert = delivery.alert
    if isinstance(alert, bytes) or not (alert.claim.points_at_pod or alert.claim.host):
        return None
    return alert.claim
