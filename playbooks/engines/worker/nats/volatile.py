"""Alerts from a NATS server without JetStream: at most once, shared by a queue group."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Sequence, Set, Tuple

from playbooks.core.instant import Instant
from playbooks.engines import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery, Origin, Take
from playbooks.engines.worker.nats.pull import MOST_BYTES
from playbooks.engines.worker.topics import Subscription

WARNING = (
    "this NATS server has no JetStream: alerts are not kept, and those that come while the worker"
    " is down, restarting or overloaded are lost. Switch JetStream on (nats-server -js; in NATS'"
    " Helm chart config.jetstream.enabled=true) and restart the worker"
)

# Alerts that may wait in memory, those among them that wait for another try.
MOST_WAITING = 10_000


@dataclass(eq=False)
class VolatileIntake:
    durable = False

    connection: Any
    function: Function
    take: Take
    metrics: Metrics

    def __post_init__(self) -> None:
        self.subscriptions: Tuple[Subscription, ...] = ()
        self._listening: Dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self._waiting = self._bytes = 0
        self._timers: Set[asyncio.TimerHandle] = set()
        self._stopped = False

    def missing(self) -> str:
        return ""

    async def unusable(self) -> str:
        return ""

    async def apply(self, wanted: Sequence[Subscription]) -> None:
        self.subscriptions = tuple(wanted)
        topics = {s.topic for s in wanted}
        for topic in list(self._listening):
            if topic not in topics:
                await self._listening.pop(topic).unsubscribe()
                log.info(f"unsubscribed from {topic}")
        for topic in sorted(topics - set(self._listening)):
            self._listening[topic] = await self.connection.subscribe(
                topic, queue=self.function.consumer(topic), cb=self._receiver(topic)
            )
            log.info(f"subscribed to {topic}")
        await self.connection.flush()

    async def tick(self) -> None:
        """Nothing to look after."""

    async def renew(self) -> None:
        """nats-py subscribes again by itself."""

    def pause(self, away: bool) -> None:
        """What comes meanwhile waits in memory."""

    async def stop(self) -> None:
        self._stopped = True
        for topic, subscription in self._listening.items():
            try:
                await subscription.unsubscribe()
            except Exception as error:
                log.warn(f"not unsubscribed from {topic}: {error!r}")
        for timer in self._timers:
            timer.cancel()
            self._lose("it was waiting for another try when the worker was told to end")

    async def retire(self) -> None:
        """The server keeps nothing."""

    def _receiver(self, topic: str) -> Callable[[Any], Any]:
        async def receive(message: Any) -> None:
            if self._waiting >= MOST_WAITING:
                self._lose(f"{MOST_WAITING} are waiting")
                return
            if self._bytes + len(message.data) > MOST_BYTES:
                self._lose(f"{MOST_BYTES} bytes of them are waiting")
                return
            origin = Origin("", next(self._numbers), Instant(time.time_ns()), 1)
            self._deliver(topic, message.subject, message.data, origin)

        return receive

    def _deliver(self, topic: str, subject: str, body: bytes, origin: Origin) -> None:
        size = len(body)
        self._count(1, size)
        later = replace(origin, number=origin.number + 1)
        channel = _InMemory(lambda delay: self._again(delay, topic, subject, body, later))
        delivery = Delivery(topic, subject, body, origin, channel, durable=False)
        self.take(delivery, lambda: self._count(-1, -size))

    def _count(self, number: int, size: int) -> None:
        """Those that are answered or wait for that, and those that wait for another try."""
        self._waiting += number
        self._bytes += size

    def _again(self, delay: float, topic: str, subject: str, body: bytes, origin: Origin) -> None:
        if self._stopped:
            self._lose("the worker was told to end before it was done")
            return

        def deliver() -> None:
            self._timers.discard(timer)
            self._count(-1, -len(body))
            self._deliver(topic, subject, body, origin)

        self._count(1, len(body))
        timer = asyncio.get_running_loop().call_later(delay, deliver)
        self._timers.add(timer)

    def _lose(self, why: str) -> None:
        self.metrics.lost.inc()
        log.error(f"an alert is lost: {why}")


class _InMemory:
    """The channel of a message that only this process has."""

    def __init__(self, again: Callable[[float], None]) -> None:
        self._again = again

    async def acknowledge(self) -> None:
        """There is nobody to tell."""

    async def give_back(self, delay: float) -> None:
        self._again(delay)

    async def keep(self) -> None:
        """There is nobody to tell."""
