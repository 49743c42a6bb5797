"""Policies of others about the pod that is isolated, as far as they can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.kinds import (
    CALICO,
    CALICO_STORED,
    CILIUM,
    CILIUM_CLUSTERWIDE,
    NETWORK_POLICY,
    PolicyKind,
    to_read,
)
from playbooks.core.cluster.policies.others import OtherPolicy
from playbooks.core.cluster.policies.reading import PolicyTarget
from playbooks.core.cluster.selectors import Labels
from playbooks.core.errors import NotFound, PlaybookError
from playbooks.core.ports import Cluster


@dataclass(frozen=True)
class OtherPolicies:
    """``unread``: kinds of which none could be read, and why. ``namespace_labels`` None: they could
    not be read, or nobody asks for them."""

    policies: Tuple[OtherPolicy, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Optional[Labels] = None

    def target(self, pod: Pod, labels: Labels) -> PolicyTarget:
        """The pod as it is with these labels."""
        return PolicyTarget(labels, pod.namespace, pod.service_account, self.namespace_labels)


def read(
    cluster: Cluster, pod: Pod, ours: PolicyKind, known: Tuple[OtherPolicy, ...]
) -> OtherPolicies:
    """``ours``: the kind of the policy that isolates. ``known``: the NetworkPolicies. What else
    there is keeps no pod from being isolated: what cannot be read is named. Raises a PlaybookError
    where the cluster does not say what it serves."""
    namespace = pod.namespace
    found: List[OtherPolicy] = []
    unread: Dict[str, str] = {}
    for kind in to_read(cluster.policy_kinds()):
        try:
            listed = cluster.network_policies(namespace, kind)
        except NotFound:
            # Of an API that did not say what it serves, or is gone since.
            continue
        except PlaybookError as error:
            # Of Cilium, ours denies whatever another allows.
            if not (ours == CILIUM and kind in (CILIUM, CILIUM_CLUSTERWIDE)):
                unread[kind.several] = error.reason
            continue
        own = kind == ours or (kind, ours) == (CALICO_STORED, CALICO)
        theirs = [each for each in listed if not (own and network_policy.isolates(each, pod))]
        found += [OtherPolicy(kind, each) for each in theirs]
    labels = _labels(cluster, namespace) if found else None
    return OtherPolicies((*known, *found), unread, labels)


def of_kubernetes(policies: List[Mapping[str, object]]) -> Tuple[OtherPolicy, ...]:
    return tuple(OtherPolicy(NETWORK_POLICY, policy) for policy in policies)


def _labels(cluster: Cluster, namespace: str) -> Optional[Labels]:
    try:
        return cluster.namespace_labels(namespace)
    except PlaybookError:
        return None
