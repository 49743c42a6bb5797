"""The messages that a worker has taken: renewed while answered, and given back at the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Coroutine, Dict, List, Optional

from playbooks.engines import log
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.consumers import ACK_WAIT
from playbooks.engines.worker.nats.delivery import Delivery

# Seconds between two renewals of every claim: three of them fit into the wait of the server.
RENEWAL = ACK_WAIT / 3

# Messages of which the server is told before others have their turn.
AT_ONCE = 200


@dataclass
class _Claim:
    """``deliveries``: all that one task settles. ``freed``: what is to be called once others may be
    taken in their place; None once it was."""

    task: asyncio.Task[None]
    deliveries: List[Delivery] = field(default_factory=list)
    freed: Optional[List[Callable[[], None]]] = field(default_factory=list)
    answering: bool = False

    def add(self, delivery: Delivery, freed: Callable[[], None]) -> None:
        self.deliveries.append(delivery)
        if self.freed is None:
            freed()
        else:
            self.freed.append(freed)

    def free(self) -> None:
        for call in self.freed or ():
            call()
        self.freed = None


class Claims:
    """By the delivery whose task they belong to. ``stopping`` is true once the worker ends: nothing
    new begins then."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._claims: Dict[Delivery, _Claim] = {}
        self._count = 0
        self.stopping = False

    def begin(
        self, delivery: Delivery, work: Coroutine[Any, Any, None], freed: Callable[[], None]
    ) -> None:
        """``freed`` is called when the delivery is no longer claimed, or only waits."""
        task = asyncio.get_running_loop().create_task(work)
        self._claims[delivery] = _Claim(task)
        self.join(delivery, delivery, freed)

        def over(_: Any) -> None:
            claim = self._claims.pop(delivery)
            self._counted(-len(claim.deliveries))
            claim.free()

        task.add_done_callback(over)

    def join(self, owner: Delivery, delivery: Delivery, freed: Callable[[], None]) -> None:
        """One that is claimed for as long as ``owner``."""
        self._claims[owner].add(delivery, freed)
        self._counted(1)

    def free(self, owner: Delivery) -> None:
        """Others may be taken in the place of this and of those that joined it. They are kept all
        the same."""
        self._claims[owner].free()

    def answering(self, delivery: Delivery, now: bool) -> None:
        """One that is being answered is finished at the end, and not handed back at once."""
        self._claims[delivery].answering = now

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
        tasks = [claim.task for claim in self._claims.values()]
        for claim in self._claims.values():
            if not claim.answering:
                claim.task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for delivery in self._all():
            log.warn(f"{delivery.origin} is not finished after {seconds:.0f} s and is handed back")
            await attempt(delivery.channel.give_back(0))

    def _all(self) -> List[Delivery]:
        return [delivery for claim in self._claims.values() for delivery in claim.deliveries]

    def _counted(self, more: int) -> None:
        self._count += more
        self._metrics.in_flight.set(self._count)


async def attempt(call: Awaitable[None]) -> None:
    """Tell the server; where that fails it delivers again, which is no harm."""
    try:
        await call
    except Exception as error:
        log.warn(f"NATS was not told: {error!r}")
