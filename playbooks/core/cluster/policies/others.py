"""A policy of somebody else: whether it still lets an isolated pod have traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Set, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.policies import administrators, calico, cilium, denying
from playbooks.core.cluster.policies.kinds import (
    ADMIN,
    CILIUM,
    CILIUM_CLUSTERWIDE,
    CLUSTER,
    NETWORK_POLICY,
    PolicyKind,
)
from playbooks.core.cluster.policies.reading import Answer, PolicyTarget

# What reading a manifest raises that is not as it should be: no API server checks all of it.
_UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


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
    ) -> Answer:
        """Whether it lets the pod have any traffic of one of the types beside a policy of ours, of
        this kind, that denies it all. None where that cannot be read."""
        try:
            if denying.outranks(beside, self.kind, self.manifest):
                return False
            found = self._allows(types, target)
        except _UNREADABLE:
            return None
        # Which of the two comes first, Cilium does not say.
        unsure = beside == CILIUM and self.kind in (ADMIN, CLUSTER)
        return None if found and unsure else found

    def _allows(self, types: Tuple[str, ...], target: PolicyTarget) -> Answer:
        policy = self.manifest
        if self.kind == NETWORK_POLICY:
            return network_policy.allows(policy, types, target.labels)
        if self.kind in (CILIUM, CILIUM_CLUSTERWIDE):
            return cilium.allows(policy, types, target)
        if self.kind in (ADMIN, CLUSTER):
            return administrators.allows(self.kind.kind, policy, types, target)
        return calico.allows(policy, types, target)

    def keys(self, target: PolicyTarget) -> Set[str]:
        """The labels of the pod by which it selects it."""
        policy = self.manifest
        try:
            if self.kind == NETWORK_POLICY:
                selector = network_policy.selector(policy)
                selected = selector.selects(target.labels)
                return selector.keys_in(target.labels) if selected else set()
            if self.kind in (CILIUM, CILIUM_CLUSTERWIDE):
                return cilium.keys(policy, target)
            if self.kind in (ADMIN, CLUSTER):
                return administrators.keys(policy, target)
            return calico.keys(policy, target)
        except _UNREADABLE:
            return set()
