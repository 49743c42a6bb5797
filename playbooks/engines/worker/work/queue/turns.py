"""Whose turn it is: the namespaces one after the other, the highest priority first within each."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import OrderedDict
from typing import List, Tuple

from playbooks.core.subjects import Priority


class Turn:
    """A place in the queue. ``come``: done once it is its turn."""

    def __init__(self, namespace: str, priority: Priority) -> None:
        self.namespace = namespace
        self.priority = priority
        self.come: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class FairTurns:
    """``places``: turns at the same time."""

    def __init__(self, places: int) -> None:
        self.places = self._free = places
        self._numbers = itertools.count()
        # The namespace whose turn is next comes first.
        self._waiting: OrderedDict[str, List[Tuple[int, int, Turn]]] = OrderedDict()

    def busy(self) -> bool:
        """Whether it is somebody's turn, as far as another thread can tell."""
        return self._free < self.places

    def ask(self, namespace: str, priority: Priority) -> Turn:
        """``end`` gives it back, whether it came or not."""
        turn = Turn(namespace, priority)
        self._put(turn)
        self._next()
        return turn

    def raise_to(self, turn: Turn, priority: Priority) -> None:
        """A higher priority for one that may still be waiting."""
        if priority > turn.priority:
            turn.priority = priority
            if not turn.come.done():
                # Its earlier place is passed over once it has had its turn.
                self._put(turn)

    def end(self, turn: Turn) -> None:
        if turn.come.done() and not turn.come.cancelled():
            self._free += 1
        else:
            turn.come.cancel()
        self._next()

    def _put(self, turn: Turn) -> None:
        place = (-int(turn.priority), next(self._numbers), turn)
        heapq.heappush(self._waiting.setdefault(turn.namespace, []), place)

    def _next(self) -> None:
        while self._free and self._waiting:
            namespace, queue = self._waiting.popitem(last=False)
            while queue:
                turn = heapq.heappop(queue)[2]
                if not turn.come.done():
                    self._free -= 1
                    turn.come.set_result(None)
                    break
            if queue:
                # Behind all others.
                self._waiting[namespace] = queue
