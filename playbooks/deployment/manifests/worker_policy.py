"""Whom a worker reaches, and who reaches it: the ports it needs, and no others."""

from __future__ import annotations

from typing import Iterable, List

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.manifests.function import PORT
from playbooks.deployment.manifests.network_policy import policy

DNS = 53


def worker_policy(function: str, namespace: str, outward: Iterable[int]) -> Manifest:
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
        egress=[{"ports": [*dns, *_tcp(set(outward) - {DNS})]}],
    )


def outward_ports(policy: Manifest) -> List[int]:
    """Those that such a policy lets its workers out on."""
    rules = (policy.get("spec") or {}).get("egress") or []
    found = [port.get("port") for rule in rules for port in rule.get("ports") or ()]
    return [port for port in found if isinstance(port, int)]


def _tcp(ports: Iterable[int]) -> List[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in sorted(ports)]
