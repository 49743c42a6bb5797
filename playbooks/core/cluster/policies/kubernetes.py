"""NetworkPolicies of Kubernetes itself.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from typing import Set, Tuple

from playbooks.core.cluster.policies.reading import Answer, Manifest, PolicyTarget
from playbooks.core.cluster.selectors import Selector


def allows(policy: Manifest, types: Tuple[str, ...], target: PolicyTarget) -> Answer:
    """Whether it lets the pod have any traffic of one of the types."""
    spec = policy["spec"]
    declared = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return _selector(policy).selects(target.labels) and any(
        kind in declared and spec.get(kind.lower()) for kind in types
    )


def keys(policy: Manifest, target: PolicyTarget) -> Set[str]:
    """The labels of the pod by which it selects it."""
    selector = _selector(policy)
    return selector.keys_in(target.labels) if selector.selects(target.labels) else set()


def _selector(policy: Manifest) -> Selector:
    return Selector.of(policy["spec"].get("podSelector"))
