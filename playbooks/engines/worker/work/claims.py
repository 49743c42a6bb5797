"""The messages that a worker has taken: renewed while answered, and given back at the end."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Coroutine, Dict, List, Optional, Set

from playbooks.engines import log
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.consumers import ACK_WAIT
from playbooks.engines.worker.nats.delivery import Delivery

# Seconds between two renewals of every claim: three of them fit into the wait of the server.
RENEWAL = ACK_WAIT / 3

# Messages of which the server is told before others have their turn.
AT_ONCE = 200


class Claims:
    """``stopping`` is true once the worker ends: nothing new begins then."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tasks: Dict[Delivery, asyncio.Task[None]] = {}
        # By the delivery whose task they belong to.
        self._freed: Dict[Delivery, Optional[List[Callable[[], None]]]] = {}
        self._claimed: Dict[Delivery, List[Delivery]] = {}
        self._answering: Set[Delivery] = set()
        self._count = 0
        self.stopping = False

    def begin(
        self, delivery: Delivery, work: Coroutine[Any, Any, None], freed: Callable[[], None]
    ) -> None:
        """``freed`` is called when the delivery is no longer claimed, or only waits."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[delivery] = task
        self._claimed[delivery], self._freed[delivery] = [], []
        self.join(delivery, delivery, freed)

        def over(_: Any) -> None:
            self._tasks.pop(delivery, None)
            self._answering.discard(delivery)
            self._count -= len(self._claimed.pop(delivery))
            self._metrics.in_flight.set(self._count)
            self.free(delivery)
            del self._freed[delivery]

        task.add_done_callback(over)

    def join(self, owner: Delivery, delivery: Delivery, freed: Callable[[], None]) -> None:
        """One that is claimed for as long as ``owner``."""
        self._claimed[owner].append(delivery)
        waiting = self._freed[owner]
        if waiting is None:
            freed()
        else:
            waiting.append(freed)
        self._count += 1
        self._metrics.in_flight.set(self._count)

    def free(self, owner: Delivery) -> None:
        """Others may be taken in the place of this and of those that joined it. They are kept all
        the same."""
        for call in self._freed[owner] or ():
            call()
        self._freed[owner] = None

    def answering(self, delivery: Delivery, now: bool) -> None:
        """One that is being answered is finished at the end, and not handed back at once."""
        (self._answering.add if now else self._answering.discard)(delivery)

    async def keep(self) -> None:
        """For ever: tell the server that every claimed message is still being worked on."""
        while True:
            await asyncio.sleep(RENEWAL)
            for number, delivery in enumerate(self._all(), 1):
                await attempt(delivery.channel.keep())
                if not number % AT_ONCE:
                    await asyncio.sleep(0)

    async def stop(self, seconds: float) -> None:
        """Hand back what has not begun, and finish the rest within ``seconds``."""
        self.stopping = True
        for task in [t for d, t in self._tasks.items() if d not in self._answering]:
            task.cancel()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for delivery in self._all():
            log.warn(f"{delivery.origin} is not finished after {seconds:.0f} s and is handed back")
            await attempt(delivery.channel.give_back(0))

    def _all(self) -> List[Delivery]:
        return [delivery for members in self._claimed.values() for delivery in members]


async def attempt(call: Awaitable[None]) -> None:
    """Tell the server; where that fails it delivers again, which is no harm."""
    try:
        await call
    except Exception as error:
        log.warn(f"NATS was not told: {error!r}")
