"""The alerts under way: taken in, grouped by what they are about, answered and settled."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Hashable, Optional, Sequence, Tuple

from playbooks.core.alert import SHORT
from playbooks.engines import log
from playbooks.engines.worker.nats.delivery import Delivery, plain
from playbooks.engines.worker.nats.pull import EXPIRES
from playbooks.engines.worker.topics import Subscription
from playbooks.engines.worker.work.answering import Answering
from playbooks.engines.worker.work.claims import attempt
from playbooks.engines.worker.work.drops import Drops
from playbooks.engines.worker.work.queue import admission
from playbooks.engines.worker.work.queue.admission import Drop
from playbooks.engines.worker.work.queue.groups import Group
from playbooks.engines.worker.work.releases import RELEASED_BY, Releases
from playbooks.engines.worker.work.settlement import Settlement
from playbooks.engines.worker.work.verdict import exhausted

# Seconds between two looks for what any alert would fail for.
LOOK = 30.0

# Alerts that may wait along with another one for the window of a limit.
ALONG = 1000


@dataclass(eq=False)
class Work:
    """``subscriptions`` gives those of the moment."""

    subscriptions: Callable[[], Sequence[Subscription]]
    releases: Releases
    drops: Drops
    answering: Answering
    settlement: Settlement

    def __post_init__(self) -> None:
        self._claims, self._most = self.answering.claims, self.answering.most
        self._groups: Dict[Hashable, Group] = {}
        self._busy: Dict[Tuple[Any, ...], asyncio.Event] = {}
        self._look_at = time.monotonic() + LOOK
        self._looking: Optional[asyncio.Task[bool]] = None

    def take(self, delivery: Delivery, freed: Callable[[], None] = lambda: None) -> None:
        """Begin with a delivery; ``freed`` is called when it is no longer claimed."""
        delivery = self._released(delivery)
        target = self._target(delivery)
        group = self._groups.get(target)
        if group is not None and group.waits and len(group.left) >= ALONG:
            # The one that waits is not acknowledged, and is decided on for this one as well.
            self._claims.begin(delivery, self.settlement.leave_to_others(delivery), freed)
            return
        if group is not None:
            group.add(delivery, self.answering.turns)
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
        why = self.releases.refusal(delivery.headers, delivery.body, origin)
        if not why:
            return replace(delivery, released_by=by)
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
        return self.answering.runtime.target(delivery.alert, delivery.origin.stored)

    def tick(self) -> None:
        """Called every second."""
        self.drops.tick()
        if time.monotonic() > self._look_at:
            self._look_at = time.monotonic() + LOOK
            self._looking = asyncio.get_running_loop().create_task(self.answering.outage.found())

    async def stop(self, seconds: float) -> None:
        """Hand back what has not begun, and finish the rest within ``seconds``."""
        await self._claims.stop(seconds)
        self.drops.stop()
        self.settlement.stop()
        self.answering.stop()

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
            # One that waits comes later than this worker asks for alerts: it would cost another
            # delivery.
            delay = EXPIRES if group.waits else 0
            for delivery in list(group.left):
                await attempt(delivery.channel.give_back(delay))
        except Exception as error:
            # Not acknowledged: the server delivers it again.
            said = log.traceback_of(error)
            log.error(f"{group.owner.origin} is left to the server: {error!r}", traceback=said)
        finally:
            self._close(group)
            for busy in [key, *group.keys]:
                if self._busy.get(busy) is group.settled:
                    del self._busy[busy]
            group.settled.set()

    async def _settle(self, group: Group) -> None:
        delivery = group.owner
        drop = self._drop(delivery)
        if drop is not None:
            self.drops.add(delivery, drop)
            await delivery.channel.acknowledge()
            return
        if exhausted(delivery.origin.number, self._most):
            await self.settlement.exhausted(delivery, self._most)
            return
        decided = await self.answering.answer(group)
        self._close(group)
        await self.settlement.settle(group, decided)

    def _close(self, group: Group) -> None:
        """From now on the next alert about this target begins another group."""
        if group.target is not None and self._groups.get(group.target) is group:
            del self._groups[group.target]

    def _drop(self, delivery: Delivery) -> Optional[Drop]:
        if delivery.origin.key in self.settlement.done:
            return Drop.DONE
        if not delivery.topic:
            return None
        origin = delivery.origin
        return admission.refusal(
            self.subscriptions(), delivery.topic, delivery.subject, origin.stored
        )
