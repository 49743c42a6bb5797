"""The alerts under way: answered in a thread, and settled once the outcome is known."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Dict, Hashable, List, Optional, Sequence, Tuple

from playbooks.core.claim import Claim
from playbooks.core.errors import ContainerIdPending
from playbooks.core.outcome import Outcome, Status
from playbooks.core.subjects import Priority
from playbooks.core.tracing.traceparent import TraceParent
from playbooks.engines.runtime import Event, Runtime
from playbooks.engines.worker import log
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.nats.headers import plain
from playbooks.engines.worker.nats.pull import EXPIRES
from playbooks.engines.worker.records.releases import RELEASED_BY, Releases, StoredAt
from playbooks.engines.worker.records.replies import Replies
from playbooks.engines.worker.records.writer import Body, OutcomeWriter
from playbooks.engines.worker.topics.topics import Subscription
from playbooks.engines.worker.work.claims import AT_ONCE, Claims, attempt
from playbooks.engines.worker.work.dead_letters import DeadLetters
from playbooks.engines.worker.work.drops import Drops
from playbooks.engines.worker.work.follow_ups import FollowUps
from playbooks.engines.worker.work.queue import admission
from playbooks.engines.worker.work.queue.admission import DoneMessages, Drop
from playbooks.engines.worker.work.queue.groups import TOGETHER, Group, along
from playbooks.engines.worker.work.queue.outage import Outage
from playbooks.engines.worker.work.queue.turns import FairTurns
from playbooks.engines.worker.work.queue.waiting import Place, WaitingAlerts
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

# Seconds until an alert is delivered again whose dead letter could not be stored, and between two
# looks for what any alert would fail for.
DELAY = 30.0
LOOK = 30.0

# Seconds that an alert waits to hear of its container, which is known within one, before it is
# delivered again.
LEARNING = 3.0

# Alerts that may wait along with another one for the window of a limit.
ALONG = 1000

# Bytes up to which an alert is read in the event loop, to see what it is about.
SHORT = 16 * 1024

# Messages that the log names of those that were answered along with another.
NAMED = 10

INBOX_METHOD, TOPIC_METHOD = "POST", "NATS"


class Work:
    """``subscriptions`` gives those of the moment. ``most``: deliveries of an alert. ``learned``:
    as WatchingCluster has it."""

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
        releases: Releases,
        metrics: Metrics,
        follow_ups: FollowUps,
        concurrency: int,
        most: int,
        learned: Callable[[Claim], Optional[Future[None]]] = lambda _: None,
    ) -> None:
        self._learned = learned
        self._runtime = runtime
        self._outage = outage
        self._dead_letters = dead_letters
        self._replies = replies
        self._writer = writer
        self._subscriptions = subscriptions
        self._claims = claims
        self._drops = drops
        self._releases = releases
        self._metrics = metrics
        self._follow_ups = follow_ups
        self._most = most
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="answer")
        self._turns = FairTurns(concurrency)
        self._groups: Dict[Hashable, Group] = {}
        self._busy: Dict[Tuple[Any, ...], asyncio.Event] = {}
        self._done = DoneMessages()
        self._look_at = time.monotonic() + LOOK
        self._looking: Optional[asyncio.Task[bool]] = None
        self._waiting = WaitingAlerts(metrics.waits)

    def take(self, delivery: Delivery, freed: Callable[[], None] = lambda: None) -> None:
        """Begin with a delivery; ``freed`` is called when it is no longer claimed."""
        delivery = self._released(delivery)
        target = self._target(delivery)
        group = self._groups.get(target)
        if group is not None and group.waits and len(group.left) >= ALONG:
            # The one that waits is not acknowledged, and is decided on for this one as well.
            group = Group(None, delivery)
            self._claims.begin(delivery, self._leave_to_others(group), freed)
            return
        if group is not None:
            group.add(delivery, self._turns)
            self._claims.join(group.owner, delivery, freed)
        else:
            group = Group(target, delivery)
            self._claims.begin(delivery, self._handle(group), freed)
        if target is not None:
            self._groups[target] = group
            self._busy[delivery.origin.key] = group.settled

    def _released(self, delivery: Delivery) -> Delivery:
        """With the person who let it go on, where that is proven; else it is an alert as any."""
        by = delivery.headers.get(RELEASED_BY)
        if by is None or delivery.topic:
            return delivery
        origin = delivery.origin
        place = StoredAt(origin.stream, origin.sequence, origin.stored)
        why = self._releases.refusal(delivery.headers, delivery.body, place)
        if not why:
            return dataclasses.replace(delivery, released_by=by)
        log.warn(f"{origin} is no release by {plain(by)}, but an alert as any: {why}")
        return delivery

    def _target(self, delivery: Delivery) -> Optional[Hashable]:
        """What one decision answers all alerts about; None where it needs one of its own."""
        alone = (
            self._claims.stopping
            or delivery.released_by
            or len(delivery.body) > SHORT
            or delivery.origin.key in self._busy
            or exhausted(delivery.origin.number, self._most)
            or self._drop(delivery) is not None
        )
        if alone or isinstance(delivery.alert, bytes):
            return None
        return self._runtime.target(delivery.alert, delivery.origin.stored)

    @property
    def answering(self) -> bool:
        """Whether an alert is being answered, as far as another thread can tell."""
        return self._turns.any

    async def answer_now(
        self,
        body: bytes,
        runtime: Runtime,
        seconds: float = 0.0,
        trace: Optional[TraceParent] = None,
    ) -> Outcome:
        """Answer outside of any stream: without JetStream, or for a dry run."""
        turn = self._turns.ask("", Priority.DEBUG)
        try:
            await turn.come
            loop = asyncio.get_running_loop()
            started = time.monotonic()
            answer = partial(runtime.answer, body, seconds=seconds, trace=trace)
            outcome = await loop.run_in_executor(self._pool, answer)
        finally:
            self._turns.end(turn)
        self._metrics.answered(INBOX_METHOD, time.monotonic() - started, body, outcome)
        return outcome

    def follow(self, body: Body, outcome: Outcome, event_id: str = "", unique: str = "") -> None:
        """Look later at what became of a recorded outcome."""
        self._follow_ups.begin(body, outcome, event_id=event_id, unique=unique)

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
        self._follow_ups.stop()
        self._pool.shutdown(wait=False)

    async def _handle(self, group: Group) -> None:
        key = group.owner.origin.key
        try:
            if self._claims.stopping:
                raise asyncio.CancelledError
            while self._busy.get(key) not in (None, group.settled):
                # The server delivers it anew while we are at it: wait for the end of that.
                await self._busy[key].wait()
            self._busy[key] = group.settled
            await self._settle(group)
        except asyncio.CancelledError:
            for delivery in list(group.left):
                await attempt(delivery.channel.give_back(0))
        except Exception as error:
            # Not acknowledged: the server delivers it again.
            log.error(f"{group.owner.origin} is left to the server: {error!r}")
            traceback.print_exc()
        finally:
            self._close(group)
            for busy in [key, *group.keys]:
                if self._busy.get(busy) is group.settled:
                    del self._busy[busy]
            group.settled.set()

    def _close(self, group: Group) -> None:
        """From now on the next alert about this target begins another group."""
        if group.target is not None and self._groups.get(group.target) is group:
            del self._groups[group.target]

    async def _leave_to_others(self, group: Group) -> None:
        delivery = group.owner
        said = "another alert about the same target waits"
        outcome = Outcome.skipped(TOGETHER, said)
        self._metrics.answered_along(self._method(delivery), outcome, 1)
        self._done.add(delivery.origin.key)
        await attempt(delivery.channel.acknowledge())
        await attempt(self._replies.send(delivery, outcome))

    async def _settle(self, group: Group) -> None:
        delivery = group.owner
        number = delivery.origin.number
        drop = self._drop(delivery)
        if drop is not None:
            self._drops.add(delivery, drop)
            await delivery.channel.acknowledge()
            return
        if exhausted(number, self._most):
            self._metrics.redelivered()
            said = f"delivery {number} of {self._most}: the ones before ended without an outcome"
            trace_id = delivery.trace.trace_id if delivery.trace else ""
            dead = Dead("deliveries-exhausted", said, trace_id=trace_id)
            outcome = Outcome(Status.FAILED, dead.reason, said, trace_id=trace_id)
            await self._record(delivery, outcome)
            await self._give_up([delivery], dead)
            return
        place = self._waiting.place(delivery)
        try:
            lead, outcome, decided = await self._answered(group, place)
        except asyncio.CancelledError:
            if not place.taken:
                raise
            # Later than this worker asks for alerts: it would cost another delivery.
            for each in list(group.left):
                await attempt(each.channel.give_back(EXPIRES))
            return
        finally:
            place.leave()
        self._close(group)
        rest = [each for each in group.left if each is not lead]
        event = Event(lead.alert, str(lead.origin))
        self._runtime.log(event, shown(lead, outcome, decided, rest))
        if not isinstance(decided, Again):
            # Before it is acknowledged: who is killed in between does it again, and finds it done.
            await self._record(lead, outcome)
        # Also where it is tried again: what acted on the way is done already then.
        unique = unique_of(lead, str(lead.origin.number))
        self.follow(lead.alert, outcome, str(lead.origin), unique)
        if rest:
            self._metrics.answered_along(self._method(lead), along(outcome, lead), len(rest))
        if lead.origin.number > 1:
            self._metrics.redelivered()
        await self._tell(group, lead, decided, rest)
        if not isinstance(decided, Again):
            await attempt(self._replies.send(lead, outcome))
            others = along(outcome, lead)
            for each in rest:
                if not each.topic:
                    await attempt(self._replies.send(each, others))

    async def _tell(
        self, group: Group, lead: Delivery, decided: Verdict, rest: List[Delivery]
    ) -> None:
        """The server, what becomes of all of a group."""
        # The lead comes last: it has a body, and is the last to be acknowledged.
        deliveries = [*rest, lead]
        if isinstance(decided, Dead):
            await self._give_up(deliveries, decided, group.owner)
            group.left.clear()
            return
        for count, delivery in enumerate(deliveries, 1):
            if isinstance(decided, Again):
                await delivery.channel.give_back(decided.delay)
            else:
                self._done.add(delivery.origin.key)
                await delivery.channel.acknowledge()
            group.left.pop(delivery, None)
            if not count % AT_ONCE:
                await asyncio.sleep(0)

    def _drop(self, delivery: Delivery) -> Optional[Drop]:
        if delivery.origin.key in self._done:
            return Drop.DONE
        if not delivery.topic:
            return None
        origin = delivery.origin
        return admission.refusal(
            self._subscriptions(), delivery.topic, delivery.subject, origin.stored
        )

    async def _answered(self, group: Group, place: Place) -> Tuple[Delivery, Outcome, Verdict]:
        """The delivery that was decided on, and its outcome, however long an outage lasts, or a
        limit lets it wait."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LEARNING
        while True:
            await self._outage.ended()
            turn = group.turn = self._turns.ask(group.namespace, group.priority)
            try:
                await turn.come
                if self._outage.ongoing:
                    continue
                self._claims.answering(group.owner, True)
                lead = group.lead
                started = time.monotonic()
                outcome = await loop.run_in_executor(self._pool, self._answer, lead)
                took = time.monotonic() - started
            finally:
                group.turn = None
                self._turns.end(turn)
            error, number = outcome.error, lead.origin.number
            if isinstance(error, ContainerIdPending) and await self._learns(group, lead, until):
                continue
            away = error is not None and error.of_any_alert and await self._outage.found()
            decided = verdict(outcome, delivery=number, most=self._most, outage=away)
            if isinstance(decided, Hold):
                self._claims.answering(group.owner, False)
                if self._claims.stopping:
                    raise asyncio.CancelledError
                continue
            if isinstance(decided, Wait):
                if await self._waits(group, lead, outcome, decided, place):
                    continue
                decided = decided.instead
            self._metrics.answered(self._method(lead), took, lead.alert, outcome)
            return lead, outcome, decided

    async def _learns(self, group: Group, lead: Delivery, until: float) -> bool:
        """Whether the API server told meanwhile which pod the container is in."""
        left = until - asyncio.get_running_loop().time()
        if isinstance(lead.alert, bytes) or left <= 0:
            return False
        self._claims.answering(group.owner, False)
        if self._claims.stopping:
            raise asyncio.CancelledError
        future = self._learned(lead.alert.claim)
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
        self._claims.answering(group.owner, False)
        self._claims.free(group.owner)
        if not told:
            self._runtime.log(Event(lead.alert, str(lead.origin)), shown(lead, outcome, decided))
        if outcome.details.get("first"):
            await self._record(lead, outcome, "waits")
        if self._claims.stopping:
            raise asyncio.CancelledError
        await place.wait(outcome, decided.delay)
        return True

    @staticmethod
    def _method(delivery: Delivery) -> str:
        return TOPIC_METHOD if delivery.topic else INBOX_METHOD

    def _answer(self, delivery: Delivery) -> Outcome:
        # The alert is parsed here, in the thread: a long one would keep the loop from turning.
        return self._runtime.answer(
            delivery.alert,
            released_by=delivery.released_by,
            received=delivery.origin.stored,
            trace=delivery.trace,
        )

    async def _record(self, delivery: Delivery, outcome: Outcome, *more: str) -> None:
        name, unique = str(delivery.origin), unique_of(delivery, *more)
        await self._writer.write(delivery.alert, outcome, event_id=name, unique=unique)

    async def _give_up(
        self, deliveries: List[Delivery], dead: Dead, owner: Optional[Delivery] = None
    ) -> None:
        while not await self._dead_letters.write(deliveries, dead):
            if not await self._outage.found():
                for delivery in deliveries:
                    await delivery.channel.give_back(DELAY)
                return
            self._claims.answering(owner or deliveries[0], False)
            await self._outage.ended()
        for delivery in deliveries:
            self._done.add(delivery.origin.key)
            await delivery.channel.acknowledge()


def unique_of(delivery: Delivery, *more: str) -> str:
    """What names the alert among the records."""
    return "-".join(map(str, (*delivery.origin.key, *more)))


def shown(
    delivery: Delivery, outcome: Outcome, decided: Verdict, rest: Sequence[Delivery] = ()
) -> Outcome:
    """The outcome as the log has it: with the delivery, what comes next, and how many others were
    answered with it."""
    facts: Dict[str, Any] = {"delivery": delivery.origin.number, "subject": delivery.subject}
    if isinstance(decided, (Again, Wait)):
        facts["again_in"] = round(decided.delay, 1)
    elif not isinstance(decided, Done):
        facts["dead_letter"] = True
    if rest:
        facts["answered_along"] = len(rest)
        facts["along"] = [str(each.origin) for each in rest[:NAMED]]
    return dataclasses.replace(outcome, details={**outcome.details, **facts})
