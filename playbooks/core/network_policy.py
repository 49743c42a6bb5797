"""NetworkPolicies: which one cuts off exactly one pod, and which others let traffic through.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Tuple

from playbooks.core.pod import Pod
from playbooks.core.selectors import Labels, Selector

Manifest = Mapping[str, Any]

# The label that one isolated pod alone gets, with its uid as value.
LABEL = "falco/isolated"

# What each direction calls the other side.
_PEERS = {"Ingress": "from", "Egress": "to"}


def directions(choice: str) -> Tuple[str, ...]:
    """The policy types of ``both``, ``ingress`` or ``egress``."""
    return tuple(_PEERS) if choice == "both" else (choice.capitalize(),)


def isolating(pod: Pod, types: Tuple[str, ...], allow_cidrs: Tuple[str, ...]) -> Dict[str, Any]:
    """A policy that denies the pod everything but ``allow_cidrs``, and goes when the pod goes."""
    spec: Dict[str, Any] = {
        "podSelector": {"matchLabels": {LABEL: pod.uid}},
        "policyTypes": list(types),
    }
    if allow_cidrs:
        peers = [{"ipBlock": {"cidr": cidr}} for cidr in allow_cidrs]
        spec.update({kind.lower(): [{_PEERS[kind]: peers}] for kind in types})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"falco-isolate-{pod.uid}",
            "namespace": pod.namespace,
            "labels": {LABEL: pod.uid},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
            ],
        },
        "spec": spec,
    }


def same(stored: Manifest, wanted: Manifest) -> bool:
    """Whether the stored policy does what the wanted one does."""
    return all(
        (stored["spec"].get(key) or None) == (wanted["spec"].get(key) or None)
        for key in ("podSelector", "policyTypes", "ingress", "egress")
    )


def selector(policy: Manifest) -> Selector:
    return Selector.of(policy["spec"].get("podSelector"))


def allows(policy: Manifest, types: Tuple[str, ...], labels: Labels) -> bool:
    """Whether it lets a pod of these labels have any traffic of one of the types."""
    spec = policy["spec"]
    declared = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return selector(policy).selects(labels) and any(
        kind in declared and spec.get(kind.lower()) for kind in types
    )
