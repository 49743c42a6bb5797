"""What the Function and its triggers ask of the worker at the moment."""

from __future__ import annotations

import asyncio
from typing import Callable, Optional, Tuple

from playbooks.engines import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.topics.feed import Triggers
from playbooks.engines.worker.topics.topics import Subscription, plan


class Wanted:
    """``changed`` is called when other topics are wanted than before."""

    def __init__(self, namespace: str, function: str, changed: Callable[[], None]) -> None:
        self._name = f"{namespace}/{function}"
        self._changed = changed
        self._known = asyncio.Event()
        self._function: Optional[Function] = None
        self.subscriptions: Tuple[Subscription, ...] = ()
        self.refused: Tuple[str, ...] = ()

    async def function(self) -> Function:
        """The worker's own Function, once it was read from the API server."""
        await self._known.wait()
        assert self._function is not None
        return self._function

    def update(self, function: Optional[Function], triggers: Triggers) -> None:
        """From the feed: the Function (None where it is gone) and the triggers of its namespace."""
        if function is None:
            gone = f"Function {self._name} is gone, or not there yet: its worker takes no alerts"
            self._refuse((gone,))
            self._set(())
            return
        found = plan(triggers.values(), function)
        self._refuse(found.refused)
        if found.subscriptions != self.subscriptions or not self._known.is_set():
            topics = [s.topic for s in found.subscriptions]
            log.info(f"topics of {function.name}: {', '.join(topics) or 'none'}", topics=topics)
        self._function = function
        self._set(found.subscriptions)
        self._known.set()

    def _set(self, subscriptions: Tuple[Subscription, ...]) -> None:
        if subscriptions != self.subscriptions:
            self.subscriptions = subscriptions
            self._changed()

    def _refuse(self, refused: Tuple[str, ...]) -> None:
        for said in refused:
            if said not in self.refused:
                log.warn(said)
        self.refused = refused
