"""What follows from an outcome: it is logged, recorded and replied, and the server is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from playbooks.core.outcome import Outcome, Status
from playbooks.engines.runtime import Event, Runtime
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.nats.replies import Replies
from playbooks.engines.worker.work.claims import AT_ONCE, Claims, attempt
from playbooks.engines.worker.work.dead_letters import DeadLetters
from playbooks.engines.worker.work.follow_ups import FollowUps
from playbooks.engines.worker.work.outcomes import Body, OutcomeWriter
from playbooks.engines.worker.work.queue.admission import DoneMessages
from playbooks.engines.worker.work.queue.groups import TOGETHER, Group, along
from playbooks.engines.worker.work.queue.outage import Outage
from playbooks.engines.worker.work.verdict import Again, Dead, Done, Verdict, Wait

# Seconds until an alert is delivered again whose dead letter could not be stored.
DELAY = 30.0

# Messages that the log names of those that were answered along with another.
NAMED = 10

INBOX_METHOD, TOPIC_METHOD = "POST", "NATS"


class Decided(NamedTuple):
    """``lead``: the delivery that was decided on. ``seconds``: that answering it took."""

    lead: Delivery
    outcome: Outcome
    verdict: Verdict
    seconds: float


@dataclass(eq=False)
class Settlement:
    """``done``: the messages of which nothing is left to do."""

    runtime: Runtime
    outage: Outage
    claims: Claims
    dead_letters: DeadLetters
    replies: Replies
    writer: OutcomeWriter
    follow_ups: FollowUps
    metrics: Metrics

    def __post_init__(self) -> None:
        self.done = DoneMessages()

    async def settle(self, group: Group, decided: Decided) -> None:
        """All of a group, which nothing joins any more."""
        lead, outcome, verdict, seconds = decided
        self.metrics.answered(_method(lead), seconds, lead.alert, outcome)
        rest = [each for each in group.left if each is not lead]
        event = Event(lead.alert, str(lead.origin))
        self.runtime.log(event, shown(lead, outcome, verdict, rest))
        if not isinstance(verdict, Again):
            # Before it is acknowledged: who is killed in between does it again, and finds it done.
            await self._record(lead, outcome)
        # Also where it is tried again: what acted on the way is done already then.
        unique = unique_of(lead, str(lead.origin.number))
        self.follow_ups.begin(lead.alert, outcome, event_id=str(lead.origin), unique=unique)
        if rest:
            self.metrics.answered_along(_method(lead), along(outcome, lead), len(rest))
        if lead.origin.number > 1:
            self.metrics.redeliveries.inc()
        await self._tell(group, lead, verdict, rest)
        if not isinstance(verdict, Again):
            await attempt(self.replies.send(lead, outcome))
            others = along(outcome, lead)
            for each in rest:
                if not each.topic:
                    await attempt(self.replies.send(each, others))

    async def settle_now(self, body: Body, outcome: Outcome) -> None:
        """An alert that lies in no stream: there is no server to tell."""
        self.runtime.log(Event(body), outcome)
        await self.writer.write(body, outcome, event_id="", unique="")
        self.follow_ups.begin(body, outcome, event_id="", unique="")

    async def exhausted(self, delivery: Delivery, most: int) -> None:
        """One that is not answered: it was delivered ``most`` times before."""
        self.metrics.redeliveries.inc()
        number = delivery.origin.number
        said = f"delivery {number} of {most}: the ones before ended without an outcome"
        trace_id = delivery.trace.trace_id if delivery.trace else ""
        dead = Dead("deliveries-exhausted", said, trace_id=trace_id)
        outcome = Outcome(Status.FAILED, dead.reason, said, why=(said,), trace_id=trace_id)
        event = Event(delivery.alert, str(delivery.origin))
        self.runtime.log(event, shown(delivery, outcome, dead))
        await self._record(delivery, outcome)
        await self._give_up([delivery], dead)

    async def leave_to_others(self, delivery: Delivery) -> None:
        """One that is not answered: others about the same target wait already."""
        said = "another alert about the same target waits"
        outcome = Outcome.skipped(TOGETHER, said)
        self.metrics.answered_along(_method(delivery), outcome, 1)
        self.done.add(delivery.origin.key)
        await attempt(delivery.channel.acknowledge())
        await attempt(self.replies.send(delivery, outcome))

    def stop(self) -> None:
        self.follow_ups.stop()

    async def _tell(
        self, group: Group, lead: Delivery, verdict: Verdict, rest: List[Delivery]
    ) -> None:
        """The server, what becomes of all of a group."""
        # The lead comes last: it has a body, and is the last to be acknowledged.
        deliveries = [*rest, lead]
        if isinstance(verdict, Dead):
            await self._give_up(deliveries, verdict, group.owner)
            group.left.clear()
            return
        for count, delivery in enumerate(deliveries, 1):
            if isinstance(verdict, Again):
                await delivery.channel.give_back(verdict.delay)
            else:
                self.done.add(delivery.origin.key)
                await delivery.channel.acknowledge()
            group.left.pop(delivery, None)
            if not count % AT_ONCE:
                await asyncio.sleep(0)

    async def _record(self, delivery: Delivery, outcome: Outcome) -> None:
        name, unique = str(delivery.origin), unique_of(delivery)
        await self.writer.write(delivery.alert, outcome, event_id=name, unique=unique)

    async def _give_up(
        self, deliveries: List[Delivery], dead: Dead, owner: Optional[Delivery] = None
    ) -> None:
        while not await self.dead_letters.write(deliveries, dead):
            if not await self.outage.found():
                for delivery in deliveries:
                    await delivery.channel.give_back(DELAY)
                return
            self.claims.answering(owner or deliveries[0], False)
            await self.outage.ended()
        for delivery in deliveries:
            self.done.add(delivery.origin.key)
            await delivery.channel.acknowledge()


def unique_of(delivery: Delivery, *more: str) -> str:
    """What names the alert among the records."""
    return "-".join(map(str, (*delivery.origin.key, *more)))


def shown(
    delivery: Delivery, outcome: Outcome, verdict: Verdict, rest: Sequence[Delivery] = ()
) -> Outcome:
    """The outcome as the log has it: with the delivery, what comes next, and how many others were
    answered with it."""
    facts: Dict[str, Any] = {"delivery": delivery.origin.number, "subject": delivery.subject}
    if isinstance(verdict, (Again, Wait)):
        facts["again_in"] = round(verdict.delay, 1)
    elif not isinstance(verdict, Done):
        facts["dead_letter"] = True
    if rest:
        facts["answered_along"] = len(rest)
        facts["along"] = [str(each.origin) for each in rest[:NAMED]]
    return replace(outcome, details={**outcome.details, **facts})


def _method(delivery: Delivery) -> str:
    return TOPIC_METHOD if delivery.topic else INBOX_METHOD
