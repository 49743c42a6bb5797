"""Which pods may call a function: it has no password, so every caller can have pods deleted."""

from __future__ import annotations

from typing import Any, Iterable, List

from playbooks.core.cluster.manifest import Manifest, labels
from playbooks.deployment.manifests.function import PORT

# The label that Kubernetes 1.21 and later give every namespace.
NAME_LABEL = "kubernetes.io/metadata.name"

DNS = 53


def network_policy(function: str, namespace: str, caller: str) -> Manifest:
    """Only pods of the ``caller`` namespace; the node of a pod can always reach it."""
    source = {"namespaceSelector": {"matchLabels": {NAME_LABEL: caller}}}
    return policy(
        function,
        namespace,
        policyTypes=["Ingress"],
        ingress=[{"from": [source], "ports": [{"protocol": "TCP", "port": PORT}]}],
    )


def policy(function: str, namespace: str, **rules: Any) -> Manifest:
    """A NetworkPolicy of the function's name, for its pods."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": function, "namespace": namespace, "labels": labels(function)},
        "spec": {"podSelector": {"matchLabels": labels(function)}, **rules},
    }


def worker_policy(function: str, namespace: str, ports: Iterable[int]) -> Manifest:
    """Out to DNS and the ports given, wherever these are; in from anywhere, with the token.

    Addresses are left open: which ones API servers, NATS and webhooks have is known to no
    NetworkPolicy for long.
    """
    dns = [{"protocol": protocol, "port": DNS} for protocol in ("UDP", "TCP")]
    return policy(
        function,
        namespace,
        policyTypes=["Ingress", "Egress"],
        ingress=[{"ports": _tcp([PORT])}],
        egress=[{"ports": [*dns, *_tcp(set(ports) - {DNS})]}],
    )


def egress_ports(policy: Manifest) -> List[int]:
    """Those that such a policy lets its workers out on."""
    rules = (policy.get("spec") or {}).get("egress") or []
    found = [port.get("port") for rule in rules for port in rule.get("ports") or ()]
    return [port for port in found if isinstance(port, int)]


def _tcp(ports: Iterable[int]) -> List[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in sorted(ports)]
