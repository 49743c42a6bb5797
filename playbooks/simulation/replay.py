"""Past alerts, one after the other, through a playbook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, List, Mapping, Optional, Sequence, Tuple

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.guards.blast_radius import BlastRadius
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome, Status
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.priority import Priority
from playbooks.core.subjects import matches, subject
from playbooks.simulation.world import (
    MemoryLedger,
    Moment,
    Nowhere,
    SimulatedCluster,
    owner_of,
)

# What an alert is that would have been acted upon, but for the caps.
_CAPS = tuple(set(BlastRadius.REASONS) - {"paused", "undone"})

# Alerts between two words of progress.
STEP = 500


@dataclass(frozen=True)
class Answered:
    """``uid``: of the pod or node that was, or would have been, changed."""

    time: Instant
    rule: str
    priority: Priority
    namespace: str
    workload: str
    uid: str
    status: Status
    reason: str

    @property
    def wanted(self) -> bool:
        """Whether it would have been acted upon without any cap."""
        return self.status is Status.ACTED or (bool(self.uid) and self.reason in _CAPS)


@dataclass(frozen=True)
class Replayed:
    """``elsewhere``: alerts that no topic matches. ``unreadable``: what is no alert."""

    answered: Sequence[Answered]
    elsewhere: int
    unreadable: int


def replay(
    playbook: Playbook,
    environ: Mapping[str, str],
    topics: Sequence[str],
    bodies: Iterable[bytes],
    *,
    replicas: Optional[int] = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Replayed:
    """In the order of the alerts' own times. ``replicas``: of every workload; None is unknown, and
    then nothing is held to MAX_PER_OWNER. Raises InvalidSetting."""
    moment = Moment()
    collaborators = ClusterCollaborators(
        moment, Nowhere(), SimulatedCluster(moment, replicas), MemoryLedger()
    )
    unknown = {} if replicas else {"MAX_PER_OWNER": "off"}
    responder = playbook.responder({**environ, **unknown}, collaborators)
    alerts, unreadable = _in_order(bodies)
    struck = "node" if playbook.reaction.TARGETS == "nodes" else "uid"
    answered: List[Answered] = []
    elsewhere = 0
    for number, body in enumerate(alerts, 1):
        alert = moment.alert = Alert.parse(body)
        if any(matches(topic, subject(alert.rule, alert.priority)) for topic in topics):
            outcome = responder.answer(body, recorded=True)
            answered.append(_answered(alert, outcome, struck))
        else:
            elsewhere += 1
        if number % STEP == 0 or number == len(alerts):
            progress(number, len(alerts))
    return Replayed(answered, elsewhere, unreadable)


def _in_order(bodies: Iterable[bytes]) -> Tuple[List[bytes], int]:
    timed: List[Tuple[int, bytes]] = []
    unreadable = 0
    for body in bodies:
        try:
            timed.append((Alert.parse(body).time.nanoseconds, body))
        except InvalidAlert:
            unreadable += 1
    timed.sort(key=lambda pair: pair[0])
    return [body for _, body in timed], unreadable


def _answered(alert: Alert, outcome: Outcome, struck: str) -> Answered:
    claim = alert.claim
    owner = owner_of(claim.pod)
    workload = f"{owner.kind} {owner.name}" if owner else f"pod {claim.pod}" if claim.pod else ""
    if owner and owner.kind == "ReplicaSet":
        workload = f"Deployment {owner.name.rpartition('-')[0]}"
    return Answered(
        time=alert.time,
        rule=alert.rule,
        priority=alert.priority,
        namespace=claim.namespace,
        workload=workload,
        uid=str(outcome.details.get(struck) or ""),
        status=outcome.status,
        reason=outcome.reason,
    )
