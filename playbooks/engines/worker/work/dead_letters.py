"""Dead letters: alerts stored with the reason, so that a person can look and redeliver."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Optional, Sequence

from nats.js.api import PubAck, RawStreamMsg

from playbooks.core.instant import Instant, instant_or_none
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines import log
from playbooks.engines.outcome_log import claimed, named
from playbooks.engines.worker.function import DEAD_LETTERS, Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import (
    ROOM,
    Delivery,
    carried,
    number_of,
    owned,
    plain,
    size_of,
)
from playbooks.engines.worker.nats.jetstream import ApiError, JetStream, Overtaken
from playbooks.engines.worker.nats.streams import Unusable
from playbooks.engines.worker.work.verdict import Dead

# Times that a dead letter is counted anew because another replica wrote it first.
ATTEMPTS = 20

# Seconds for which dead letters are not counted once that could not be done.
REST = 600.0


@dataclass(frozen=True)
class Counted:
    """The alerts that a dead letter stands for, when the first and the last of these were stored,
    and its sequence; 0: there is none."""

    number: int = 0
    first: Optional[Instant] = None
    last: Optional[Instant] = None
    sequence: int = 0

    @classmethod
    def of(cls, message: Optional[RawStreamMsg]) -> Counted:
        if message is None:
            return cls()
        headers = message.headers or {}
        number = number_of(headers.get("Falco-Count", ""))
        return cls(
            1 if number is None else number,
            instant_or_none(headers.get("Falco-First", "")),
            instant_or_none(headers.get("Falco-Last", "")),
            message.seq or 0,
        )

    def with_these(self, deliveries: Sequence[Delivery]) -> Counted:
        stored = [each.origin.stored for each in deliveries]
        return Counted(
            self.number + len(deliveries),
            min([*stored, *([self.first] if self.first else [])]),
            max([*stored, *([self.last] if self.last else [])]),
        )


@dataclass(eq=False)
class DeadLetters:
    """One for each target and reason, with the newest alert, how many there were, the first and the
    last: read from the stream and written where nobody wrote it since, so that it is right after a
    restart, and with several replicas.

    ``most``: bytes of the server's largest message.
    """

    jetstream: JetStream
    function: Function
    playbook: str
    most: int
    metrics: Metrics
    redaction: Redaction

    def __post_init__(self) -> None:
        self._writing = asyncio.Lock()
        self._stream = ""
        self._uncounted_until = float("-inf")

    async def write(self, deliveries: Sequence[Delivery], dead: Dead) -> bool:
        """One dead letter for all of these, which are about the same target. Whether the alerts may
        be acknowledged now."""
        delivery, number = deliveries[-1], 0
        if delivery.durable:
            try:
                async with self._writing:
                    number = await self._keep(deliveries, dead)
            except Exception as error:
                log.error(f"no dead letter for {delivery.origin}, it is tried again: {error!r}")
                return False
        self._log(deliveries, dead, number)
        self.metrics.gave_up(dead.reason, len(deliveries), held=dead.held)
        return True

    def _log(self, deliveries: Sequence[Delivery], dead: Dead, number: int) -> None:
        delivery = deliveries[-1]
        also = f" with {len(deliveries) - 1} others" if len(deliveries) > 1 else ""
        about = f"{delivery.origin}{also}"
        where = f"ID {number} of `falco-playbook dead -p {self.playbook}`"
        if not number:
            ended = "is held" if dead.held else "failed"
            said = f"{about} {ended} and is lost, without JetStream there are no dead letters"
        elif dead.held:
            said = f"{about} is held and kept as a dead letter ({where})"
        else:
            said = f"{about} failed and is kept as a dead letter ({where})"
        log.warn(
            f"{said}: {dead.message}",
            playbook=self.playbook,
            event_id=str(delivery.origin),
            alert=self.redaction.document(named(delivery.alert)),
            **({} if dead.uid else claimed(delivery.alert, self.redaction)),
            reason=dead.reason,
            **({"dead_letter_id": number} if number else {}),
        )

    async def _keep(self, deliveries: Sequence[Delivery], dead: Dead) -> int:
        """In place of the last one about this target for this reason, as long as that is there. Its
        number in the stream, by which a person names it."""
        target = _target(deliveries[-1], dead)
        if target and time.monotonic() > self._uncounted_until:
            subject = self.function.dead_letter(dead.reason, target)
            try:
                return await self._counted(subject, deliveries, dead)
            except (Unusable, asyncio.TimeoutError) as error:
                number = await self._uncounted(deliveries, dead)
                # It could be kept, and so it was that subject, or the way to it, that could not.
                self._uncounted_until = time.monotonic() + REST
                log.warn(
                    f"a dead letter cannot be counted on {subject} ({error}): each alert has one of"
                    " its own for now. The NATS user of the worker may have to be let publish on"
                    f" {self.function.dead_letters}.* and $JS.API.STREAM.MSG.GET.FALCO_DEAD"
                )
                return number
        return await self._uncounted(deliveries, dead)

    async def _uncounted(self, deliveries: Sequence[Delivery], dead: Dead) -> int:
        counted = Counted().with_these(deliveries)
        ack = await self._store(self.function.dead_letters, deliveries[-1], dead, counted)
        return ack.seq

    async def _counted(self, subject: str, deliveries: Sequence[Delivery], dead: Dead) -> int:
        for _ in range(ATTEMPTS):
            if not self._stream:
                self._stream = await self.jetstream.stream(DEAD_LETTERS)
            try:
                before = Counted.of(await self.jetstream.last_message(self._stream, subject))
                counted = before.with_these(deliveries)
                ack = await self._store(
                    subject, deliveries[-1], dead, counted, after=before.sequence
                )
            except Overtaken:
                continue
            except Exception:
                # It may be gone, and be made anew by another name.
                self._stream = ""
                raise
            if before.sequence and not ack.duplicate:
                await self._remove(before.sequence)
            return ack.seq
        raise Overtaken(subject, f"{ATTEMPTS} times")

    async def _remove(self, sequence: int) -> None:
        """Where it stays, only the newest of a subject counts."""
        try:
            await self.jetstream.delete_message(self._stream, sequence)
        except ApiError:
            # Somebody redelivered or dropped it.
            return
        except Exception as error:
            log.warn(f"dead letter {sequence}, which a newer one replaces, stays: {error!r}")

    async def _store(
        self,
        subject: str,
        delivery: Delivery,
        dead: Dead,
        counted: Counted,
        *,
        after: Optional[int] = None,
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
            **owned(self.function, self.playbook),
            "Falco-Count": str(counted.number),
            "Falco-First": str(counted.first),
            "Falco-Last": str(counted.last),
            # One dead letter, also when the acknowledgement after it is lost.
            "Nats-Msg-Id": "-".join(map(str, (self.function.uid, *delivery.origin.key))),
        }
        body = delivery.body
        largest = max(0, self.most - size_of(headers) - ROOM)
        if len(body) > largest:
            headers["Falco-Cut"] = f"{len(body)} bytes"
            body = body[:largest]
        return await self.jetstream.store(subject, body, headers, after=after)


def _target(delivery: Delivery, dead: Dead) -> str:
    """The object that was proven, or else what the alert points at; empty where that is nothing of
    the cluster."""
    if dead.uid:
        return f"uid {dead.uid}"
    alert = delivery.alert
    if isinstance(alert, bytes) or not (alert.claim.points_at_pod or alert.claim.host):
        return ""
    claim = alert.claim
    parts = (claim.namespace, claim.pod, claim.uid, claim.container_id, claim.node)
    return f"claim {' '.join(parts)}"
