"""Policies of Cilium and of Calico that deny one pod what a NetworkPolicy can only not allow.

What stays reachable is left out of what is denied, as neither can be narrowed by what another
policy allows. The node of a pod always reaches it, as with a NetworkPolicy: else its probes would
fail, and the kubelet would restart what is to be looked at.

Sources: https://docs.cilium.io/en/stable/security/policy/deny/,
https://docs.tigera.io/calico/latest/reference/resources/networkpolicy
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, Collection, Dict, List, Mapping, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.network_policy import (
    DNS_NAMESPACE,
    DNS_PORT,
    LABEL,
    NOTHING,
    PEERS,
    Reachable,
)
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.calico import NAME, TIER
from playbooks.core.cluster.policies.kinds import (
    CALICO,
    CALICO_GLOBAL,
    CALICO_STORED,
    CALICO_STORED_GLOBAL,
    CILIUM,
    CILIUM_CLUSTERWIDE,
    NETWORK_POLICY,
    PolicyKind,
)

Rules = List[Dict[str, Any]]

# The setting that says of which kind the policy is, and the value with which it is found out.
SETTING, AUTO = "ISOLATE_POLICY", "auto"

# Kinds of which isolating may store one, by what the setting calls them.
KINDS = {"kubernetes": NETWORK_POLICY, "cilium": CILIUM, "calico": CALICO}

# Before any policy that people give an order; NetworkPolicies have 1000.
ORDER = -1_000_000

# As Cilium names what identifies a pod.
SELECTED = f"k8s:{LABEL}"
NAMESPACE, _CLUSTER = "k8s:io.kubernetes.pod.namespace", "k8s:io.cilium.k8s.policy.cluster"

# What is no pod: of other nodes, and what may be at the node's own side of the pod.
_ENTITIES = ("remote-node", "health", "init", "ingress", "unmanaged")
_OF_NODE = ("host", "kube-apiserver")
_EVERYWHERE = ("0.0.0.0/0", "::/0")

_SIDES = {"Ingress": "source", "Egress": "destination"}

_CILIUMS = (CILIUM, CILIUM_CLUSTERWIDE)
_CALICOS = (CALICO, CALICO_GLOBAL, CALICO_STORED, CALICO_STORED_GLOBAL)


def kind_called(text: str) -> PolicyKind:
    """The one of ``KINDS`` that notes and outcomes call so; NetworkPolicy, where they name none."""
    return next((kind for kind in KINDS.values() if str(kind) == text), NETWORK_POLICY)


def isolating(
    kind: PolicyKind, pod: Pod, types: Tuple[str, ...], reachable: Reachable = NOTHING
) -> Dict[str, Any]:
    """As ``network_policy.isolating``, of any kind of ``KINDS``."""
    made = network_policy.isolating(pod, types, reachable)
    if kind == NETWORK_POLICY:
        return made
    spec = _of_cilium if kind == CILIUM else _of_calico
    return {
        **made,
        "apiVersion": kind.api,
        "kind": kind.kind,
        "spec": spec(pod, types, reachable),
    }


def wanted(setting: str, served: Collection[PolicyKind]) -> PolicyKind:
    """The kind to store where a cluster serves these: NetworkPolicy, where it does not serve what
    is asked for, or serves two of which nothing tells which one is enforced."""
    if setting != AUTO:
        kind = KINDS[setting]
        return kind if kind in served else NETWORK_POLICY
    found = [kind for kind in (CILIUM, CALICO) if kind in served]
    return found[0] if len(found) == 1 else NETWORK_POLICY


def outranks(ours: PolicyKind, kind: PolicyKind, theirs: Mapping[str, Any]) -> bool:
    """Whether one of ours denies what theirs allows."""
    if ours == CILIUM:
        return kind in (NETWORK_POLICY, *_CILIUMS)
    if ours == CALICO and kind in _CALICOS:
        spec = theirs["spec"]
        order = spec.get("order")
        return spec.get("tier", TIER) == TIER and (order is None or order > ORDER)
    return ours == CALICO and kind == NETWORK_POLICY


def _of_cilium(pod: Pod, types: Tuple[str, ...], reachable: Reachable) -> Dict[str, Any]:
    found: Dict[str, Any] = {"endpointSelector": {"matchLabels": {SELECTED: pod.uid}}}
    for kind in types:
        found[f"{kind.lower()}Deny"] = _denied(kind, reachable)
        allowed = _allowed(kind, reachable)
        if allowed:
            found[kind.lower()] = allowed
    return found


def _denied(kind: str, reachable: Reachable) -> Rules:
    word, egress = PEERS[kind], kind == "Egress"
    if egress and reachable == NOTHING:
        return [{"toEntities": ["all"]}]
    world = [] if reachable.cidrs else ["world"]
    entities = [*world, *_ENTITIES, *(_OF_NODE if egress else ())]
    pods: Rules = [{"key": key, "operator": "Exists"} for key in (NAMESPACE, _CLUSTER)]
    names = list(reachable.namespaces)
    asks_dns = egress and reachable.dns and DNS_NAMESPACE not in names
    left = [*names, *([DNS_NAMESPACE] if asks_dns else [])]
    if left:
        pods.append({"key": NAMESPACE, "operator": "NotIn", "values": left})
    rules: Rules = [
        {f"{word}Entities": entities},
        {f"{word}Endpoints": [{"matchExpressions": pods}]},
    ]
    if reachable.cidrs:
        rules.append({f"{word}CIDRSet": [_all_but(each, reachable) for each in _EVERYWHERE]})
    if asks_dns:
        ranges = (("1", DNS_PORT - 1), (str(DNS_PORT + 1), 65535))
        ports = [{"port": first, "endPort": last, "protocol": "ANY"} for first, last in ranges]
        rules.append(_to_dns(ports))
    return rules


def _all_but(network: str, reachable: Reachable) -> Dict[str, Any]:
    version = ip_network(network).version
    left = [cidr for cidr in reachable.cidrs if ip_network(cidr).version == version]
    return {"cidr": network, **({"except": left} if left else {})}


def _allowed(kind: str, reachable: Reachable) -> Rules:
    rules: Rules = []
    word = PEERS[kind]
    if reachable.cidrs:
        rules.append({f"{word}CIDRSet": [{"cidr": cidr} for cidr in reachable.cidrs]})
    if reachable.namespaces:
        pods = [{"matchLabels": {NAMESPACE: name}} for name in reachable.namespaces]
        rules.append({f"{word}Endpoints": pods})
    if reachable.dns and kind == "Egress":
        rules.append(_to_dns([{"port": str(DNS_PORT), "protocol": "ANY"}]))
    return rules


def _to_dns(ports: Rules) -> Dict[str, Any]:
    pods = [{"matchLabels": {NAMESPACE: DNS_NAMESPACE}}]
    return {"toEndpoints": pods, "toPorts": [{"ports": ports}]}


def _of_calico(pod: Pod, types: Tuple[str, ...], reachable: Reachable) -> Dict[str, Any]:
    return {
        "tier": TIER,
        "order": ORDER,
        "selector": f"{LABEL} == '{pod.uid}'",
        "types": list(types),
        **{kind.lower(): [*_let_through(kind, reachable), {"action": "Deny"}] for kind in types},
    }


def _let_through(kind: str, reachable: Reachable) -> Rules:
    rules: Rules = []
    side = _SIDES[kind]
    if reachable.cidrs:
        # Of one version of IP each.
        for version in (4, 6):
            nets = [cidr for cidr in reachable.cidrs if ip_network(cidr).version == version]
            rules += [{"action": "Allow", side: {"nets": nets}}] if nets else []
    for name in reachable.namespaces:
        rules.append({"action": "Allow", side: {"namespaceSelector": _named(name)}})
    if reachable.dns and kind == "Egress":
        to = {"namespaceSelector": _named(DNS_NAMESPACE), "ports": [DNS_PORT]}
        rules += [
            {"action": "Allow", "protocol": protocol, side: to} for protocol in ("UDP", "TCP")
        ]
    return rules


def _named(namespace: str) -> str:
    return f"{NAME} == '{namespace}'"
