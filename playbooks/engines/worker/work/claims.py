"""The messages that a worker has taken: renewed while answered, and given back at the end."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Coroutine, Dict, Set

from playbooks.engines.worker import log
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.consumers import ACK_WAIT
from playbooks.engines.worker.nats.delivery import Delivery

# Seconds between two renewals of every claim: three of them fit into the wait of the server.
RENEWAL = ACK_WAIT / 3


class Claims:
    """``stopping`` is true once the worker ends: nothing new begins then."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tasks: Dict[Delivery, asyncio.Task[None]] = {}
        self._answering: Set[Delivery] = set()
        self._freed: Dict[Delivery, Callable[[], None]] = {}
        self.stopping = False

    def begin(
        self, delivery: Delivery, work: Coroutine[Any, Any, None], freed: Callable[[], None]
    ) -> None:
        """``freed`` is called when the delivery is no longer claimed, or only waits."""
        self._freed[delivery] = freed
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[delivery] = task
        self._metrics.claimed(len(self._tasks))

        def over(_: Any) -> None:
            self._tasks.pop(delivery, None)
            self._answering.discard(delivery)
            self._metrics.claimed(len(self._tasks))
            self.free(delivery)

        task.add_done_callback(over)

    def free(self, delivery: Delivery) -> None:
        """Another one may be taken in its place. It is kept all the same."""
        self._freed.pop(delivery, _nothing)()

    def answering(self, delivery: Delivery, now: bool) -> None:
        """One that is being answered is finished at the end, and not handed back at once."""
        (self._answering.add if now else self._answering.discard)(delivery)

    async def keep(self) -> None:
        """For ever: tell the server that every claimed message is still being worked on."""
        while True:
            await asyncio.sleep(RENEWAL)
            for delivery in list(self._tasks):
                await attempt(delivery.channel.keep())

    async def stop(self, seconds: float) -> None:
        """Hand back what has not begun, and finish the rest within ``seconds``."""
        self.stopping = True
        for task in [t for d, t in self._tasks.items() if d not in self._answering]:
            task.cancel()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for delivery in list(self._tasks):
            log.warn(f"{delivery.origin} is not finished after {seconds:.0f} s and is handed back")
            await attempt(delivery.channel.give_back(0))


def _nothing() -> None:
    pass


async def attempt(call: Awaitable[None]) -> None:
    """Tell the server; where that fails it delivers again, which is no harm."""
    try:
        await call
    except Exception as error:
        log.warn(f"the acknowledgement failed: {error!r}")
