"""Nodes of a spec's own that no machine stands behind, and that take pods."""

from __future__ import annotations

from typing import Any, List

from playbooks.core.cluster.node import Node
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from specs.support.cluster.real_cluster import (
    a_name,
    cleaned_up,
    create,
    kubectl,
    stored,
)
from specs.support.processes import eventually

READY = '{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}'


class OurNodes(KubernetesCluster):
    """Other specs have nodes of their own, and the real one takes pods all the time."""

    def __init__(self, api: KubernetesApi, *names: str) -> None:
        super().__init__(api)
        self._names = names

    def nodes(self) -> List[Node]:
        return [node for node in super().nodes() if node.name in self._names]


def a_ready_node() -> str:
    """Has room for no pod, and stays ready for as long as the control plane waits for a kubelet."""
    name = a_name()
    cleaned_up(name, "node")
    create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    made_ready(name)
    return name


def made_ready(name: str) -> None:
    """Once more, where it may have been some time ago."""

    def takes_pods() -> Any:
        kubectl("patch", "node", name, "--subresource=status", "-p", READY)
        return Node(stored("node", name)).takes_pods_of(Node({}))

    eventually(takes_pods)
