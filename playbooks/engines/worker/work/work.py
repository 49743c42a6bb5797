"""The alerts under way: answered in a thread, and settled once the outcome is known."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

from playbooks.core.outcome import Outcome, Status
from playbooks.engines.runtime import Event, Runtime
from playbooks.engines.worker import log
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.nats.pull import EXPIRES
from playbooks.engines.worker.records.replies import Replies
from playbooks.engines.worker.records.writer import OutcomeWriter
from playbooks.engines.worker.topics.topics import Subscription
from playbooks.engines.worker.work import admission
from playbooks.engines.worker.work.admission import DoneMessages, Drop
from playbooks.engines.worker.work.claims import Claims, attempt
from playbooks.engines.worker.work.dead_letters import DeadLetters
from playbooks.engines.worker.work.drops import Drops
from playbooks.engines.worker.work.outage import Outage
from playbooks.engines.worker.work.verdict import (
    Again,
    Dead,
    Done,
    Hold,
    Verdict,
    Wait,
    exhausted,
    verdict,
)
from playbooks.engines.worker.work.waiting import Place, WaitingAlerts

# Seconds until an alert is delivered again whose dead letter could not be stored, and between two
# looks for what any alert would fail for.
DELAY = 30.0
LOOK = 30.0

INBOX_METHOD, TOPIC_METHOD = "POST", "NATS"


class Work:
    """``subscriptions`` gives those of the moment. ``most``: deliveries of an alert."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        outage: Outage,
        dead_letters: DeadLetters,
        replies: Replies,
        writer: OutcomeWriter,
        subscriptions: Callable[[], Sequence[Subscription]],
        claims: Claims,
        drops: Drops,
        metrics: Metrics,
        concurrency: int,
        most: int,
    ) -> None:
        self._runtime = runtime
        self._outage = outage
        self._dead_letters = dead_letters
        self._replies = replies
        self._writer = writer
        self._subscriptions = subscriptions
        self._claims = claims
        self._drops = drops
        self._metrics = metrics
        self._most = most
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="answer")
        self._places = asyncio.Semaphore(concurrency)
        self._busy: Dict[Tuple[Any, ...], asyncio.Event] = {}
        self._done = DoneMessages()
        self._look_at = time.monotonic() + LOOK
        self._looking: Optional[asyncio.Task[bool]] = None
        self._waiting = WaitingAlerts(metrics.waits)

    def take(self, delivery: Delivery, freed: Callable[[], None] = lambda: None) -> None:
        """Begin with a delivery; ``freed`` is called when it is no longer claimed."""
        self._claims.begin(delivery, self._handle(delivery), freed)

    async def answer_now(self, body: bytes, runtime: Runtime, seconds: float = 0.0) -> Outcome:
        """Answer outside of any stream: without JetStream, or for a dry run."""
        async with self._places:
            loop = asyncio.get_running_loop()
            started = time.monotonic()
            answer = partial(runtime.answer, body, seconds=seconds)
            outcome = await loop.run_in_executor(self._pool, answer)
        self._metrics.answered(INBOX_METHOD, time.monotonic() - started, body, outcome)
        return outcome

    def tick(self) -> None:
        """Called every second."""
        self._drops.tick()
        if time.monotonic() > self._look_at:
            self._look_at = time.monotonic() + LOOK
            self._looking = asyncio.get_running_loop().create_task(self._outage.found())

    async def stop(self, seconds: float) -> None:
        """Hand back what has not begun, and finish the rest within ``seconds``."""
        await self._claims.stop(seconds)
        self._drops.stop()
        self._pool.shutdown(wait=False)

    async def _handle(self, delivery: Delivery) -> None:
        key = delivery.origin.key
        try:
            if self._claims.stopping:
                raise asyncio.CancelledError
            while key in self._busy:
                # The server delivers it anew while we are at it: wait for the end of that.
                await self._busy[key].wait()
            self._busy[key] = asyncio.Event()
            try:
                await self._settle(delivery)
            finally:
                self._busy.pop(key).set()
        except asyncio.CancelledError:
            await attempt(delivery.channel.give_back(0))
        except Exception as error:
            # Not acknowledged: the server delivers it again.
            log.error(f"{delivery.origin} is left to the server: {error!r}")
            traceback.print_exc()

    async def _settle(self, delivery: Delivery) -> None:
        number = delivery.origin.number
        drop = self._drop(delivery)
        if drop is not None:
            self._drops.add(delivery, drop)
            await delivery.channel.acknowledge()
            return
        if number > 1:
            self._metrics.redelivered()
        if exhausted(number, self._most):
            said = f"delivery {number} of {self._most}: the ones before ended without an outcome"
            dead = Dead("deliveries-exhausted", said)
            await self._record(delivery, Outcome(Status.FAILED, dead.reason, said))
            await self._give_up(delivery, dead)
            return
        place = self._waiting.place(delivery)
        try:
            outcome, decided = await self._answered(delivery, place)
        except asyncio.CancelledError:
            if not place.taken:
                raise
            # Later than this worker asks for alerts: it would cost another delivery.
            await attempt(delivery.channel.give_back(EXPIRES))
            return
        finally:
            place.leave()
        event = Event(delivery.alert, str(delivery.origin))
        self._runtime.log(event, shown(delivery, outcome, decided))
        if isinstance(decided, Again):
            await delivery.channel.give_back(decided.delay)
            return
        # Before it is acknowledged: who is killed in between does it again, and finds it done.
        await self._record(delivery, outcome)
        if isinstance(decided, Dead):
            await self._give_up(delivery, decided)
        else:
            self._done.add(delivery.origin.key)
            await delivery.channel.acknowledge()
        await attempt(self._replies.send(delivery, outcome))

    def _drop(self, delivery: Delivery) -> Optional[Drop]:
        if delivery.origin.key in self._done:
            return Drop.DONE
        if not delivery.topic:
            return None
        origin = delivery.origin
        return admission.refusal(
            self._subscriptions(), delivery.topic, delivery.subject, origin.stored
        )

    async def _answered(self, delivery: Delivery, place: Place) -> Tuple[Outcome, Verdict]:
        """The outcome, however long an outage lasts, or a limit lets it wait."""
        loop = asyncio.get_running_loop()
        while True:
            await self._outage.ended()
            async with self._places:
                if self._outage.ongoing:
                    continue
                self._claims.answering(delivery, True)
                started = time.monotonic()
                outcome = await loop.run_in_executor(self._pool, self._answer, delivery)
                took = time.monotonic() - started
            error, number = outcome.error, delivery.origin.number
            away = error is not None and error.of_any_alert and await self._outage.found()
            decided = verdict(outcome, delivery=number, most=self._most, outage=away)
            if isinstance(decided, Hold):
                self._claims.answering(delivery, False)
                if self._claims.stopping:
                    raise asyncio.CancelledError
                continue
            if isinstance(decided, Wait):
                if await self._waits(delivery, outcome, decided, place):
                    continue
                decided = decided.instead
            method = TOPIC_METHOD if delivery.topic else INBOX_METHOD
            self._metrics.answered(method, took, delivery.alert, outcome)
            return outcome, decided

    async def _waits(
        self, delivery: Delivery, outcome: Outcome, decided: Wait, place: Place
    ) -> bool:
        """Whether it waited, and is to be asked again."""
        told = place.taken
        if not place.take(outcome):
            return False
        self._claims.answering(delivery, False)
        self._claims.free(delivery)
        if not told:
            self._runtime.log(
                Event(delivery.alert, str(delivery.origin)), shown(delivery, outcome, decided)
            )
        if outcome.details.get("first"):
            await self._record(delivery, outcome, "waits")
        if self._claims.stopping:
            raise asyncio.CancelledError
        await place.wait(outcome, decided.delay)
        return True

    def _answer(self, delivery: Delivery) -> Outcome:
        # The alert is parsed here, in the thread: a long one would keep the loop from turning.
        return self._runtime.answer(
            delivery.alert, released_by=delivery.released_by, received=delivery.origin.stored
        )

    async def _record(self, delivery: Delivery, outcome: Outcome, *more: str) -> None:
        origin = delivery.origin
        unique = "-".join(map(str, (*origin.key, *more)))
        await self._writer.write(delivery.alert, outcome, event_id=str(origin), unique=unique)

    async def _give_up(self, delivery: Delivery, dead: Dead) -> None:
        while not await self._dead_letters.write(delivery, dead):
            if not await self._outage.found():
                await delivery.channel.give_back(DELAY)
                return
            self._claims.answering(delivery, False)
            await self._outage.ended()
        self._done.add(delivery.origin.key)
        await delivery.channel.acknowledge()


def shown(delivery: Delivery, outcome: Outcome, decided: Verdict) -> Outcome:
    """The outcome as the log has it: with the delivery, and what comes next."""
    facts: Dict[str, Any] = {"delivery": delivery.origin.number, "subject": delivery.subject}
    if isinstance(decided, (Again, Wait)):
        facts["again_in"] = round(decided.delay, 1)
    elif not isinstance(decided, Done):
        facts["dead_letter"] = True
    return dataclasses.replace(outcome, details={**outcome.details, **facts})
