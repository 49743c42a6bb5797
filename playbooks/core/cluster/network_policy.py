"""NetworkPolicies of Kubernetes itself: those that cut off exactly one pod, and what others allow.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Dict, List, Set, Tuple

from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.reading import Manifest, PolicyTarget, Tristate
from playbooks.core.cluster.selectors import Selector
from playbooks.core.instant import Instant

# The label that one isolated pod alone gets, with its uid as value.
LABEL = "falco/isolated"

# What the name of every policy of ours begins with; the uid of its pod follows, and behind a dot
# the time where somebody else had taken that name.
POLICY_PREFIX = "falco-isolate-"

# On a policy: what its spec was when it was stored, and when that was. Each time it is stored it is
# written, so that whoever read it before cannot delete it.
SPEC_HASH, STORED_AT = "falco/spec-sha256", "falco/stored-at"

# What decides in the spec of a policy, by the group of its API.
_RULES = ("ingress", "egress")
_PARTS = {
    "networking.k8s.io": ("podSelector", "policyTypes", *_RULES),
    "cilium.io": (
        *("endpointSelector", "nodeSelector", "enableDefaultDeny", *_RULES),
        *("ingressDeny", "egressDeny"),
    ),
    "projectcalico.org": (
        *("tier", "order", "selector", "types", *_RULES),
        *("serviceAccountSelector", "namespaceSelector"),
    ),
}

# What Calico's API server may put before the name of a policy: its tier.
_OF_TIER = "default."

# What each direction calls the other side.
PEERS = {"Ingress": "from", "Egress": "to"}


# On every Namespace since Kubernetes 1.21: its name, which nobody can change.
# Source: https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
NAMESPACE_NAME = "kubernetes.io/metadata.name"

# Where the cluster's DNS is asked, and answers.
DNS_NAMESPACE, DNS_PORT = "kube-system", 53
_DNS_PORTS = [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")]


@dataclass(frozen=True)
class Reachable:
    """What an isolated pod may still talk to. ``cidrs``: networks. ``namespaces``: their pods.
    ``dns``: port 53 of the pods of kube-system."""

    cidrs: Tuple[str, ...] = ()
    namespaces: Tuple[str, ...] = ()
    dns: bool = False

    def __str__(self) -> str:
        """In words after "but", or empty."""
        named = [f"namespace {name}" for name in self.namespaces]
        return ", ".join((*self.cidrs, *named, *(["DNS"] if self.dns else [])))

    @property
    def peers(self) -> List[Dict[str, Any]]:
        blocks = [{"ipBlock": {"cidr": cidr}} for cidr in self.cidrs]
        return [*blocks, *(in_namespace(name) for name in self.namespaces)]

    def rules(self, kind: str) -> List[Dict[str, Any]]:
        """Of one direction. DNS is asked, and asks nobody."""
        peers = [{PEERS[kind]: self.peers}] if self.peers else []
        if not self.dns or kind != "Egress":
            return peers
        return [*peers, {"to": [in_namespace(DNS_NAMESPACE)], "ports": _DNS_PORTS}]


NOTHING = Reachable()


def in_namespace(name: str) -> Dict[str, Any]:
    """The pods of a namespace, as a peer."""
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: name}}}


def directions(choice: str) -> Tuple[str, ...]:
    """The policy types of ``both``, ``ingress`` or ``egress``."""
    return tuple(PEERS) if choice == "both" else (choice.capitalize(),)


def isolating(pod: Pod, types: Tuple[str, ...], reachable: Reachable = NOTHING) -> Dict[str, Any]:
    """A policy that denies the pod everything but ``reachable``, and goes when the pod goes."""
    spec: Dict[str, Any] = {
        "podSelector": {"matchLabels": {LABEL: pod.uid}},
        "policyTypes": list(types),
    }
    rules = {kind.lower(): reachable.rules(kind) for kind in types}
    spec.update({direction: each for direction, each in rules.items() if each})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name_for(pod),
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
    return _spec(stored) == _spec(wanted)


def name_for(pod: Pod) -> str:
    """The name of the policy that isolates it, where nobody has taken that."""
    return f"{POLICY_PREFIX}{pod.uid}"


def names_for(pod: Pod) -> Tuple[str, ...]:
    """Those under which an API may have that policy."""
    name = name_for(pod)
    return name, f"{_OF_TIER}{name}"


def isolates(policy: Manifest, pod: Pod) -> bool:
    """Whether it is the policy that isolates the pod. Whoever may create policies can take its
    name beforehand."""
    metadata = policy["metadata"]
    named = own_name(policy).partition(".")[0] == name_for(pod)
    return named and (metadata.get("labels") or {}).get(LABEL) == pod.uid


def own_name(policy: Manifest) -> str:
    """As it was given by who made it."""
    name = str(policy["metadata"]["name"])
    return name[len(_OF_TIER) :] if name.startswith(_OF_TIER) else name


def renamed(policy: Manifest, now: Instant) -> Dict[str, Any]:
    """The same under a name that nobody could know beforehand."""
    name = f"{policy['metadata']['name']}.{now.nanoseconds:x}"
    return {**policy, "metadata": {**policy["metadata"], "name": name}}


def signed(policy: Manifest, now: Instant) -> Dict[str, Any]:
    """The same with a note of what is stored, by which an edit shows."""
    note = {SPEC_HASH: _fingerprint(policy), STORED_AT: str(now)}
    return {**policy, "metadata": {**policy["metadata"], "annotations": note}}


def edited(policy: Manifest) -> bool:
    """Whether somebody changed its spec since it was stored, or nothing says that nobody did."""
    note = policy["metadata"].get("annotations") or {}
    return note.get(SPEC_HASH) != _fingerprint(policy)


def allows(policy: Manifest, types: Tuple[str, ...], target: PolicyTarget) -> Tristate:
    """Whether it lets the pod have any traffic of one of the types."""
    spec = policy["spec"]
    declared = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return _selector(policy).selects(target.labels) and any(
        kind in declared and spec.get(kind.lower()) for kind in types
    )


def keys(policy: Manifest, target: PolicyTarget) -> Set[str]:
    """The labels of the pod by which it selects it."""
    return _selector(policy).keys(target.labels)


def _selector(policy: Manifest) -> Selector:
    return Selector.of(policy["spec"].get("podSelector"))


def _spec(policy: Manifest) -> Dict[str, Any]:
    """The API leaves out what is empty, and of a kind that has ``specs`` all of it."""
    group = policy.get("apiVersion", "networking.k8s.io").partition("/")[0]
    spec = policy.get("spec") or {}
    return {key: spec.get(key) or None for key in _PARTS[group]}


def _fingerprint(policy: Manifest) -> str:
    return sha256(json.dumps(_spec(policy), sort_keys=True).encode()).hexdigest()
