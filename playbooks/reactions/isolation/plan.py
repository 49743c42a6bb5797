"""What isolating a pod will do to it, and what that comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.network_policy import LABEL, NOTHING, Reachable
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY, PolicyKind
from playbooks.core.cluster.policies.others import OtherPolicy
from playbooks.core.cluster.policies.reading import Answer
from playbooks.reactions.isolation.other_policies import OtherPolicies


@dataclass(frozen=True)
class IsolationPlan:
    """What will be done to a pod, and what it comes to.

    ``detached``: the labels to take off. ``attached_because``: why none are, where that is worth
    saying. ``others``: policies of others. ``namesake``: the policy of somebody else that has
    the name which ours would have. ``kind``: that of our policy; ``instead``: why it is not the one
    that was asked for.
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
    def _answers(self) -> List[Tuple[OtherPolicy, Answer]]:
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
        if self.allowing:
            words.append(f"isolated in part: {', '.join(self.allowing)} still allow traffic")
        if self.may_allow:
            words.append(f"{', '.join(self.may_allow)} may still allow traffic")
        return "; ".join(words)
