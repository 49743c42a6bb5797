"""Pulls from a durable consumer what there is room for, as soon as it is there.

nats-py's own ``fetch`` of several messages waits for all of them or the end of its time; here a
message is taken when it comes, and a request stays open while there is nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, Optional

from playbooks.core.instant import NANOSECONDS
from playbooks.engines import log
from playbooks.engines.worker.function import HEADERS
from playbooks.engines.worker.nats.delivery import Delivery, Origin, Take

# Seconds that a request stays open at the server, and that its end may be late before the request
# counts as lost.
EXPIRES = 5.0
LATE = 2.0

# Bytes that may be claimed at once.
MOST_BYTES = 32 * 1024 * 1024


class StreamChannel:
    def __init__(self, connection: Any, reply: str) -> None:
        self._connection = connection
        self._reply = reply

    async def acknowledge(self) -> None:
        await self._connection.publish(self._reply, b"+ACK")

    async def give_back(self, delay: float) -> None:
        asked = json.dumps({"delay": int(delay * NANOSECONDS)}) if delay else ""
        await self._connection.publish(self._reply, f"-NAK {asked}".strip().encode())

    async def keep(self) -> None:
        await self._connection.publish(self._reply, b"+WPI")


@dataclass(eq=False)
class Puller:
    """``window``: messages that may be claimed at once, once as many have been settled: an alert
    that kills the worker is then claimed with few others, or alone, when it comes again, and they
    do not lose their deliveries with it. ``take`` gets each, and what to call when
    it is no longer claimed. ``broken`` is called when the consumer does not answer."""

    connection: Any
    stream: str
    consumer: str
    topic: str
    window: int
    take: Take
    broken: Callable[[str], None]

    def __post_init__(self) -> None:
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.consumer}"
        self._claimed = 0
        self._bytes = 0
        self._allowed = 1
        self._outstanding = 0
        self._deadline = 0.0
        self._paused = False
        self._inbox = ""
        self._subscription: Any = None
        self._asking: Optional[asyncio.Task[None]] = None

    async def start(self) -> None:
        self._inbox = self.connection.new_inbox()
        self._subscription = await self.connection.subscribe(self._inbox, cb=self._receive)
        self._ask()

    async def stop(self) -> None:
        self._paused = True
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    def pause(self, away: bool) -> None:
        """Ask for nothing more, or go on. What was asked for may still come."""
        self._paused = away
        self._ask()

    def renew(self) -> None:
        """After a new connection: whatever was asked of the old one is forgotten."""
        self._outstanding = 0
        self._ask()

    def tick(self) -> None:
        """Now and then: notice a request that got lost, or a consumer that is gone."""
        if self._outstanding and time.monotonic() > self._deadline:
            self._outstanding = 0
            self.broken(f"consumer {self.consumer} does not answer")
        self._ask()

    def _ask(self) -> None:
        free = self._allowed - self._claimed
        room = free >= max(1, self._allowed // 4) and self._has_bytes()
        if self._paused or self._outstanding or not room or not self.connection.is_connected:
            return
        self._outstanding = free
        self._deadline = time.monotonic() + EXPIRES + LATE
        self._asking = asyncio.get_running_loop().create_task(self._request(free))

    def _has_bytes(self) -> bool:
        """Whether the largest message there can be has room."""
        largest = self.connection.max_payload + HEADERS
        return not self._claimed or self._bytes + largest <= MOST_BYTES

    async def _request(self, batch: int) -> None:
        wanted = {"batch": batch, "expires": int(EXPIRES * NANOSECONDS)}
        if batch > 1:
            wanted["max_bytes"] = MOST_BYTES - self._bytes
        try:
            await self.connection.publish(
                self._next, json.dumps(wanted).encode(), reply=self._inbox
            )
        except Exception as error:
            log.warn(f"nothing pulled from {self.consumer}: {error!r}")
            self._outstanding = 0

    async def _receive(self, message: Any) -> None:
        origin = Origin.of(message.reply or "")
        if origin is None:
            self._ended(message)
            return
        self._outstanding = max(0, self._outstanding - 1)
        self._claimed += 1
        self._bytes += len(message.data)
        channel = StreamChannel(self.connection, message.reply)
        headers = {str(key): str(value) for key, value in (message.headers or {}).items()}
        delivery = Delivery(self.topic, message.subject, message.data, origin, channel, headers)
        size = len(message.data)
        self.take(delivery, lambda: self._freed(size))
        self._ask()

    def _freed(self, size: int) -> None:
        self._claimed -= 1
        self._bytes -= size
        self._allowed = min(self.window, self._allowed + 1)
        self._ask()

    def _ended(self, message: Any) -> None:
        """The end of a request: 404 and 408 there is nothing, 409 and others something is wrong.

        Source: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-13.md
        """
        headers = {str(getattr(k, "value", k)): v for k, v in (message.headers or {}).items()}
        status, words = headers.get("Status", ""), headers.get("Description", "")
        if status == "100":
            return
        self._outstanding = 0
        if status in ("404", "408") or words.startswith(("Message Size", "Batch Completed")):
            self._ask()
            return
        self.broken(f"consumer {self.consumer}: {status} {words}")


@dataclass(eq=False)
class Pullers:
    """``broken`` is called with the topic of one whose consumer does not answer, and why."""

    connection: Any
    window: int
    take: Take
    broken: Callable[[str, str], None]

    def __post_init__(self) -> None:
        self._pullers: Dict[str, Puller] = {}
        self._away = False
        self._stopped = False

    def __contains__(self, topic: str) -> bool:
        return topic in self._pullers

    def __iter__(self) -> Iterator[str]:
        """The topics of the moment, also while some come and go."""
        return iter(list(self._pullers))

    async def begin(self, topic: str, stream: str, consumer: str) -> bool:
        """Whether it was necessary."""
        if topic in self._pullers or self._stopped:
            return False
        puller = self._pullers[topic] = Puller(
            self.connection,
            stream=stream,
            consumer=consumer,
            topic=topic,
            window=self.window,
            take=self.take,
            broken=lambda why: self.broken(topic, why),
        )
        await puller.start()
        puller.pause(self._away or self._stopped)
        return True

    async def drop(self, topic: str) -> bool:
        """Whether there was one."""
        puller = self._pullers.pop(topic, None)
        if puller is None:
            return False
        await puller.stop()
        return True

    def renew(self, topic: str) -> None:
        if topic in self._pullers:
            self._pullers[topic].renew()

    def tick(self) -> None:
        for puller in list(self._pullers.values()):
            puller.tick()

    def pause(self, away: bool) -> None:
        """``away`` False: go on."""
        self._away = away
        for puller in self._pullers.values():
            puller.pause(away)

    def stop(self) -> None:
        """No more requests, and no more pullers."""
        self._stopped = True
        for puller in self._pullers.values():
            puller.pause(True)
