"""Policies of administrators: AdminNetworkPolicy, and ClusterNetworkPolicy which came after it.

Source: https://network-policy-api.sigs.k8s.io/api-overview/
"""

from __future__ import annotations

from typing import Set, Tuple

from playbooks.core.cluster.policies.reading import (
    Manifest,
    PolicyTarget,
    Tristate,
    every,
    first_allows,
    selects,
    some,
)
from playbooks.core.cluster.selectors import Selector

# The words for allowing: of an AdminNetworkPolicy, and of a ClusterNetworkPolicy.
_ALLOWING = ("Allow", "Accept")


def allows(policy: Manifest, types: Tuple[str, ...], target: PolicyTarget) -> Tristate:
    """Whether it lets the pod have any traffic of one of the types, whatever NetworkPolicies say.

    One of the tier ``Baseline`` does not: it is not asked about what a NetworkPolicy selects.
    """
    spec = policy["spec"]
    tier = {"Admin": True, "Baseline": False}.get(spec.get("tier", "Admin"))
    rules = [spec.get(direction.lower()) or () for direction in types]
    open_to = some(first_allows(each, *_ALLOWING) for each in rules)
    return every((tier, _selects(spec["subject"], target), open_to))


def keys(policy: Manifest, target: PolicyTarget) -> Set[str]:
    """The labels of the pod by which it selects it."""
    subject = policy["spec"]["subject"]
    if _selects(subject, target) is False:
        return set()
    return Selector.of((subject.get("pods") or {}).get("podSelector")).keys_in(target.labels)


def _selects(subject: Manifest, target: PolicyTarget) -> Tristate:
    if "namespaces" in subject:
        return _of_namespace(subject["namespaces"], target)
    pods = subject["pods"]
    return every(
        (
            _of_namespace(pods["namespaceSelector"], target),
            selects(Selector.of(pods["podSelector"]), target.labels),
        )
    )


def _of_namespace(selector: Manifest, target: PolicyTarget) -> Tristate:
    known = target.namespace_labels is not None
    return selects(Selector.of(selector), target.namespace_labels or {}, lambda _: known)
