"""Alerts from JetStream: a durable pull consumer a topic, and one for the function's inbox."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Sequence, Set, Tuple

from playbooks.core.instant import Instant
from playbooks.core.tracing.traceparent import TraceParent, headers_of
from playbooks.engines import log
from playbooks.engines.worker import topics as subscriptions
from playbooks.engines.worker.function import ALERTS, DEAD_LETTERS, INBOXES, Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.consumers import Consumer
from playbooks.engines.worker.nats.delivery import PROBE, Delivery, Take
from playbooks.engines.worker.nats.failures import RETRY, Failures, Refusals
from playbooks.engines.worker.nats.jetstream import ApiError, JetStream, NoJetStream, started
from playbooks.engines.worker.nats.pull import Pullers
from playbooks.engines.worker.nats.streams import Unusable
from playbooks.engines.worker.topics import Subscription

# Seconds between two looks at the consumers' depths, and for how long a consumer without a topic is
# looked through at least.
LOOK, FAREWELL = 10.0, 30.0

INBOX = ""


@dataclass(eq=False)
class DurableIntake:
    """``window``: messages claimed at once, a topic."""

    durable = True

    jetstream: JetStream
    connection: Any
    function: Function
    window: int
    take: Take
    metrics: Metrics

    def __post_init__(self) -> None:
        self._stream = ""
        self._inbox_stream = ""
        self.subscriptions: Tuple[Subscription, ...] = ()
        self._failures = Failures()
        self._pullers = Pullers(
            self.connection, window=self.window, take=self._taken, broken=self._failures.add
        )
        self._look_at = 0.0
        self._acknowledging: Set[asyncio.Task[None]] = set()
        self._refusals = Refusals(self.jetstream, self.function, self.metrics)
        self._ended: Dict[str, float] = {}

    async def prepare(self) -> None:
        """Streams, the inbox, and what an earlier run left. Raises Unusable or NoJetStream."""
        self._stream = await self.jetstream.stream(ALERTS)
        await self.jetstream.stream(DEAD_LETTERS)
        self._inbox_stream = await self.jetstream.stream(INBOXES)
        await self._begin(INBOX)
        now = Instant(time.time_ns())
        left = await self.jetstream.consumers(self._stream, self.function.consumer_prefix)
        known = {s.topic for s in self.subscriptions}
        for item in left:
            topic = item.config.filter_subject
            if topic and item.name == self.function.consumer(topic) and topic not in known:
                old = Subscription(topic, started(item.config), now)
                self.subscriptions += (old,)
        log.info(f"alerts come from stream {self._stream}")

    def missing(self) -> str:
        return "; ".join(filter(None, (self._refusals.words, self._failures.words())))

    async def unusable(self) -> str:
        try:
            await self.jetstream.stream(DEAD_LETTERS)
        except Exception as error:
            return f"dead letters cannot be stored: {str(error) or repr(error)}"
        return await self._refusals.store() or await self._refusals.look()

    async def apply(self, wanted: Sequence[Subscription]) -> None:
        topics = [s.topic for s in wanted]
        ended = subscriptions.retired(self.subscriptions, topics, Instant(time.time_ns()))
        self.subscriptions = (*wanted, *ended)
        for subscription in ended:
            self._ended.setdefault(subscription.topic, time.monotonic() + FAREWELL)
        for topic in topics:
            self._ended.pop(topic, None)
        for subscription in self.subscriptions:
            await self._ensure(subscription.topic)

    async def tick(self) -> None:
        self._pullers.tick()
        now = time.monotonic()
        for topic in self._failures.due(now):
            await self._ensure(topic)
        if now >= self._look_at:
            self._look_at = now + LOOK
            await self._look()
            await self._refusals.look()
        for topic, until in list(self._ended.items()):
            if now >= until:
                await self._farewell(topic)

    async def renew(self) -> None:
        for topic in self._pullers:
            self._pullers.renew(topic)
            # A server that lost its data, or let a consumer go, is noticed now.
            self._failures.suspect(topic)

    def pause(self, away: bool) -> None:
        self._pullers.pause(away)

    async def keep(self, body: bytes, trace: Optional[TraceParent] = None) -> Tuple[str, int]:
        """Store an alert for this function alone. ``trace``: the one that its sender names."""
        if not self.connection.is_connected:
            raise Unusable("the connection to NATS is lost")
        stored = await self.jetstream.store(self.function.inbox, body, headers_of(trace))
        return stored.stream, stored.seq

    async def discard(self) -> None:
        """Undo ``prepare`` where it came half way."""
        for topic in self._pullers:
            await self._pullers.drop(topic)

    async def stop(self) -> None:
        """No more requests. What still comes is handed back by whoever takes it."""
        self._pullers.stop()

    async def retire(self) -> None:
        left = []
        try:
            prefix = self.function.consumer_prefix
            left = [c.name for c in await self.jetstream.consumers(self._stream, prefix)]
        except Exception as error:
            log.warn(f"consumers of {self._stream} are left to their inactive threshold: {error!r}")
        inbox = (self._inbox_stream, self.function.consumer(INBOX))
        for stream, name in dict.fromkeys([*((self._stream, name) for name in left), inbox]):
            try:
                await self.jetstream.delete_consumer(stream, name)
            except Exception as error:
                log.warn(f"consumer {name} is left to its inactive threshold: {error!r}")
            else:
                log.info(f"deleted consumer {name} of stream {stream}: the function is removed")

    def _taken(self, delivery: Delivery, freed: Callable[[], None]) -> None:
        if delivery.topic or PROBE not in delivery.headers:
            self.take(delivery, freed)
            return

        async def acknowledge() -> None:
            with contextlib.suppress(Exception):
                await delivery.channel.acknowledge()
            freed()

        task = asyncio.get_running_loop().create_task(acknowledge())
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _ensure(self, topic: str) -> None:
        """Begin with a topic, or say why that is not possible yet."""
        try:
            await self._begin(topic)
        except (Unusable, NoJetStream, ApiError, OSError) as error:
            self._failures.add(topic, str(error))
        except Exception as error:
            self._failures.add(topic, repr(error))
        else:
            if self._failures.over(topic):
                self._pullers.renew(topic)

    async def _begin(self, topic: str) -> None:
        """Raises what keeps the topic from being served."""
        subscription = next((s for s in self.subscriptions if s.topic == topic), None)
        if not topic:
            await self._begin_inbox()
        elif subscription is None:
            await self._drop_puller(topic)
        elif subscription.active:
            stream = await self._alert_stream(topic)
            name = self.function.consumer(topic)
            await self.jetstream.consumer(stream, Consumer(name, topic, subscription.since))
            said = f"subscribed to {topic}: alerts stored since {subscription.since}"
            await self._pull(topic, stream, name, said)
        else:
            await self._look_through(topic)

    async def _begin_inbox(self) -> None:
        stream = self._inbox_stream = await self.jetstream.stream(INBOXES)
        name = self.function.consumer(INBOX)
        await self.jetstream.consumer(stream, Consumer(name, self.function.inbox, None))
        await self._pull(INBOX, stream, name, f"alerts by HTTP are kept in stream {stream}")

    async def _look_through(self, topic: str) -> None:
        """What the consumer of an ended topic still owes, where it is still there."""
        stream = await self._alert_stream(topic)
        name = self.function.consumer(topic)
        if await self.jetstream.info(stream, name) is None:
            await self._drop_puller(topic)
        else:
            await self._pull(topic, stream, name, f"reading the remaining messages of {topic}")

    async def _pull(self, topic: str, stream: str, consumer: str, said: str) -> None:
        if await self._pullers.begin(topic, stream, consumer):
            log.info(said)

    async def _alert_stream(self, topic: str) -> str:
        """The stream, looked for again where something went wrong with the topic."""
        if topic in self._failures or not self._stream:
            self._stream = await self.jetstream.stream(ALERTS)
        return self._stream

    async def _drop_puller(self, topic: str) -> None:
        self._ended.pop(topic, None)
        self.subscriptions = tuple(s for s in self.subscriptions if s.topic != topic or s.active)
        if await self._pullers.drop(topic):
            self.metrics.queued.remove(topic)

    async def _farewell(self, topic: str) -> None:
        """Delete the consumer of a topic that is no more, once it owes nothing."""
        name = self.function.consumer(topic)
        try:
            info = await self.jetstream.info(self._stream, name)
            if info and (info.num_pending or info.num_ack_pending):
                self._ended[topic] = time.monotonic() + RETRY
                return
            await self.jetstream.delete_consumer(self._stream, name)
        except Exception as error:
            log.warn(f"the consumer of {topic} is left to its inactive threshold: {error!r}")
        await self._drop_puller(topic)
        log.info(f"unsubscribed from {topic}")

    async def _look(self) -> None:
        for topic in [topic for topic in self._pullers if topic not in self._failures]:
            stream = self._stream if topic else self._inbox_stream
            name = self.function.consumer(topic)
            try:
                info = await self.jetstream.info(stream, name)
            except Exception:
                continue
            if info is None:
                self._failures.add(topic, f"consumer {name} is gone")
            elif topic in self._pullers:
                depth = (info.num_pending or 0) + (info.num_ack_pending or 0)
                self.metrics.queued(topic or "(inbox)").set(depth)
