"""Ending what is contained for a time only, once that is over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Callable, List, Mapping, Optional, Sequence, Set, Tuple, Union

from playbooks.core.cluster.network_policy import LABEL
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment.isolation import Isolation, PodMark
from playbooks.core.containment.tainting import Tainting
from playbooks.core.errors import Conflict, NotFound, PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.ledger import ledger
from playbooks.core.outcome import Outcome, Status
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Clock, Cluster, ClusterCollaborators, Collaborators, LedgerStore
from playbooks.core.settings import is_name, matches_any, read

# Seconds that a detached pod gets to end by itself: Kubernetes' own default.
GRACE = 30

Paused = Callable[[], str]


class Sweep(ABC):
    """Several may run at the same time, and at any time anew: what is over is over for all.

    ``paused`` says who has put the brake on, or nothing; asked only when something is due.
    """

    def __init__(self, cluster: Cluster, clock: Clock, paused: Paused) -> None:
        self._cluster = cluster
        self._clock = clock
        self._paused = paused
        self._said: Set[str] = set()

    def once(self) -> List[Outcome]:
        """What was done, what failed, and, once, what is left alone.

        One call where nothing is due. Raises a PlaybookError where it cannot look.
        """
        now = self._clock.now()
        due = self._due(now)
        paused = self._paused() if due else ""
        if paused:
            ended = [Outcome.skipped("paused", f"nothing is ended: {paused}")]
        else:
            ended = [outcome for thing in due for outcome in self._ended(thing)]
        return [outcome for outcome in ended if not self._known(outcome)]

    @abstractmethod
    def _due(self, now: Instant) -> Sequence[Union[Pod, Node]]:
        """What is over."""

    @abstractmethod
    def _end(self, thing: Any) -> Optional[Outcome]:
        """None: somebody else was faster."""

    def _ended(self, thing: Any) -> List[Outcome]:
        try:
            outcome = self._end(thing)
        except (Conflict, NotFound):
            # Somebody else wrote it meanwhile: the next sweep sees what is left.
            return []
        except PlaybookError as error:
            outcome = replace(Outcome.failed(error), target=str(thing))
        return [outcome] if outcome else []

    def _known(self, outcome: Outcome) -> bool:
        if outcome.status is not Status.SKIPPED:
            return False
        known = outcome.message in self._said
        self._said.add(outcome.message)
        return known


class PodSweep(Sweep):
    """Isolated pods: attached ones are released, detached ones deleted.

    ``namespaces``: names or globs of those that are looked at; none means all.
    """

    def __init__(
        self, cluster: Cluster, clock: Clock, paused: Paused, namespaces: Tuple[str, ...] = ()
    ) -> None:
        super().__init__(cluster, clock, paused)
        self._namespaces = namespaces

    def _due(self, now: Instant) -> List[Pod]:
        named = self._namespaces if all(map(is_name, self._namespaces)) else ()
        return [
            pod
            for pod in self._cluster.labelled_pods(LABEL, namespaces=named)
            if matches_any(pod.namespace, self._namespaces)
            and pod.terminates_at is None
            and _is_over(PodMark.of(pod).until, now)
        ]

    def _end(self, pod: Pod) -> Optional[Outcome]:
        isolation = Isolation.of(pod, self._cluster)
        changes = isolation.changes
        if not changes and not isolation.whole:
            changes = ["its NetworkPolicy is gone"]
        if changes:
            return _left(str(pod), changes)
        until = f"its isolation ended at {isolation.mark.until}"
        if isolation.detached:
            self._cluster.delete_pod(pod, grace_period_seconds=GRACE)
            return Outcome.acted(str(pod), "deleted", f"{pod} is deleted: {until}", uid=pod.uid)
        isolation.end(self._cluster)
        return Outcome.acted(str(pod), "released", f"{pod} is released: {until}", uid=pod.uid)


class NodeSweep(Sweep):
    """Nodes: the taint comes off."""

    def _due(self, now: Instant) -> List[Node]:
        return [node for node in self._cluster.nodes() if _over(node, now)]

    def _end(self, listed: Node) -> Optional[Outcome]:
        # What was listed may be some seconds old.
        tainting = Tainting(self._cluster.node(listed.name))
        over = _over(tainting.node, self._clock.now())
        ended = [mark for mark in over if not tainting.changed(mark)]
        if not over:
            return None
        if not ended:
            return _left(str(listed), tainting.changes(over))
        removed = tainting.end(ended, self._cluster)
        said = f"taint {', '.join(removed)} taken off" if removed else "its taint was gone already"
        return Outcome.acted(
            str(listed), "untainted", f"{listed}: {said}, its time is over", uid=listed.uid
        )


def sweep_of(
    targets: str,
    cluster: Cluster,
    clock: Clock,
    store: LedgerStore,
    namespaces: Tuple[str, ...] = (),
) -> Sweep:
    """That of what a playbook contains, ``pods`` or ``nodes``. Its brake stops it too."""

    def paused() -> str:
        return ledger.brake(store)

    if targets == "pods":
        return PodSweep(cluster, clock, paused, namespaces)
    return NodeSweep(cluster, clock, paused)


def _is_over(until: Optional[Instant], now: Instant) -> bool:
    return until is not None and until <= now


def _over(node: Node, now: Instant) -> List[str]:
    return [taint for taint, mark in Tainting(node).marks.items() if _is_over(mark.until, now)]


def _left(target: str, changes: List[str]) -> Outcome:
    said = f"{target} is due and left alone, somebody changed it since: {'; '.join(changes)}"
    return Outcome.skipped("changed-since", said, target)


def sweep(
    playbook: Playbook, environ: Mapping[str, str], collaborators: Optional[Collaborators] = None
) -> Optional[Sweep]:
    """None where nothing that it contains ends by itself, and in a dry run.

    Raises InvalidSetting.
    """
    settings = read(playbook.settings, environ)
    ttl = playbook.reaction.TTL
    if not ttl or settings[ttl] is None or settings["DRY_RUN"]:
        return None
    collaborators = collaborators or playbook.collaborators(playbook.name, settings)
    assert isinstance(collaborators, ClusterCollaborators)
    return sweep_of(
        playbook.reaction.TARGETS,
        collaborators.cluster,
        collaborators.clock,
        collaborators.ledger,
        settings["NAMESPACES"],
    )
