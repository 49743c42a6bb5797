"""Who may call a function: it has no password, and whoever reaches it can have pods deleted."""

from __future__ import annotations

from typing import Any

from playbooks.core.cluster.manifest import Manifest, labels
from playbooks.deployment.manifests.function import PORT

# The label that Kubernetes 1.21 and later give every namespace.
NAME_LABEL = "kubernetes.io/metadata.name"


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
