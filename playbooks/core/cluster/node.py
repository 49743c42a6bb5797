"""A node and its taints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Tuple

from playbooks.core.cluster.api_object import ReadObject

Taint = Mapping[str, str]

# Labels of a node of the control plane, or of its etcd: first those of kubeadm, k3s, RKE2 and
# OpenShift, then those of RKE and MicroK8s. The kubelet sets none of the first four itself.
# Sources: https://kubernetes.io/docs/reference/labels-annotations-taints/,
# https://docs.k3s.io/cli/server, https://rke.docs.rancher.com/config-options/nodes,
# https://microk8s.io/docs/high-availability
_CONTROL_PLANE = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/etcd",
    "node-role.kubernetes.io/controlplane",
    "node.kubernetes.io/microk8s-controlplane",
)

# Effects that keep new pods away.
REPELLING = ("NoSchedule", "NoExecute")

# Taints that the cluster sets and takes off by a node's condition: no pool of nodes has them for
# good, and few pods tolerate them.
# Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
_OF_CONDITIONS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")


def shown(taint: Taint) -> str:
    """As kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


@dataclass(frozen=True)
class Node(ReadObject):
    """A node as the API has it."""

    manifest: Mapping[str, Any]

    api_kind = "Node"

    @property
    def taints(self) -> Tuple[Taint, ...]:
        return tuple(self.manifest.get("spec", {}).get("taints") or ())

    @property
    def control_plane(self) -> bool:
        """Whether its labels say that it is of the control plane, in any distribution."""
        return any(self.labels.get(label, "false") != "false" for label in _CONTROL_PLANE)

    @property
    def addresses(self) -> Tuple[str, ...]:
        found = (self.manifest.get("status") or {}).get("addresses") or ()
        return tuple(str(each["address"]) for each in found)

    @property
    def unschedulable(self) -> bool:
        """Whether it is cordoned."""
        return bool((self.manifest.get("spec") or {}).get("unschedulable"))

    def takes_pods_of(self, other: Node) -> bool:
        """Whether it is ready and takes the pods that ``other`` takes: those that tolerate the
        taints of a pool of nodes, where both have them, and those that tolerate nothing."""
        tolerated = [
            _same(taint) for taint in other.taints if not taint["key"].startswith(_OF_CONDITIONS)
        ]
        repelling = [_same(taint) for taint in self.taints if _repels(taint)]
        return (
            self.ready and not self.unschedulable and all(taint in tolerated for taint in repelling)
        )

    @property
    def ready(self) -> bool:
        conditions = (self.manifest.get("status") or {}).get("conditions") or ()
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def has_taint(self, key: str, effect: str) -> bool:
        return any(taint["key"] == key and taint["effect"] == effect for taint in self.taints)


def endpoint_addresses(endpoints: Mapping[str, Any]) -> Tuple[str, ...]:
    """The addresses of an Endpoints object."""
    return tuple(
        str(each["ip"])
        for subset in endpoints.get("subsets") or ()
        for each in subset.get("addresses") or ()
    )


def _repels(taint: Taint) -> bool:
    return taint["effect"] in REPELLING


def _same(taint: Taint) -> Tuple[str, str, str]:
    """What a toleration compares."""
    return taint["key"], taint.get("value") or "", taint["effect"]
