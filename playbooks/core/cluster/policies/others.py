"""Policies of somebody else: whether they still let an isolated pod have traffic."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Set, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.api_object import bare_metadata
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies import administrators, calico, cilium, denying
from playbooks.core.cluster.policies.kinds import (
    ADMIN,
    CALICO,
    CALICO_GLOBAL,
    CALICO_STORED,
    CALICO_STORED_GLOBAL,
    CILIUM,
    CILIUM_CLUSTERWIDE,
    CLUSTER,
    NETWORK_POLICY,
    PolicyKind,
)
from playbooks.core.cluster.policies.reading import PolicyTarget, Tristate
from playbooks.core.cluster.selectors import Labels

# Characters of JSON that the rules of all policies that are kept may have.
MOST = 512 * 1024

# Where a policy has its rules.
_RULES = ("spec", "specs")

# What reading a manifest raises that is not as it should be: no API server checks all of it.
_UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)

_READERS: Mapping[PolicyKind, Any] = {
    NETWORK_POLICY: network_policy,
    **dict.fromkeys((CILIUM, CILIUM_CLUSTERWIDE), cilium),
    **dict.fromkeys((ADMIN, CLUSTER), administrators),
    **dict.fromkeys((CALICO, CALICO_GLOBAL, CALICO_STORED, CALICO_STORED_GLOBAL), calico),
}


@dataclass(frozen=True)
class OtherPolicy:
    kind: PolicyKind
    manifest: Mapping[str, Any]

    def __str__(self) -> str:
        """Its name; with its kind, where that is not NetworkPolicy."""
        name = str(self.manifest["metadata"]["name"])
        return name if self.kind == NETWORK_POLICY else f"{self.kind} {name}"

    def allows(
        self, types: Tuple[str, ...], target: PolicyTarget, beside: PolicyKind = NETWORK_POLICY
    ) -> Tristate:
        """Whether it lets the pod have any traffic of one of the types beside a policy of ours, of
        this kind, that denies it all. None where that cannot be read."""
        try:
            if denying.outranks(beside, self.kind, self.manifest):
                return False
            if not self._is_whole:
                return None
            found: Tristate = self._reader.allows(self.manifest, types, target)
        except _UNREADABLE:
            return None
        # Which of the two comes first, Cilium does not say.
        unsure = beside == CILIUM and self.kind in (ADMIN, CLUSTER)
        return None if found and unsure else found

    def keys(self, target: PolicyTarget) -> Set[str]:
        """The labels of the pod by which it selects it: all, where its rules were not kept."""
        if not self._is_whole:
            return set(target.labels)
        try:
            found: Set[str] = self._reader.keys(self.manifest, target)
            return found
        except _UNREADABLE:
            return set()

    @property
    def _is_whole(self) -> bool:
        return any(part in self.manifest for part in _RULES)

    @property
    def _reader(self) -> Any:
        """What reads policies of its kind."""
        return _READERS[self.kind]


class PolicyRoom:
    """For policies that are kept, of whoever may make as many and as large ones as he likes. One
    for which none is left is kept without its rules, so that nobody knows what it allows."""

    def __init__(self) -> None:
        self._left = MOST

    def kept(self, policy: Mapping[str, Any]) -> Mapping[str, Any]:
        named = {part: policy[part] for part in ("apiVersion", "kind") if part in policy}
        rules = {part: policy[part] for part in _RULES if part in policy}
        size = len(json.dumps(rules))
        if size > self._left:
            rules = {}
        else:
            self._left -= size
        return {**named, "metadata": bare_metadata(policy["metadata"]), **rules}


@dataclass(frozen=True)
class OtherPolicies:
    """Those about one pod. ``unread``: kinds of which none could be read, and why.
    ``namespace_labels`` None: they could not be read, or nobody asks for them."""

    policies: Tuple[OtherPolicy, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Optional[Labels] = None

    def target(self, pod: Pod, labels: Labels) -> PolicyTarget:
        """The pod as it is with these labels."""
        return PolicyTarget(labels, pod.namespace, pod.service_account, self.namespace_labels)
