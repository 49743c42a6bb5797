"""Drain the node on which the pod of an alert runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

from playbooks.core import proof
from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.changes import CREATE, Changes, Rule, Texts
from playbooks.core.cluster.conflicts import written
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment import lifetime
from playbooks.core.containment.containment import contained, undo_command
from playbooks.core.containment.cordoning import (
    BEGUN,
    DRAINED,
    EVICTED,
    FOUND_CORDONED,
    Begun,
    Draining,
    evicted,
)
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.containment.note import Note
from playbooks.core.errors import (
    CredentialsRefused,
    DrainIncomplete,
    NotFound,
    NotTheSameObject,
    PlaybookError,
)
from playbooks.core.guards.exempt import Exemptions
from playbooks.core.guards.guard import Case, Guard
from playbooks.core.guards.makers import makers
from playbooks.core.guards.own import OwnPods
from playbooks.core.guards.protected import ProtectedNamespaces, ProtectedOwners
from playbooks.core.instant import after, duration, instant_or_none, shown
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome, Status
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.proof import Proof
from playbooks.core.settings import Setting, all_names, matches_any
from playbooks.reactions.nodes.contain_node import Change, ContainNode, cordons, host_setting

# Seconds until it is looked again at what was evicted: as kubectl drain waits after a refusal.
EVERY = 5.0

# What a proof says of a pod that was evicted.
_NO_POD = ("pod-gone", "not-the-same-pod", "unproven")

# Guards of the playbook that are asked about each of the pods, and not of the alert's alone.
_OF_PODS = (OwnPods, ProtectedNamespaces, ProtectedOwners, Exemptions)

# Pods that a message names, at most.
MOST_NAMED = 5


def _eviction(pod: Manifest, _: Texts) -> Manifest:
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace")}
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": metadata,
        "deleteOptions": {"preconditions": {"uid": pod["metadata"]["uid"]}},
    }


def _of_any_uid(pod: Manifest, texts: Texts) -> Manifest:
    return {**_eviction(pod, texts), "deleteOptions": {}}


@dataclass
class _Pods:
    """Of a node: those that go, those that are on their way, and why each of the others stays. Bare
    ones: it may have a hundred, and tenants make them as large as they like."""

    to_evict: List[Pod] = field(default_factory=list)
    going: List[Pod] = field(default_factory=list)
    stay: Dict[str, str] = field(default_factory=dict)

    @property
    def left(self) -> List[Pod]:
        return [*self.to_evict, *self.going]


class DrainNode(ContainNode):
    """Cordons the node, then evicts its pods by the Eviction API, which keeps to
    PodDisruptionBudgets.

    One call of it evicts what may go now, and does not wait: while pods are left, its outcome asks
    to be asked again after some seconds. ``timeout``: seconds from the first one after which what
    is left has failed. ``namespaces``: globs, the only ones whose pods are evicted; none means
    all.
    """

    VERB = "drain"
    HOST = "DRAIN_HOST"
    CONTAINMENT = Draining
    TTL = "DRAIN_TTL"
    SETTINGS = (
        host_setting(HOST, VERB),
        Setting(
            "DRAIN_TIMEOUT",
            duration(10, 3600),
            "10m",
            "How long evictions are tried that a PodDisruptionBudget refuses, and pods may take to"
            " end; then the drain has failed, and the node stays cordoned",
        ),
        lifetime.ttl(
            TTL,
            "How long the node stays cordoned, such as `2h`; each further alert about the node"
            " extends that. Or `off`",
        ),
        *proof.SETTINGS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list")),
        Permission("pods/eviction", ("create",)),
        Permission("daemonsets", ("get",), group="apps"),
        Permission("nodes", ("get", "list", "patch"), cluster_wide=True),
    )
    CHANGES = (
        cordons(TTL),
        Changes(
            "pods/eviction",
            operations=(CREATE,),
            rules=(
                Rule(
                    "evicts a pod with its uid as precondition",
                    "object.?deleteOptions.?preconditions.?uid.orValue('') != ''",
                    broken_by=_of_any_uid,
                ),
            ),
            asked_of="pods",
            allowed=_eviction,
        ),
    )

    def __init__(
        self,
        cluster: Cluster,
        ledger: Ledger,
        proof: Proof,
        lifetime: Lifetime,
        *,
        host: bool = False,
        timeout: float = 600.0,
        namespaces: Tuple[str, ...] = (),
    ) -> None:
        super().__init__(cluster, ledger, proof, lifetime, host=host)
        self._timeout = timeout
        self._namespaces = namespaces
        self._guards: List[Guard] = []

    def heed(self, guards: Sequence[Guard]) -> None:
        """What protects a pod from being deleted protects it from an eviction, too."""
        self._guards = [guard for guard in guards if isinstance(guard, _OF_PODS)]

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        """Once the alert's own pod is evicted, the ledger alone tells of which node it was."""
        planned = super().plan(alert)
        if not isinstance(planned, Outcome) or planned.reason not in _NO_POD:
            return planned
        for known in self._ledger.contained().values():
            begun = Begun.of(known.notes)
            if begun is not None and begun.alert == Begun.mark(alert):
                evidence = f"the drain of node {known.name} began for this alert"
                return self._plan(alert, known.name, {"node": known.name, "evidence": evidence})
        return planned

    def change(
        self,
        node: Node,
        notes: Notes,
        rule: str,
        facts: Mapping[str, Any],  # noqa: ARG002
    ) -> Union[Change, Outcome]:
        """A cordon of ours that stands is left, or extended."""
        note, spec, written = Draining.noted(notes), {}, {}
        if note is None or not node.unschedulable:
            reason = FOUND_CORDONED if node.unschedulable else "cordoned"
            note = self._lifetime.note(Note, rule, reason, note)
            written = {**Draining.to_notes(note), EVICTED: "0"}
            spec = {} if node.unschedulable else {"unschedulable": True}
        else:
            later = self._lifetime.extended(note)
            if later is not None:
                note, written = later, Draining.to_notes(later)
        annotations = {key: text for key, text in written.items() if key == DRAINED}
        planned, done = f"drain {node}{note.ending}", f"drained {node}{note.ending}"
        return Change(node, note, written, "drained", planned, done, spec, annotations)

    def _change(self, alert: Alert, name: str, facts: Dict[str, Any]) -> Union[Change, Outcome]:
        found = super()._change(alert, name, facts)
        if isinstance(found, Outcome):
            return found
        notes = self._notes_of(found.target)
        if self._uncordoned_since(alert, found.target, notes):
            said = f"somebody uncordoned {found.target} since it was drained for this alert"
            return Outcome.skipped("changed-since", said, str(found.target), **facts)
        pods = self._pods(alert, found.target)
        if not pods.left and not found.annotations and Begun.of(notes) is None:
            said = f"{found.target} is drained already{_staying(pods)}"
            return Outcome.skipped("already-drained", said, str(found.target), **facts)
        what = f": evict {_named(pods.to_evict)}" if pods.to_evict else ", from which none goes"
        return replace(found, planned=f"{found.planned}{what}{_staying(pods)}")

    def _stands(self, node: Node) -> bool:
        return node.unschedulable

    @staticmethod
    def _uncordoned_since(alert: Alert, node: Node, notes: Notes) -> bool:
        """Whether a person ended what an alert began that is asked about again."""
        note = Draining.noted(notes)
        begun = instant_or_none(note.at) if note else None
        return begun is not None and not node.unschedulable and alert.time <= begun

    def _carry_out(self, alert: Alert, change: Change, facts: Dict[str, Any]) -> Outcome:
        cordoned = super()._carry_out(alert, change, facts) if change.annotations else None
        if cordoned is not None and cordoned.status is not Status.ACTED:
            return cordoned
        node = self._cluster.node(change.target.name)
        notes = self._notes_of(node)
        begun, before = Begun.of(notes), evicted(notes)
        first = begun is None or (begun.alert != Begun.mark(alert) and self._is_over(begun))
        if begun is None or first:
            begun = self._begin(alert, node)
        pods = self._pods(alert, node)
        refused = self._evict(pods.to_evict)
        number = before + len(pods.to_evict) - len(refused)
        if number > before:
            self._ledger.contain(contained(node, {EVICTED: str(number)}))
            pods = self._pods(alert, node)
        details = {
            **facts,
            **(cordoned.details if cordoned else {"undo": undo_command(node)}),
            "evicted": number,
            "left": [str(pod) for pod in pods.left],
            "stay": dict(pods.stay),
        }
        progress = f"{number} pod{'s' * (number != 1)} evicted"
        if not pods.left:
            self._ledger.release(node.uid, (BEGUN,))
            done = cordoned.message if cordoned else change.done
            said = f"{done}: {progress}{_staying(pods)}"
            return Outcome.acted(str(node), "drained", said, **details)
        why = "".join(f"; {each}" for each in list(refused.values())[:MOST_NAMED])
        waits = f"{progress}, {len(pods.left)} to go: {_named(pods.left)}{why}"
        return self._left(alert, node, begun, waits, {**details, "first": first})

    def _begin(self, alert: Alert, node: Node) -> Begun:
        """From now on it has all of its time; also where it had failed for another alert."""
        begun = Begun(Begun.mark(alert), self._lifetime.begins())
        self._ledger.contain(contained(node, begun.to_notes()))
        return begun

    def _is_over(self, begun: Begun) -> bool:
        return self._lifetime.begins() >= after(begun.at, self._timeout)

    def _left(
        self, alert: Alert, node: Node, begun: Begun, waits: str, details: Mapping[str, Any]
    ) -> Outcome:
        if self._is_over(begun):
            # Who asks again after that is a person, and gets as much time again.
            self._begin(alert, node)
            said = (
                f"{node} is not drained after {shown(self._timeout)} (DRAIN_TIMEOUT), and stays"
                f" cordoned: {waits}"
            )
            return Outcome.failed(DrainIncomplete(said), str(node), **details)
        return Outcome.skipped(
            "draining",
            f"draining {node}: {waits}",
            str(node),
            held=True,
            waits=EVERY,
            waits_for=f"drain/{node.uid}",
            **details,
        )

    def _pods(self, alert: Alert, node: Node) -> _Pods:
        found = _Pods()
        for pod in self._cluster.pods_on(node.name, namespaces=all_names(self._namespaces)):
            why = self._why_it_stays(alert, pod)
            if why:
                found.stay[str(pod)] = why
            elif pod.terminates_at:
                found.going.append(pod.bare)
            else:
                found.to_evict.append(pod.bare)
        return found

    def _why_it_stays(self, alert: Alert, pod: Pod) -> str:
        if not matches_any(pod.namespace, self._namespaces):
            return "its namespace is none of NAMESPACES"
        if pod.static:
            return "it is a static pod"
        # Its controller would start it here again at once: it tolerates a cordon.
        if pod.owner and pod.owner.kind == "DaemonSet" and any(makers(pod, self._cluster)):
            return f"it belongs to {pod.owner}"
        case = Case(alert, self._lifetime.begins())
        action = Action("evict", str(pod), f"evict {pod}", _not_carried_out, pod=pod)
        answers = (guard.of_action(case, action) for guard in self._guards)
        return next((answer.words for answer in answers if answer.reason), "")

    def _evict(self, pods: List[Pod]) -> Dict[str, str]:
        """Why pods are not evicted. Raises where no other pod would be either."""
        refused = {}
        for pod in pods:
            try:
                self._evict_as_it_is(pod)
            except (NotFound, NotTheSameObject):
                continue
            except CredentialsRefused:
                raise
            except PlaybookError as error:
                refused[str(pod)] = str(error)
        return refused

    def _evict_as_it_is(self, pod: Pod) -> None:
        written(pod, self._cluster.evict_pod, lambda: self._cluster.again(pod))


def _not_carried_out() -> Outcome:
    raise NotImplementedError("guards are asked about it, and nothing else")


def _named(pods: List[Pod]) -> str:
    return _some([str(pod) for pod in pods])


def _staying(pods: _Pods) -> str:
    named = [f"{name} ({why})" for name, why in pods.stay.items()]
    return f"; stays: {_some(named)}" if named else ""


def _some(named: List[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return f"{', '.join(named[:MOST_NAMED])}{more}"
