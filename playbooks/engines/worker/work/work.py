"""The alerts under way: claimed, answered in a thread, and settled once the outcome is known."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Awaitable, Callable, Dict, Optional, Protocol, Sequence, Set, Tuple, Union

from playbooks.core.alert import Alert
from playbooks.core.outcome import Outcome, Status
from playbooks.engines.outcome_log import record
from playbooks.engines.worker import log
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.consumers import ACK_WAIT
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.topics.topics import Subscription
from playbooks.engines.worker.work import admission
from playbooks.engines.worker.work.admission import Drop, Memory
from playbooks.engines.worker.work.api_outage import Gate
from playbooks.engines.worker.work.dead_letters import Burial, DeadLetters
from playbooks.engines.worker.work.verdict import (
    Again,
    Dead,
    Done,
    Hold,
    Verdict,
    exhausted,
    verdict,
)

# Seconds between two renewals of every claim: three of them fit into the wait of the server.
RENEWAL = ACK_WAIT / 3

INBOX_METHOD, TOPIC_METHOD = "POST", "NATS"


Answer = Callable[..., Outcome]


class Announcer(Protocol):
    async def announce(self, delivery: Delivery, outcome: Outcome) -> None:
        """Tell the replica that waits for it. Best effort."""


class Records(Protocol):
    async def write(
        self, body: Union[Alert, bytes], outcome: Outcome, *, event_id: str, unique: str
    ) -> None:
        """Put a final outcome on record. Never raises."""


class Work:
    """``answer`` is the playbook's (a body, and who released it, where somebody did), and blocks.
    ``subscriptions`` gives those of the moment."""

    def __init__(
        self,
        playbook: str,
        answer: Answer,
        *,
        gate: Gate,
        letters: DeadLetters,
        announcer: Announcer,
        records: Records,
        subscriptions: Callable[[], Sequence[Subscription]],
        metrics: Metrics,
        concurrency: int,
        most: int,
    ) -> None:
        self._playbook = playbook
        self._answer = answer
        self._gate = gate
        self._burial = Burial(letters, metrics)
        self._announcer = announcer
        self._records = records
        self._subscriptions = subscriptions
        self._metrics = metrics
        self._most = most
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="answer")
        self._places = asyncio.Semaphore(concurrency)
        self._claimed: Dict[Delivery, asyncio.Task[None]] = {}
        self._running: Set[Delivery] = set()
        self._busy: Dict[Tuple[Any, ...], asyncio.Event] = {}
        self._done = Memory()
        self._stopping = False

    def take(self, delivery: Delivery, freed: Callable[[], None] = lambda: None) -> None:
        """Begin with a delivery; ``freed`` is called when it is no longer claimed."""
        task = asyncio.get_running_loop().create_task(self._handle(delivery))
        self._claimed[delivery] = task
        self._metrics.claimed(len(self._claimed))

        def over(_: Any) -> None:
            self._claimed.pop(delivery, None)
            self._running.discard(delivery)
            self._metrics.claimed(len(self._claimed))
            freed()

        task.add_done_callback(over)

    async def answer_now(self, body: bytes, answer: Answer) -> Outcome:
        """Answer outside of any stream: without JetStream, or for a dry run."""
        async with self._places:
            loop = asyncio.get_running_loop()
            started = time.monotonic()
            outcome = await loop.run_in_executor(self._pool, answer, body)
        self._metrics.answered(INBOX_METHOD, time.monotonic() - started, body, outcome)
        return outcome

    async def keep_claims(self) -> None:
        """For ever: tell the server that every claimed message is still being worked on."""
        while True:
            await asyncio.sleep(RENEWAL)
            for delivery in list(self._claimed):
                await _attempt(delivery.channel.keep())

    async def stop(self, seconds: float) -> None:
        """Hand back what has not begun, and finish the rest within ``seconds``."""
        self._stopping = True
        waiting = [t for d, t in self._claimed.items() if d not in self._running]
        for task in waiting:
            task.cancel()
        tasks = list(self._claimed.values())
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for delivery in list(self._claimed):
            log.warn(f"{delivery.origin} is not finished after {seconds:.0f} s and is handed back")
            await _attempt(delivery.channel.give_back(0))
        self._pool.shutdown(wait=False)

    async def _handle(self, delivery: Delivery) -> None:
        key = delivery.origin.key
        try:
            if self._stopping:
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
            await _attempt(delivery.channel.give_back(0))
        except Exception as error:
            # Not acknowledged: the server delivers it again.
            log.complain(f"{delivery.origin} is left to the server: {error!r}")
            traceback.print_exc()

    async def _settle(self, delivery: Delivery) -> None:
        number = delivery.origin.number
        drop = self._drop(delivery)
        if drop is not None:
            self._metrics.drop(str(drop))
            await delivery.channel.acknowledge()
            return
        if number > 1:
            self._metrics.redelivered()
        if exhausted(number, self._most):
            said = f"delivery {number} of {self._most}: the ones before ended without an outcome"
            dead = Dead("deliveries-exhausted", said)
            await self._put_on_record(delivery, Outcome(Status.FAILED, dead.reason, said))
            await self._bury(delivery, dead)
            return
        outcome, decided = await self._answered(delivery)
        self._record(delivery, outcome, decided)
        if isinstance(decided, Again):
            await delivery.channel.give_back(decided.delay)
            return
        # Before it is acknowledged: who is killed in between does it again, and finds it done.
        await self._put_on_record(delivery, outcome)
        if isinstance(decided, Dead):
            await self._bury(delivery, decided)
        else:
            self._done.add(delivery.origin.key)
            await delivery.channel.acknowledge()
        await _attempt(self._announcer.announce(delivery, outcome))

    def _drop(self, delivery: Delivery) -> Optional[Drop]:
        if delivery.origin.key in self._done:
            return Drop.DONE
        if not delivery.topic:
            return None
        origin = delivery.origin
        return admission.refusal(
            self._subscriptions(), delivery.topic, delivery.subject, origin.stored
        )

    async def _answered(self, delivery: Delivery) -> Tuple[Outcome, Verdict]:
        """The outcome, however long the API server is away."""
        loop = asyncio.get_running_loop()
        while True:
            await self._gate.passed()
            async with self._places:
                if not self._gate.is_open:
                    continue
                self._running.add(delivery)
                started = time.monotonic()
                outcome = await loop.run_in_executor(self._pool, self._answered_in_thread, delivery)
                took = time.monotonic() - started
            away = outcome.reason == "cluster-unavailable" and await self._gate.away()
            number = delivery.origin.number
            decided = verdict(outcome, delivery=number, most=self._most, api_away=away)
            if isinstance(decided, Hold):
                self._running.discard(delivery)
                if self._stopping:
                    raise asyncio.CancelledError
                continue
            method = TOPIC_METHOD if delivery.topic else INBOX_METHOD
            self._metrics.answered(method, took, delivery.alert, outcome)
            return outcome, decided

    def _answered_in_thread(self, delivery: Delivery) -> Outcome:
        by = {"released_by": delivery.released_by} if delivery.released_by else {}
        # Read there, too: a long one would keep the loop from turning.
        return self._answer(delivery.alert, **by)

    async def _put_on_record(self, delivery: Delivery, outcome: Outcome) -> None:
        origin = delivery.origin
        unique = "-".join(map(str, origin.key))
        await self._records.write(delivery.alert, outcome, event_id=str(origin), unique=unique)

    async def _bury(self, delivery: Delivery, dead: Dead) -> None:
        if await self._burial.bury(delivery, dead):
            self._done.add(delivery.origin.key)
            await delivery.channel.acknowledge()

    def _record(self, delivery: Delivery, outcome: Outcome, decided: Verdict) -> None:
        facts = {"delivery": delivery.origin.number, "subject": delivery.subject}
        if isinstance(decided, Again):
            facts["again_in"] = round(decided.delay, 1)
        elif not isinstance(decided, Done):
            facts["dead_letter"] = True
        shown = dataclasses.replace(outcome, details={**outcome.details, **facts})
        record(self._playbook, delivery.alert, shown, event_id=str(delivery.origin))


async def _attempt(told: Awaitable[None]) -> None:
    """Tell the server; where that fails it delivers again, which is no harm."""
    try:
        await told
    except Exception as error:
        log.warn(f"NATS was not told: {error!r}")
