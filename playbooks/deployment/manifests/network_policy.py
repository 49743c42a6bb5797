"""Who reaches a function: on Kubeless it has no password, and every caller can have pods deleted.

The node of a pod can always reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Iterable, List, Optional, Tuple

from playbooks.core.cluster.manifest import Manifest, labels, metadata
from playbooks.deployment.manifests.function import PORT
from playbooks.deployment.manifests.worker_pod import METRICS_PORT

# The label that Kubernetes 1.21 and later give every namespace.
NAME_LABEL = "kubernetes.io/metadata.name"

DNS = 53


@dataclass(frozen=True)
class Sources:
    """Who may reach a worker. ``alerts`` and ``metrics``: names of namespaces, none for all;
    ``alerts`` None: alerts are not posted. ``api_server``: the addresses that it comes from."""

    alerts: Optional[Tuple[str, ...]]
    metrics: Tuple[str, ...]
    api_server: Tuple[str, ...]


def network_policy(function: str, namespace: str, caller: str) -> Manifest:
    """Only pods of the ``caller`` namespace."""
    return policy(
        function,
        namespace,
        policyTypes=["Ingress"],
        ingress=[{"from": [_namespace(caller)], "ports": _tcp([PORT])}],
    )


def policy(function: str, namespace: str, **rules: Any) -> Manifest:
    """A NetworkPolicy of the function's name, for its pods."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(function, namespace),
        "spec": {"podSelector": {"matchLabels": labels(function)}, **rules},
    }


def worker_policy(
    function: str, namespace: str, ports: Iterable[int], sources: Sources
) -> Manifest:
    """Out to DNS and the ports given, wherever these are; in from the sources alone, so that no
    other pod can keep the worker busy.

    Addresses outside are left open: which ones API servers, NATS and webhooks have is known to no
    NetworkPolicy for long. From the API server come ``kubeless function call`` and ``top``.
    """
    dns = [{"protocol": protocol, "port": DNS} for protocol in ("UDP", "TCP")]
    return policy(
        function,
        namespace,
        policyTypes=["Ingress", "Egress"],
        ingress=_ingress(sources),
        egress=[{"ports": [*dns, *_tcp(set(ports) - {DNS})]}],
    )


def _ingress(sources: Sources) -> List[Manifest]:
    if sources.alerts == ():
        posting: List[Manifest] = [{"ports": _tcp([PORT])}]
    else:
        peers = [
            *map(_namespace, sources.alerts or ()),
            *({"ipBlock": {"cidr": _alone(address)}} for address in sources.api_server),
        ]
        posting = [{"from": peers, "ports": _tcp([PORT])}] if peers else []
    readers = [_namespace(name) for name in sources.metrics]
    reading: Manifest = {"from": readers} if readers else {}
    return [*posting, {**reading, "ports": _tcp([METRICS_PORT])}]


def ingress_addresses(policy: Manifest) -> List[str]:
    """The networks that such a policy lets post alerts."""
    return [peer["ipBlock"]["cidr"] for peer in _posting(policy) if "ipBlock" in peer]


def ingress_namespaces(policy: Manifest) -> List[str]:
    """The namespaces that such a policy lets post alerts."""
    selected = [(peer.get("namespaceSelector") or {}) for peer in _posting(policy)]
    return [each["matchLabels"][NAME_LABEL] for each in selected if each]


def _posting(policy: Manifest) -> List[Manifest]:
    return [peer for rule in _rules(policy) for peer in rule.get("from") or ()]


def _rules(policy: Manifest) -> List[Manifest]:
    """Of the port that takes alerts."""
    rules = (policy.get("spec") or {}).get("ingress") or []
    return [rule for rule in rules if rule.get("ports") == _tcp([PORT])]


def lets_all_in(policy: Manifest) -> bool:
    """Whether pods of every namespace may post alerts."""
    return any(not rule.get("from") for rule in _rules(policy))


def _namespace(name: str) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {NAME_LABEL: name}}}


def _alone(address: str) -> str:
    """The network that has this address alone."""
    return f"{address}/{ip_address(address).max_prefixlen}"


def egress_ports(policy: Manifest) -> List[int]:
    """Those that such a policy lets its workers out on."""
    rules = (policy.get("spec") or {}).get("egress") or []
    found = [port.get("port") for rule in rules for port in rule.get("ports") or ()]
    return [port for port in found if isinstance(port, int)]


def _tcp(ports: Iterable[int]) -> List[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in sorted(ports)]
