"""Alerts about the same target that wait together: one decision answers all of them."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Dict, Hashable, List, Optional

from playbooks.core.alert import Alert
from playbooks.core.outcome import Outcome, Status
from playbooks.core.subjects import Priority
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.work.queue.admission import Key
from playbooks.engines.worker.work.queue.turns import FairTurns, Turn

TOGETHER = "answered-together"


class Group:
    """``target``: what all its alerts are about; None for a group of one that is not joined.

    ``lead`` is the alert that is decided on: the most urgent, the newest of these. ``left``: the
    deliveries that are not settled yet. ``keys``: of all of them, settled or not. ``waits``: for
    the window of a limit. ``settled`` is set at the end.
    """

    def __init__(self, target: Optional[Hashable], owner: Delivery) -> None:
        self.target = target
        self.owner = self.lead = owner
        self.left: Dict[Delivery, None] = {owner: None}
        self.settled = asyncio.Event()
        self.waits = False
        self.turn: Optional[Turn] = None
        self.keys: List[Key] = [owner.origin.key]

    @property
    def namespace(self) -> str:
        alert = self.lead.alert
        return alert.claim.namespace if isinstance(alert, Alert) else ""

    @property
    def priority(self) -> Priority:
        alert = self.lead.alert
        return alert.priority if isinstance(alert, Alert) else Priority.DEBUG

    def add(self, delivery: Delivery, turns: FairTurns) -> None:
        self.left[delivery] = None
        self.keys.append(delivery.origin.key)
        old, new = self.lead.alert, delivery.alert
        assert isinstance(old, Alert) and isinstance(new, Alert)
        if (new.priority, new.time) > (old.priority, old.time):
            self.lead, delivery = delivery, self.lead
            if self.turn is not None:
                turns.raise_to(self.turn, new.priority)
        # Thousands may wait.
        delivery.forget()


def along(outcome: Outcome, lead: Delivery) -> Outcome:
    """The outcome of the others of a group: an action was one of the lead's."""
    said = f"answered with {lead.origin}, about the same target: {outcome.message}"
    details = {**outcome.details, "answered_with": str(lead.origin)}
    if outcome.status is Status.ACTED:
        return Outcome.skipped(TOGETHER, said, outcome.target, **details)
    return dataclasses.replace(outcome, message=said, details=details)
