"""Calico's policies: NetworkPolicy and GlobalNetworkPolicy.

Source: https://docs.tigera.io/calico/latest/reference/resources/networkpolicy
"""

from __future__ import annotations

from typing import Optional, Set, Tuple

from playbooks.core.cluster.policies.calico_selector import CalicoSelector
from playbooks.core.cluster.policies.reading import (
    Manifest,
    PolicyTarget,
    Tristate,
    every,
    first_allows,
    some,
)

# The tier in which NetworkPolicies are evaluated too: there, allowing adds up. Whether another one
# comes before it says the tier itself, which is not read.
TIER = "default"

# Labels that Calico gives every pod and namespace.
_NAMESPACE, _ACCOUNT = "projectcalico.org/namespace", "projectcalico.org/serviceaccount"
_ORCHESTRATOR, NAME = "projectcalico.org/orchestrator", "projectcalico.org/name"

# Before the labels of its namespace and of its account.
_OF_NAMESPACE, _OF_ACCOUNT = "pcns.", "pcsa."


def allows(policy: Manifest, types: Tuple[str, ...], target: PolicyTarget) -> Tristate:
    """Whether it lets the pod have any traffic of one of the types."""
    spec = policy["spec"]
    in_tier = True if spec.get("tier", TIER) == TIER else None
    rules = [spec.get(kind.lower()) or () for kind in types if kind in _types(spec)]
    open_to = some(first_allows(each, "Allow") for each in rules)
    return every((in_tier, _selects(spec, target), open_to))


def keys(policy: Manifest, target: PolicyTarget) -> Set[str]:
    """The labels of the pod that its selector asks for."""
    spec = policy["spec"]
    if _selects(spec, target) is False:
        return set()
    return CalicoSelector(spec.get("selector") or "").keys & set(target.labels)


def _types(spec: Manifest) -> Tuple[str, ...]:
    if spec.get("types"):
        return tuple(spec["types"])
    if spec.get("egress"):
        return ("Ingress", "Egress") if spec.get("ingress") else ("Egress",)
    return ("Ingress",)


def _selects(spec: Manifest, target: PolicyTarget) -> Tristate:
    if spec.get("doNotTrack") or spec.get("preDNAT"):
        # These are about the interfaces of nodes.
        return False
    pods = CalicoSelector(spec.get("selector") or "").selects(lambda key: _of_pod(key, target))
    namespaces = CalicoSelector(spec.get("namespaceSelector") or "")
    accounts = CalicoSelector(spec.get("serviceAccountSelector") or "")
    return every(
        (
            pods,
            namespaces.selects(lambda key: _of_namespace(key, target)),
            accounts.selects(lambda key: _of_account(key, target)),
        )
    )


def _of_pod(key: str, target: PolicyTarget) -> Optional[str]:
    made = {
        _NAMESPACE: target.namespace,
        _ACCOUNT: target.service_account,
        _ORCHESTRATOR: "k8s",
    }
    if key.startswith(_OF_NAMESPACE):
        return _of_namespace(key[len(_OF_NAMESPACE) :], target)
    if key.startswith(_OF_ACCOUNT):
        raise LookupError(key)
    return made.get(key, target.labels.get(key))


def _of_namespace(key: str, target: PolicyTarget) -> Optional[str]:
    if key == NAME:
        return target.namespace
    if target.namespace_labels is None:
        raise LookupError(key)
    return target.namespace_labels.get(key)


def _of_account(key: str, target: PolicyTarget) -> Optional[str]:
    if key == NAME:
        return target.service_account
    raise LookupError(key)
