"""What the worker's own Function and the triggers beside it ask of the worker."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Mapping, Optional, Protocol, Tuple

from playbooks.engines import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.topics import Subscription, plan

Manifest = Mapping[str, Any]


class Feed(Protocol):
    """Follows the Function and its triggers, in a thread of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def is_removed(self) -> bool:
        """Whether the Function is being removed, or is gone. One call, which blocks; False where
        the API server does not say."""


class FunctionObjects(Protocol):
    """The Kubernetes API, as far as the worker needs it. Every method blocks but ``feed``."""

    def feed(
        self,
        changed: Callable[[Optional[Manifest], Mapping[str, Manifest]], None],
        trouble: Callable[[str, str], None],
    ) -> Feed:
        """``changed`` and ``trouble``: as ``Wanted`` has them, called from the feed's thread."""

    def missing(self) -> str:
        """Why the API server cannot be asked at the moment, or empty."""

    def may(self, verb: str, resource: str, group: str, namespace: str) -> bool:
        """Whether this account may do that. Raises a PlaybookError."""


class Wanted:
    """What they ask of the worker at the moment. ``changed`` is set when other topics are wanted
    than before."""

    def __init__(self, namespace: str, function: str) -> None:
        self._name = f"{namespace}/{function}"
        self.changed = asyncio.Event()
        self._known = asyncio.Event()
        self._function: Optional[Function] = None
        self.subscriptions: Tuple[Subscription, ...] = ()
        self.refused: Tuple[str, ...] = ()

    async def function(self) -> Function:
        """The worker's own Function, once it was read from the API server."""
        await self._known.wait()
        assert self._function is not None
        return self._function

    def update(self, manifest: Optional[Manifest], triggers: Mapping[str, Manifest]) -> None:
        """From the feed: the Function (None where it is gone) and the triggers of its namespace."""
        if manifest is None:
            gone = f"Function {self._name} is gone, or not there yet: its worker takes no alerts"
            self._refuse((gone,))
            self._set(())
            return
        function = Function.of(manifest)
        found = plan(triggers.values(), function)
        self._refuse(found.refused)
        if found.subscriptions != self.subscriptions or not self._known.is_set():
            topics = [s.topic for s in found.subscriptions]
            log.info(f"topics of {function.name}: {', '.join(topics) or 'none'}", topics=topics)
        self._function = function
        self._set(found.subscriptions)
        self._known.set()

    @staticmethod
    def trouble(said: str, reason: str) -> None:
        """From the feed: why it cannot follow them at the moment, or empty once it can again."""
        if said:
            facts = {"reason": reason} if reason else {}
            log.warn(f"triggers cannot be followed, trying again: {said}", **facts)
        else:
            log.info("triggers can be followed again", over=reason)

    def _set(self, subscriptions: Tuple[Subscription, ...]) -> None:
        if subscriptions != self.subscriptions:
            self.subscriptions = subscriptions
            self.changed.set()

    def _refuse(self, refused: Tuple[str, ...]) -> None:
        for said in refused:
            if said not in self.refused:
                log.warn(said)
        self.refused = refused
