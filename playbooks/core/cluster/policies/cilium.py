"""Cilium's policies: CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy.

Source: https://docs.cilium.io/en/stable/security/policy/language/
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Set, Tuple

from playbooks.core.cluster.policies.reading import (
    Manifest,
    PolicyTarget,
    Tristate,
    every,
    selects,
    some,
)
from playbooks.core.cluster.selectors import Selector

# Labels that Cilium itself gives every pod, and those of its namespace behind a prefix.
_NAMESPACE = "io.kubernetes.pod.namespace"
_ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
_OF_NAMESPACE = "io.cilium.k8s.namespace.labels."

# What stands before the key of a label of Kubernetes: Kubernetes, or any source.
_SOURCES = ("k8s", "any")

# Of a rule: who may talk, and what narrows that.
_PEERS = {
    "ingress": (
        *("fromEndpoints", "fromCIDR", "fromCIDRSet", "fromEntities", "fromGroups"),
        "fromNodes",
    ),
    "egress": (
        *("toEndpoints", "toCIDR", "toCIDRSet", "toEntities", "toGroups", "toNodes"),
        *("toServices", "toFQDNs"),
    ),
}
_NARROWING = ("toPorts", "icmps")
_NO_PEERS = ("authentication",)


def allows(policy: Manifest, types: Tuple[str, ...], target: PolicyTarget) -> Tristate:
    """Whether it lets the pod have any traffic of one of the types."""
    return some(
        every((_selects(rule, target), _lets_through(rule, direction.lower())))
        for rule in _rules(policy)
        for direction in types
    )


def keys(policy: Manifest, target: PolicyTarget) -> Set[str]:
    """The labels of the pod by which its rules select it."""
    found: Set[str] = set()
    for rule in _rules(policy):
        if _selects(rule, target) is not False:
            found |= _selector(rule).keys_in(target.labels)
    return found


def _rules(policy: Manifest) -> List[Manifest]:
    return [*filter(None, [policy.get("spec")]), *(policy.get("specs") or ())]


def _selector(rule: Manifest) -> Selector:
    found = Selector.of(rule.get("endpointSelector"))
    labels = {_plain(key): value for key, value in found.labels.items()}
    return Selector(labels, tuple({**e, "key": _plain(e["key"])} for e in found.expressions))


def _plain(key: str) -> str:
    source, _, name = key.partition(":")
    return name if source in _SOURCES and name else key


def _selects(rule: Manifest, target: PolicyTarget) -> Tristate:
    if rule.get("endpointSelector") is None:
        # It selects nodes.
        return False if rule.get("nodeSelector") is not None else None
    return selects(_selector(rule), _labels(target), lambda key: _known(key, target))


def _labels(target: PolicyTarget) -> Dict[str, str]:
    of_namespace = target.namespace_labels or {}
    return {
        **target.labels,
        _NAMESPACE: target.namespace,
        _ACCOUNT: target.service_account,
        **{f"{_OF_NAMESPACE}{key}": value for key, value in of_namespace.items()},
    }


def _known(key: str, target: PolicyTarget) -> bool:
    if key.startswith(_OF_NAMESPACE):
        return target.namespace_labels is not None
    # Others that Cilium makes, and other sources.
    return key in (_NAMESPACE, _ACCOUNT) or not (key.startswith("io.cilium.") or ":" in key)


def _lets_through(rule: Manifest, direction: str) -> Tristate:
    return some(_is_open(each or {}, _PEERS[direction]) for each in rule.get(direction) or ())


def _is_open(section: Manifest, peers: Iterable[str]) -> Tristate:
    """An empty one lets nothing through: it only makes denying the default."""
    if any(section.get(peer) for peer in peers):
        return True
    given = {key for key, value in section.items() if value is not None}
    if given & set(peers):
        # A list of peers that is empty stands for nobody.
        return False
    if given - set(_NARROWING) - set(_NO_PEERS):
        return None
    return any(section.get(part) for part in _NARROWING)
