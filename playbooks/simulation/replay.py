"""Past alerts, one after the other, through a playbook."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from playbooks.core.alert import Alert, Arrival
from playbooks.core.errors import InvalidAlert, Unexpected, line_of
from playbooks.core.guards.blast_radius import BlastRadius
from playbooks.core.instant import Instant, after
from playbooks.core.outcome import Outcome, Status
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Clock, ClusterCollaborators, OwnPod
from playbooks.core.subjects import Priority, matches, subject
from playbooks.infrastructure.conditions import cel
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.memory.cluster import MemoryCluster, MemoryLedger
from playbooks.infrastructure.memory.scene import owner_of, scene, uid_of

# What an alert is that would have been acted upon, but for the caps.
_CAPS = tuple(set(BlastRadius.REASONS) - {"paused", "undone"})

# Alerts between two reports of progress.
STEP = 500

# Seconds after an alert at which it is answered.
LATER = 5.0

# The node of pods whose alert names none, and further ones, so that none is the last one.
NODE, SPARES = "(unnamed node)", ("(another node)", "(one more node)")

# What of a pod is remembered once it was changed.
_LEFT = ("Pod", "NetworkPolicy")


class AlertClock(Clock):
    """Stands some seconds after the ``time`` of the current alert."""

    time = Instant(0)

    def now(self) -> Instant:
        return after(self.time, LATER)


class NoPod(OwnPod):
    """A simulation runs on no node and in no namespace."""

    namespace = ""
    pod = ""
    node = ""
    in_cluster = False


class PastCluster:
    """Has the pod of one alert after the other in a cluster in memory, as earlier alerts left it.

    Only one pod is there at a time, with what belongs to it: with all earlier ones of its namespace
    there, each alert would take longer than the one before. ``replicas``: of every workload.
    """

    def __init__(self, replicas: Optional[int] = None) -> None:
        self.cluster = MemoryCluster()
        self._replicas = replicas
        # Names of nodes and namespaces, which stay.
        self._shared: Set[Tuple[str, str, str]] = set()
        # By namespace, name and uid: what is left of pods that were changed.
        self._left: Dict[Tuple[str, str, str], List[Tuple[str, Mapping[str, Any]]]] = {}
        # By kind, namespace and name: controllers and other objects that were changed.
        self._changed: Dict[Tuple[str, str, str], Mapping[str, Any]] = {}

    def answer(self, alert: Alert, respond: Callable[[], Outcome]) -> Outcome:
        """``respond`` is called while the alert's pod is there."""
        claim = alert.claim
        made = scene([alert], node=NODE, spares=SPARES, taints=(), replicas=self._replicas)
        put = dict(self._put(each) for each in made if each["kind"] != "Pod")
        if not (claim.namespace and claim.pod):
            return respond()
        key = claim.namespace, claim.pod, uid_of(claim)
        left = self._left.get(key)
        stored = [("Pod", made[-1])] if left is None else left
        before = [(kind, self.cluster.put(manifest, kind)) for kind, manifest in stored]
        outcome = respond()
        taken = self.cluster.take(claim.namespace)
        now = [(kind, manifest) for kind, manifest in taken if kind in _LEFT]
        if now != before:
            self._left[key] = now
        for kind, manifest in taken:
            place = kind, claim.namespace, manifest["metadata"]["name"]
            if put.get(place, manifest) != manifest:
                self._changed[place] = manifest
        return outcome

    def _put(self, manifest: Mapping[str, Any]) -> Tuple[Tuple[str, str, str], Mapping[str, Any]]:
        """Its place, and what stands there."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        place = kind, metadata.get("namespace", ""), metadata["name"]
        if kind in ("Node", "Namespace"):
            if place in self._shared:
                return place, manifest
            self._shared.add(place)
        return place, self.cluster.put(self._changed.get(place, manifest))


@dataclass(frozen=True)
class Answered:
    """``uid``: of the pod or node that was, or would have been, changed. ``waits``: a worker would
    have acted later, when the window of a limit allowed it. ``failure``: what failed, in words."""

    time: Instant
    rule: str
    priority: Priority
    namespace: str
    workload: str
    uid: str
    status: Status
    reason: str
    waits: bool = False
    failure: str = ""

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
    clock, past = AlertClock(), PastCluster(replicas)
    ledger = StoredLedger(MemoryLedger())
    collaborators = ClusterCollaborators(
        clock, NoPod(), past.cluster, ledger, conditions=cel.condition
    )
    unknown = {} if replicas else {"MAX_PER_OWNER": "off"}
    responder = playbook.responder({**environ, **unknown}, collaborators)
    alerts, unreadable = _in_order(bodies)
    detail = "node" if playbook.reaction.TARGETS == "nodes" else "uid"
    answered: List[Answered] = []
    elsewhere = 0
    for number, body in enumerate(alerts, 1):
        alert = Alert.parse(body)
        clock.time = alert.time
        if any(matches(topic, subject(alert.rule, alert.priority)) for topic in topics):
            outcome = past.answer(alert, partial(responder.answer, alert, Arrival(recorded=True)))
            answered.append(_answered(alert, outcome, detail))
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


def _answered(alert: Alert, outcome: Outcome, detail: str) -> Answered:
    """``detail``: the one of the outcome that names its target."""
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
        uid=str(outcome.details.get(detail) or ""),
        status=outcome.status,
        reason=outcome.reason,
        waits=outcome.waits is not None,
        failure=_failure(outcome),
    )


def _failure(outcome: Outcome) -> str:
    """With the line, where it is an error of the playbook's own; empty where nothing failed."""
    if outcome.error is None:
        return ""
    cause = outcome.error.__cause__ if isinstance(outcome.error, Unexpected) else None
    return f"{outcome.message} ({line_of(cause)})" if cause else outcome.message
