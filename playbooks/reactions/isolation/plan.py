"""What isolating a pod will do to it, how that is found out, and what it comes to."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.network_policy import LABEL, NOTHING, Reachable
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies import denying
from playbooks.core.cluster.policies.kinds import (
    CALICO,
    CALICO_STORED,
    CILIUM,
    CILIUM_CLUSTERWIDE,
    NETWORK_POLICY,
    PolicyKind,
    to_read,
)
from playbooks.core.cluster.policies.others import OtherPolicies, OtherPolicy, PolicyRoom
from playbooks.core.cluster.policies.reading import Tristate
from playbooks.core.cluster.selectors import Labels
from playbooks.core.cluster.workload import ReplicaController
from playbooks.core.containment.isolation import IsolationNote, policies_named
from playbooks.core.errors import ListTooLong, NotFound, PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.ports import Cluster

# Controllers that start another replica for a pod they no longer select.
_REPLACING = ("ReplicaSet", "ReplicationController")

# Access modes with which the next replica could not mount what the pod still holds.
_EXCLUSIVE = ("ReadWriteOnce", "ReadWriteOncePod")

# Characters of JSON that the labels taken off a pod may have: the ledger remembers them.
LONGEST_DETACHED = 2000


@dataclass(frozen=True)
class IsolationPlan:
    """What will be done to a pod, and what it comes to.

    ``detached``: the labels to take off. ``attached_because``: why none are, where that is worth
    saying. ``others``: policies of others. ``namesake``: the policy of somebody else that has
    the name which ours would have. ``kind``: that of our policy; ``instead``: why it is not the one
    that was asked for. ``unnoted``: what is said where its annotations were not taken, or empty.
    """

    pod: Pod
    policy: Dict[str, Any]
    stored: Optional[Mapping[str, Any]]
    others: OtherPolicies
    types: Tuple[str, ...]
    reachable: Reachable = NOTHING
    detached: Mapping[str, str] = field(default_factory=dict)
    attached_because: str = ""
    namesake: str = ""
    kind: PolicyKind = NETWORK_POLICY
    instead: str = ""
    unnoted: str = ""

    @property
    def labels(self) -> Dict[str, str]:
        """The labels that the pod then has."""
        kept = {k: v for k, v in self.pod.labels.items() if k not in self.detached}
        return {**kept, LABEL: self.pod.uid}

    @property
    def allowing(self) -> List[str]:
        """Policies of others that let traffic through then."""
        return [str(policy) for policy, answer in self._answers if answer]

    @property
    def may_allow(self) -> List[str]:
        """Those of which that is not known, and the kinds of which none could be read."""
        unread = [f"{kind} (not read: {why})" for kind, why in self.others.unread.items()]
        return [*(str(policy) for policy, answer in self._answers if answer is None), *unread]

    @property
    def leaks(self) -> List[str]:
        """Both, in words."""
        said = ((self.allowing, "still"), (self.may_allow, "may still"))
        return [f"{', '.join(names)} {may} allow traffic" for names, may in said if names]

    @cached_property
    def _answers(self) -> List[Tuple[OtherPolicy, Tristate]]:
        target = self.others.target(self.pod, self.labels)
        return [(each, each.allows(self.types, target, self.kind)) for each in self.others.policies]

    @property
    def policy_applies(self) -> bool:
        """Whether the policy is stored as it shall be, and selects the pod."""
        return (
            self.stored is not None
            and network_policy.same(self.stored, self.policy)
            and self.pod.labels.get(LABEL) == self.pod.uid
        )

    @property
    def done(self) -> bool:
        return self.policy_applies and self.labels == self.pod.labels

    @property
    def reason(self) -> str:
        """The code of the outcome."""
        if self.allowing:
            return "isolated-in-part"
        return "isolated-perhaps-in-part" if self.may_allow else "isolated"

    @property
    def summary(self) -> str:
        """What is stored and what it comes to, in words."""
        traffic = " and ".join(kind.lower() for kind in self.types)
        name = self.policy["metadata"]["name"]
        but = f" but {self.reachable}" if str(self.reachable) else ""
        every = "" if self.may_allow else "all "
        words = [f"{name} denies {every}{traffic} of {self.pod}{but}"]
        if self.detached:
            words.append(
                f"detached from {self.pod.owner}: labels {', '.join(self.detached)} taken off"
            )
        if self.attached_because:
            words.append(f"not detached: {self.attached_because}")
        if self.namesake:
            words.append(f"{self.kind} {self.namesake} was there, and is not ours")
        if self.instead:
            words.append(self.instead)
        leaks = "; ".join(self.leaks)
        if leaks:
            words.append(f"isolated in part: {leaks}" if self.allowing else leaks)
        return "; ".join(words) + self.unnoted

    @property
    def other_kind(self) -> str:
        """The kind of its policy, where that is no NetworkPolicy."""
        return "" if self.kind == NETWORK_POLICY else str(self.kind)

    @property
    def facts(self) -> Dict[str, Any]:
        """Details of an outcome, beside those of the proof."""
        return {
            "policy": self.policy["metadata"]["name"],
            **({"policy_kind": self.other_kind} if self.other_kind else {}),
            "detached_labels": dict(self.detached),
            "still_allowing": self.allowing,
            **({"may_still_allow": self.may_allow} if self.may_allow else {}),
        }


@dataclass
class _Listed:
    """The policies of a kind. ``stored``: ours about the pod. ``namesake``: whether somebody else's
    has the name that it would have. ``unread``: why not all were read, or empty."""

    kind: PolicyKind
    stored: Optional[Mapping[str, Any]] = None
    namesake: bool = False
    theirs: List[Mapping[str, Any]] = field(default_factory=list)
    unread: str = ""

    def take(self, pod: Pod, listed: Iterable[Mapping[str, Any]], room: PolicyRoom) -> None:
        name = network_policy.name_for(pod)
        for policy in listed:
            if network_policy.isolates(policy, pod):
                # Of several, all but one are somebody else's.
                if self.stored is not None:
                    self.theirs.append(room.kept(self.stored))
                self.stored = PolicyRoom().kept(policy)
            else:
                self.namesake = self.namesake or network_policy.own_name(policy) == name
                self.theirs.append(room.kept(policy))

    def others(self, *, own: bool) -> List[OtherPolicy]:
        """``own``: whether what is ours is the policy that isolates."""
        more = [] if own or self.stored is None else [self.stored]
        return [OtherPolicy(self.kind, each) for each in (*self.theirs, *more)]


class Planner:
    """Finds out what isolating a pod takes, by reads alone. ``types``: those of the policy.
    ``reachable`` and ``policy`` as for ``IsolatePod``. ``detach``: whether labels come off.
    ``now``: the current time.
    """

    def __init__(
        self,
        cluster: Cluster,
        types: Tuple[str, ...],
        reachable: Reachable,
        now: Callable[[], Instant],
        *,
        detach: bool,
        policy: str,
    ) -> None:
        self._cluster = cluster
        self._types = types
        self._reachable = reachable
        self._now = now
        self._detach = detach
        self._policy = policy

    def plan(self, pod: Pod, before: IsolationNote) -> IsolationPlan:
        """``before``: what the ledger has about the pod. Raises a PlaybookError."""
        kind, instead = self._kind(pod.namespace)
        policy = denying.isolating(kind, pod, self._types, self._reachable)
        room, name, namesake = PolicyRoom(), policy["metadata"]["name"], ""
        listed = self._listed(pod, NETWORK_POLICY, room)
        of_kind = listed
        if kind != NETWORK_POLICY:
            of_kind = self._listed(pod, kind, PolicyRoom())
        if of_kind.unread and of_kind.stored is None:
            of_kind = _Listed(kind)
            of_kind.take(pod, policies_named(self._cluster, pod, kind, before.policy), PolicyRoom())
        stored = of_kind.stored
        if stored is not None:
            metadata = {**policy["metadata"], "name": stored["metadata"]["name"]}
            policy = {**policy, "metadata": metadata}
        elif of_kind.namesake:
            namesake, policy = name, network_policy.renamed(policy, self._now())
        others = self._others(pod, kind, listed, room)
        plan = IsolationPlan(pod, policy, stored, others, self._types, self._reachable)
        plan = replace(plan, namesake=namesake, kind=kind, instead=instead)
        was_detached = pod.owner is None and before.detached
        return plan if was_detached or not self._detach else self._detaching(plan)

    def _kind(self, namespace: str) -> Tuple[PolicyKind, str]:
        """The kind of policy to store, and why it is not the one that was asked for."""
        if self._policy == "kubernetes":
            return NETWORK_POLICY, ""
        served = [kind for kind in self._cluster.policy_kinds() if kind in denying.KINDS.values()]
        storable = [kind for kind in served if self._cluster.may_store(kind, namespace)]
        found = denying.wanted(self._policy, storable)
        if found != NETWORK_POLICY or self._policy == denying.AUTO:
            return found, ""
        kind = denying.KINDS[self._policy]
        why = "the account may store" if kind in served else "the cluster serves"
        return NETWORK_POLICY, f"a NetworkPolicy, as {why} no {kind.several}"

    def _listed(self, pod: Pod, kind: PolicyKind, room: PolicyRoom) -> _Listed:
        found = _Listed(kind)
        try:
            found.take(pod, self._cluster.network_policies(pod.namespace, kind), room)
        except ListTooLong as error:
            found.unread = error.reason
        return found

    def _others(
        self, pod: Pod, ours: PolicyKind, known: _Listed, room: PolicyRoom
    ) -> OtherPolicies:
        """``ours``: the kind of the policy that isolates. ``known``: the NetworkPolicies. What else
        there is keeps no pod from being isolated: what cannot be read is named."""
        found = known.others(own=ours == NETWORK_POLICY)
        further = False
        unread: Dict[str, str] = {}
        if known.unread and ours == NETWORK_POLICY:
            unread[known.kind.several] = known.unread
        for kind in to_read(self._cluster.policy_kinds()):
            try:
                listed = self._listed(pod, kind, room)
            except NotFound:
                # Of an API that did not say what it serves, or is gone since.
                continue
            except PlaybookError as error:
                listed = _Listed(kind, unread=error.reason)
            # Of Cilium, ours denies whatever another allows.
            if listed.unread and not (ours == CILIUM and kind in (CILIUM, CILIUM_CLUSTERWIDE)):
                unread[kind.several] = listed.unread
            more = listed.others(own=kind == ours or (kind, ours) == (CALICO_STORED, CALICO))
            further = further or bool(more)
            found += more
        labels = self._namespace_labels(pod.namespace) if further else None
        return OtherPolicies(tuple(found), unread, labels)

    def _namespace_labels(self, namespace: str) -> Optional[Labels]:
        try:
            return self._cluster.namespace_labels(namespace)
        except PlaybookError:
            return None

    def _detaching(self, plan: IsolationPlan) -> IsolationPlan:
        """The same with the labels to take off, or why there are none."""
        obstacle = self._obstacle(plan.pod)
        if obstacle:
            return replace(plan, attached_because=obstacle)
        labels = plan.pod.labels
        detached = {key: labels[key] for key in sorted(self._selecting_keys(plan))}
        if len(json.dumps(detached)) > LONGEST_DETACHED:
            return replace(plan, attached_because="its labels are too long to be remembered")
        return replace(plan, detached=detached)

    def _obstacle(self, pod: Pod) -> str:
        """Why the pod cannot be detached, or empty."""
        if pod.owner is None:
            return "it has no controller that would start another"
        if pod.owner.kind not in _REPLACING:
            return f"it belongs to {pod.owner}"
        for claim in pod.volume_claims:
            try:
                modes = self._cluster.access_modes(claim, namespace=pod.namespace)
            except NotFound:
                continue
            if set(modes) & set(_EXCLUSIVE):
                return f"another replica could not mount its claim {claim} ({', '.join(modes)})"
        return ""

    def _selecting_keys(self, plan: IsolationPlan) -> Set[str]:
        """The labels by which controller, Services and policies of others select the pod: all,
        where these are too many to be read."""
        pod, keys = plan.pod, set(plan.pod.labels)
        with suppress(ListTooLong):
            if ListTooLong.reason not in plan.others.unread.values():
                keys = self._cluster.service_keys(pod) | self._controller_keys(pod)
        target = plan.others.target(pod, pod.labels)
        for policy in plan.others.policies:
            keys |= policy.keys(target)
        return keys - {LABEL}

    def _controller_keys(self, pod: Pod) -> Set[str]:
        if pod.owner is None:
            return set()
        try:
            owner = self._cluster.owner(pod.owner, namespace=pod.namespace)
        except NotFound:
            return set()
        return ReplicaController.of(pod.owner.kind, owner).selector.keys(pod.labels)
