"""Looks at what became of actions, some time after them, without holding a place for any."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Coroutine, Dict, Optional, Set

from playbooks.core.errors import PlaybookError, RetryableError
from playbooks.core.outcome import FOLLOWS, NOT_KNOWN, FollowUp, Outcome, Status
from playbooks.engines import log
from playbooks.engines.runtime import Event, Runtime
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.threads import Threads
from playbooks.engines.worker.work.outcomes import Body, OutcomeWriter, give_way

# Actions that may wait to be looked at, and looks at the same time.
MOST, AT_ONCE = 10_000, 2

# Seconds for which a look that fails is tried again, and between two tries.
PATIENCE, PAUSE = 60.0, 5.0


@dataclass(eq=False)
class FollowUps:
    """``wait``: seconds from the time at which an action should be done to the one look at it, None
    for no such look. What was not looked at when the worker ends is not looked at any more.
    ``busy``: whether alerts are being answered, which go first: a look asks the same API server.
    """

    runtime: Runtime
    writer: OutcomeWriter
    metrics: Metrics
    wait: Optional[float]
    busy: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self._threads = Threads(AT_ONCE, "look")
        self._places = itertools.count()
        self._due: Dict[int, asyncio.TimerHandle] = {}
        self._tasks: Set[asyncio.Task[None]] = set()

    def begin(self, body: Body, outcome: Outcome, *, event_id: str, unique: str) -> None:
        """Those of an outcome that was recorded. ``event_id``, ``unique``: as of that record."""
        loop = asyncio.get_running_loop()
        for number, each in enumerate(outcome.follow_ups):
            if each.every is None and self.wait is None:
                continue
            if self.left >= MOST:
                self.metrics.follow_ups(NOT_KNOWN).inc()
                log.warn(f"{outcome.target} is not looked at: {MOST} others are to be")
                continue
            name = f"{unique}-follow-{number}" if unique else ""
            after = each.after + (self.wait or 0.0 if each.every is None else 0.0)
            look = partial(self._follow, each, body, outcome, event_id, name)
            # A task only when it is due: in a storm, thousands are to come.
            place = next(self._places)
            self._due[place] = loop.call_later(after, self._start, place, look)

    def stop(self) -> None:
        if self.left:
            log.info(f"ends before it looked at what became of {self.left} actions")
        for due in self._due.values():
            due.cancel()
        for task in self._tasks:
            task.cancel()
        self._threads.stop()

    @property
    def left(self) -> int:
        """How many looks are to come, or under way."""
        return len(self._due) + len(self._tasks)

    def _start(self, place: int, look: Callable[[], Coroutine[Any, Any, None]]) -> None:
        del self._due[place]
        task = asyncio.get_running_loop().create_task(look())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(
        self, follow_up: FollowUp, body: Body, after: Outcome, event_id: str, unique: str
    ) -> None:
        try:
            found = await self._found(follow_up, after)
        except Exception as error:
            found = _not_known(after, f"{type(error).__name__}: {error}")
        if found is None:
            return
        self.metrics.follow_ups(found.reason).inc()
        self.runtime.log(Event(body, event_id), found)
        await self.writer.write(body, found, event_id=event_id, unique=unique)

    async def _found(self, follow_up: FollowUp, after: Outcome) -> Optional[Outcome]:
        loop = asyncio.get_running_loop()
        every, due = follow_up.every, time.monotonic()
        until = loop.time() + max(0.0, follow_up.until - follow_up.after)
        while True:
            last = every is None or loop.time() >= until
            try:
                found = await self._threads.call(partial(self._look, follow_up, last, due))
            except PlaybookError as error:
                if not isinstance(error, RetryableError) or loop.time() > until + PATIENCE:
                    return _not_known(after, str(error))
                await asyncio.sleep(max(PAUSE, error.retry_after or 0.0))
                continue
            if found is not None or last:
                return found
            # The last one is when the time is over.
            await asyncio.sleep(max(0.0, min(every or 0.0, until - loop.time())))

    def _look(self, follow_up: FollowUp, last: bool, due: float) -> Optional[Outcome]:
        if follow_up.every is None:
            give_way(self.busy, due)
        return follow_up.look(last)


def _not_known(after: Outcome, why: str) -> Outcome:
    said = f"it is not known what became of it: {why}"
    found = Outcome(Status.LOOKED, NOT_KNOWN, said, after.target, {FOLLOWS: after.reason}, (said,))
    return replace(found, trace_id=after.trace_id, target_ref=after.target_ref)
