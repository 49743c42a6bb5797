"""Answers alerts in threads, each in its turn, and decides what becomes of them."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Callable, Optional

from playbooks.core.alert import SHORT, Arrival
from playbooks.core.claim import Claim
from playbooks.core.errors import ContainerIdPending
from playbooks.core.outcome import Outcome
from playbooks.core.subjects import Priority
from playbooks.core.tracing.traceparent import TraceParent
from playbooks.engines.runtime import Event, Runtime
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.threads import Threads
from playbooks.engines.worker.work.claims import Claims
from playbooks.engines.worker.work.outcomes import OutcomeWriter
from playbooks.engines.worker.work.queue.groups import Group
from playbooks.engines.worker.work.queue.outage import Outage
from playbooks.engines.worker.work.queue.turns import FairTurns
from playbooks.engines.worker.work.queue.waiting import Place, WaitingAlerts
from playbooks.engines.worker.work.settlement import INBOX_METHOD, Decided, shown, unique_of
from playbooks.engines.worker.work.verdict import Hold, Wait, verdict

# Seconds that an alert waits to hear of its container, which is known within one, before it is
# delivered again.
LEARNING = 3.0


@dataclass(eq=False)
class Answering:
    """As many at the same time as ``turns`` has places. ``most``: deliveries of an alert.
    ``learned``: as WatchingCluster has it."""

    runtime: Runtime
    turns: FairTurns
    outage: Outage
    claims: Claims
    writer: OutcomeWriter
    metrics: Metrics
    most: int
    learned: Callable[[Claim], Optional[Future[None]]] = lambda _: None

    def __post_init__(self) -> None:
        self._waiting = WaitingAlerts(self.metrics.waiting.set)
        self._threads = Threads(self.turns.places, "answer")

    async def answer(self, group: Group) -> Decided:
        """However long an outage lasts, or a limit lets it wait."""
        place = self._waiting.place(group.owner)
        try:
            decided = await self._decide(group, place)
        finally:
            place.leave()
        group.waits = False
        return decided._replace(outcome=place.noted(decided.outcome))

    async def answer_now(
        self,
        body: bytes,
        runtime: Runtime,
        seconds: float = 0.0,
        trace: Optional[TraceParent] = None,
    ) -> Outcome:
        """Answer outside of any stream: without JetStream, or for a dry run."""
        turn = self.turns.ask("", Priority.DEBUG)
        try:
            await turn.come
            started = time.monotonic()
            answer = partial(runtime.answer, body, Arrival(trace=trace), seconds=seconds)
            outcome = await self._threads.call(answer)
        finally:
            self.turns.end(turn)
        self.metrics.answered(INBOX_METHOD, time.monotonic() - started, body, outcome)
        return outcome

    def stop(self) -> None:
        self._threads.stop()

    async def _decide(self, group: Group, place: Place) -> Decided:
        loop = asyncio.get_running_loop()
        until = loop.time() + LEARNING
        if len(group.lead.body) > SHORT:
            # What its turn goes by is in it.
            await loop.run_in_executor(None, getattr, group.lead, "alert")
        while True:
            await self.outage.ended()
            turn = group.turn = self.turns.ask(group.namespace, group.priority)
            try:
                await turn.come
                if self.outage.ongoing:
                    continue
                self.claims.answering(group.owner, True)
                lead = group.lead
                started = time.monotonic()
                outcome = await self._threads.call(partial(self._answer, lead))
                took = time.monotonic() - started
            finally:
                group.turn = None
                self.turns.end(turn)
            error, number = outcome.error, lead.origin.number
            if isinstance(error, ContainerIdPending) and await self._learns(group, lead, until):
                continue
            away = error is not None and error.of_any_alert and await self.outage.found()
            decided = verdict(outcome, delivery=number, most=self.most, outage=away)
            if isinstance(decided, Hold):
                self._set_aside(group)
                continue
            if isinstance(decided, Wait):
                if await self._waits(group, lead, outcome, decided, place):
                    continue
                decided = decided.instead
            return Decided(lead, outcome, decided, took)

    def _answer(self, delivery: Delivery) -> Outcome:
        arrival = Arrival(
            released_by=delivery.released_by,
            received=delivery.origin.stored,
            trace=delivery.trace,
        )
        return self.runtime.answer(delivery.alert, arrival)

    async def _learns(self, group: Group, lead: Delivery, until: float) -> bool:
        """Whether the API server told meanwhile which pod the container is in."""
        left = until - asyncio.get_running_loop().time()
        if isinstance(lead.alert, bytes) or left <= 0:
            return False
        self._set_aside(group)
        future = self.learned(lead.alert.claim)
        if future is None:
            return False
        try:
            await asyncio.wait_for(asyncio.wrap_future(future), left)
        except asyncio.TimeoutError:
            return False
        return True

    async def _waits(
        self, group: Group, lead: Delivery, outcome: Outcome, decided: Wait, place: Place
    ) -> bool:
        """Whether it waited, and is to be asked again."""
        told = place.taken
        if not place.take(outcome):
            return False
        group.waits = True
        self.claims.answering(group.owner, False)
        self.claims.free(group.owner)
        # It needs no person, and is with no dead letters.
        waits = replace(outcome, held=False)
        if not told:
            self.runtime.log(Event(lead.alert, str(lead.origin)), shown(lead, waits, decided))
        if outcome.details.get("first"):
            name, unique = str(lead.origin), unique_of(lead, "waits")
            await self.writer.write(lead.alert, waits, event_id=name, unique=unique)
        if self.claims.stopping:
            raise asyncio.CancelledError
        await place.wait(outcome, decided.delay)
        return True

    def _set_aside(self, group: Group) -> None:
        """From now on it is handed back where the worker ends."""
        self.claims.answering(group.owner, False)
        if self.claims.stopping:
            raise asyncio.CancelledError
