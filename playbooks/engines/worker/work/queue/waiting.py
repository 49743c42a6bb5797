"""Alerts that wait for the window of a limit, in memory, so that this costs no delivery."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional, Tuple
from weakref import WeakValueDictionary

from playbooks.core.instant import shown
from playbooks.core.outcome import Outcome
from playbooks.engines.worker.nats.delivery import Delivery

# Alerts that may wait at once, and bytes of their bodies. Several workers fit into what a consumer
# may have under way (MAX_ACK_PENDING), with room for alerts that wait for nothing.
MOST = 200
MOST_BYTES = 16 * 1024 * 1024

# Seconds until one that waits is asked again at the latest: a person may have reset the budget, and
# another worker may have acted.
LONGEST = 60.0


@dataclass(eq=False)
class WaitingAlerts:
    """Of those that wait for the same limit, the first that came is asked first, and the next once
    that is answered: a place that becomes free is asked for once, and not by all.

    A namespace may have half of the places that are free, so that none takes them all. ``changed``
    is called with how many wait.
    """

    changed: Callable[[int], None] = lambda _: None
    most: int = MOST
    most_bytes: int = MOST_BYTES
    longest: float = LONGEST
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._places: Counter[str] = Counter()
        self._bytes = 0
        # Each is there as long as somebody holds it or waits for it.
        self._turns: WeakValueDictionary[Tuple[Any, ...], asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        return sum(self._places.values())

    def place(self, delivery: Delivery) -> Place:
        return Place(self, len(delivery.body))

    def enter(self, namespace: str, size: int) -> bool:
        """Whether there is a place."""
        there = self._places[namespace]
        free = self.most - (len(self) - there)
        if there + 1 > (free + 1) // 2 or self._bytes + size > self.most_bytes:
            return False
        self._places[namespace] += 1
        self._bytes += size
        self.changed(len(self))
        return True

    def leave(self, namespace: str, size: int) -> None:
        self._places[namespace] -= 1
        self._bytes -= size
        self._places += Counter()
        self.changed(len(self))

    def turn(self, key: Tuple[Any, ...]) -> asyncio.Lock:
        """Held by the one that is asked next of those that wait for the same."""
        return self._turns.setdefault(key, asyncio.Lock())

    async def sleep_until(self, due: float) -> None:
        await asyncio.sleep(max(0.0, min(due - self.clock(), self.longest)))


class Place:
    """That of one alert, once it has to wait."""

    def __init__(self, waiting: WaitingAlerts, size: int) -> None:
        self._waiting = waiting
        self._size = size
        self._namespace: Optional[str] = None
        self._key: Optional[Tuple[Any, ...]] = None
        self._turn: Optional[asyncio.Lock] = None
        self._began: Optional[Tuple[str, float]] = None

    @property
    def taken(self) -> bool:
        return self._namespace is not None

    def take(self, outcome: Outcome) -> bool:
        """Whether it may wait."""
        if self._namespace is not None:
            return True
        namespace = outcome.target_ref.namespace if outcome.target_ref else ""
        if not self._waiting.enter(namespace, self._size):
            return False
        self._namespace = namespace
        self._began = outcome.reason, self._waiting.clock()
        return True

    def noted(self, outcome: Outcome) -> Outcome:
        """The outcome that ends the wait, which says so: for what it waited first, and how long."""
        if self._began is None:
            return outcome
        reason, since = self._began
        seconds = self._waiting.clock() - since
        facts = {"waited": round(seconds, 1), "waited_for": reason}
        return replace(
            outcome,
            details={**outcome.details, **facts},
            why=(f"waited {shown(seconds)} in this worker: {reason}", *outcome.why),
        )

    async def wait(self, outcome: Outcome, delay: float) -> None:
        """Returns when it is to be asked again."""
        due = self._waiting.clock() + delay
        key = (outcome.details.get("waits_for"), self._namespace)
        if key != self._key:
            self._end_turn()
            turn = self._waiting.turn(key)
            behind = turn.locked()
            await turn.acquire()
            self._key, self._turn = key, turn
            if behind:
                # The one before waits no more: neither may this one need to, as after a reset.
                return
        await self._waiting.sleep_until(due)

    def leave(self) -> None:
        self._end_turn()
        if self._namespace is not None:
            self._waiting.leave(self._namespace, self._size)
            self._namespace = None

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.release()
            self._key = self._turn = None
