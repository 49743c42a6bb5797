"""The isolation of one pod as it stands in the cluster, and how it ends."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.network_policy import LABEL
from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.denying import KINDS as POLICIES
from playbooks.core.cluster.policies.denying import kind_called
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY, PolicyKind, kind_of
from playbooks.core.cluster.workload import OWNING, REPLICA_CONTROLLERS
from playbooks.core.containment.containment import PodContainment
from playbooks.core.containment.note import LONGEST_RULE, UNREADABLE, Note
from playbooks.core.errors import ListTooLong, NotFound
from playbooks.core.instant import Instant, instant_or_none
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster

POLICY = "falco/policy"

# Only where it is no NetworkPolicy.
POLICY_KIND = "falco/policy-kind"

DETACHED_LABELS, DETACHED_FROM = "falco/detached-labels", "falco/detached-from"

ISOLATED_AT, RULE, REASON = "falco/isolated-at", "falco/rule", "falco/reason"

UNTIL = "falco/until"

KEYS = (POLICY, POLICY_KIND, DETACHED_LABELS, DETACHED_FROM, ISOLATED_AT, RULE, REASON, UNTIL)

# Seconds that a detached pod gets to end by itself: Kubernetes' own default.
GRACE = 30


@dataclass(frozen=True)
class Isolation(PodContainment):
    """What is left of it: a policy, a label, annotations, or nothing.

    An attached pod is released when its time is over; a detached one, which its controller has
    replaced, is deleted.
    """

    target: Pod
    note: IsolationNote
    policies: Tuple[Mapping[str, Any], ...]

    KEYS = KEYS
    RELEASING = (
        *PodContainment.RELEASING,
        *(Permission(kind.resource, ("list", "delete"), kind.group) for kind in POLICIES.values()),
        *(
            Permission(OWNING[each].resource, ("list",), OWNING[each].group)
            for each in REPLICA_CONTROLLERS
        ),
    )
    LABEL = LABEL
    NOTHING = "is not isolated"
    EXPIRED = "released"

    @classmethod
    def is_due(cls, notes: Notes, now: Instant, look: Callable[[], Any]) -> bool:  # noqa: ARG003
        return IsolationNote.of(notes).is_over(now)

    @classmethod
    def of(cls, target: Any, cluster: Cluster, notes: Notes) -> Isolation:
        """One call: policies are listed, since a playbook may list them anyway. Two where one of
        another kind was stored."""
        note = IsolationNote.of(notes)
        kinds = dict.fromkeys((NETWORK_POLICY, kind_called(note.policy_kind)))
        found = [_stored(cluster, target, kind, note.policy) for kind in kinds]
        return cls(target, note, tuple(policy for policy in found if policy is not None))

    @property
    def there(self) -> bool:
        noted = self.note != IsolationNote()
        return bool(
            noted or self.policies or LABEL in self.target.labels or annotations_off(self.target)
        )

    @property
    def until(self) -> Optional[Instant]:
        return self.note.until

    @property
    def whole(self) -> bool:
        """Whether a policy is there and selects the pod."""
        return bool(self.policies) and self.target.labels.get(LABEL) == self.target.uid

    @property
    def detached(self) -> bool:
        return bool(self.note.detached)

    @property
    def changes(self) -> List[str]:
        """What somebody changed since, in words."""
        found, labels = [], self.target.labels
        for policy in self.policies:
            owner = (policy["metadata"].get("labels") or {}).get(LABEL)
            if owner != self.target.uid or network_policy.edited(policy):
                found.append(f"{shown(policy)} was edited")
        back = sorted(key for key in self.note.detached if key in labels)
        if back:
            found.append(f"labels {', '.join(back)} were put back")
        if labels.get(LABEL, self.target.uid) != self.target.uid:
            found.append(f"label {LABEL} was edited")
        if self.note.unreadable:
            found.append(f"annotation {self.note.unreadable} was edited")
        return found

    @property
    def labels_to_put_back(self) -> Dict[str, str]:
        """Not those that somebody put back already."""
        labels = self.target.labels
        return {key: value for key, value in self.note.detached.items() if key not in labels}

    def obstacle(self, cluster: Cluster) -> str:
        """A controller that would kill another pod for this one, had it its labels again. Two calls
        where there are any to put back."""
        back = self.labels_to_put_back
        if not back:
            return ""
        pod, labels = self.target, {**self.target.labels, **back}
        rivals = ", ".join(map(str, cluster.rivals(pod.namespace, labels)))
        if not rivals:
            return ""
        return (
            f"{pod} was detached, and {rivals} has replaced it: with its labels back, one pod too"
            f" many would be killed. Delete it (kubectl delete pod {pod.name} -n {pod.namespace}),"
            " or keep it isolated; nothing was changed"
        )

    def release(self, cluster: Cluster) -> str:
        """The pod first: what has no label is no longer selected, and who isolates it anew
        meanwhile writes the policy, which then stays."""
        labels: Dict[str, Optional[str]] = dict(self.labels_to_put_back)
        if LABEL in self.target.labels:
            labels[LABEL] = None
        annotations = annotations_off(self.target)
        if labels or annotations:
            cluster.patch_pod(self.target, labels=labels, annotations=dict(annotations))
        done = [f"{self.target} is released"]
        for policy in self.policies:
            with suppress(NotFound):
                cluster.delete_network_policy(policy)
            done.append(f"{shown(policy)} deleted")
        if self.labels_to_put_back:
            done.append(f"labels {', '.join(self.labels_to_put_back)} put back")
        return "; ".join(done)

    def expire(self, cluster: Cluster) -> Outcome:
        if not self.whole:
            what = f"label {LABEL}" if self.policies else "policy"
            return self.left_alone([f"its {what} is gone"])
        pod, until = self.target, f"its isolation ended at {self.note.until}"
        if self.detached:
            cluster.delete_pod(pod, grace_period_seconds=GRACE)
            return self.expired(f"{pod} is deleted: {until}", "deleted")
        self.release(cluster)
        return self.expired(f"{pod} is released: {until}", self.EXPIRED)


@dataclass(frozen=True)
class IsolationNote(Note):
    """Of several annotations, each about one thing.

    ``detached``: the labels that were taken off, ``detached_from`` their controller.
    ``policy_kind``: empty of a NetworkPolicy. ``unreadable``: the annotation of ours that says
    nothing any more.
    """

    policy: str = ""
    policy_kind: str = ""
    detached: Mapping[str, str] = field(default_factory=dict)
    detached_from: str = ""
    unreadable: str = ""

    @classmethod
    def of(cls, found: Notes) -> IsolationNote:
        """Of notes in the ledger, or annotations; empty where there are none."""
        detached = _labels(found.get(DETACHED_LABELS, "{}"))
        until = instant_or_none(found.get(UNTIL, ""))
        unreadable = DETACHED_LABELS if detached is None else ""
        if UNTIL in found and until is None:
            unreadable = UNTIL
        return cls(
            policy=found.get(POLICY, ""),
            policy_kind=found.get(POLICY_KIND, ""),
            detached=detached or {},
            detached_from=found.get(DETACHED_FROM, ""),
            at=found.get(ISOLATED_AT, ""),
            rule=found.get(RULE, ""),
            reason=found.get(REASON, ""),
            until=until,
            unreadable=unreadable,
        )

    def to_notes(self) -> Dict[str, str]:
        """What is written on the pod, and in the ledger; nothing of what is empty."""
        labels = json.dumps(dict(self.detached), sort_keys=True) if self.detached else ""
        written = {
            POLICY: self.policy,
            POLICY_KIND: self.policy_kind,
            DETACHED_LABELS: labels,
            DETACHED_FROM: self.detached_from if self.detached else "",
            ISOLATED_AT: self.at,
            RULE: self.rule[:LONGEST_RULE],
            REASON: self.reason,
            UNTIL: str(self.until) if self.until else "",
        }
        return {key: value for key, value in written.items() if value}


def shown(policy: Mapping[str, Any]) -> str:
    return f"{kind_of(policy) or NETWORK_POLICY} {policy['metadata']['name']}"


def _stored(
    cluster: Cluster, pod: Pod, kind: PolicyKind, noted: str
) -> Optional[Mapping[str, Any]]:
    """The policy of ours about a pod, also where somebody took its label off. ``noted``: the name
    that the note has of it, by which it is found among too many."""
    named = None
    # The kind may be served no longer, and then there is none of it.
    with suppress(NotFound):
        for policy in _listed(cluster, pod, kind, noted):
            if network_policy.isolates(policy, pod):
                return policy
            if network_policy.own_name(policy) == network_policy.name_for(pod):
                named = policy
    return named


def _listed(
    cluster: Cluster, pod: Pod, kind: PolicyKind, noted: str
) -> Iterator[Mapping[str, Any]]:
    """The policies of a kind; where they are too many, in the end ours about the pod."""
    try:
        yield from cluster.network_policies(pod.namespace, kind)
    except ListTooLong:
        yield from policies_named(cluster, pod, kind, noted)


def policies_named(
    cluster: Cluster, pod: Pod, kind: PolicyKind, noted: str
) -> Iterator[Mapping[str, Any]]:
    """The policies of a kind that have a name of ours about the pod, or that which the note has."""
    for name in {*network_policy.names_for(pod), noted} - {""}:
        yield from cluster.network_policies(pod.namespace, kind, name=name)


def annotations_off(pod: Pod) -> Dict[str, None]:
    """Takes off every annotation of ours that the pod has."""
    return {key: None for key in KEYS if key in pod.annotations}


def _labels(text: str) -> Optional[Dict[str, str]]:
    try:
        found = json.loads(text)
    except UNREADABLE:
        return None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        return None
    return found
