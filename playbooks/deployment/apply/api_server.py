"""Where the API server is, and which addresses its calls to pods come from."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Iterable, List, Tuple

from playbooks.core.cluster.manifest import Manifest, reference
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError

HTTPS = 443

# Kubernetes' own Service has 443; behind it the API server listens, mostly here.
PORTS = (HTTPS, 6443)

# Calico notes a node's own addresses in its network of pods.
# Source: projectcalico/calico, libcalico-go/lib/backend/k8s/resources/node.go
_CALICO = tuple(
    f"projectcalico.org/{name}Addr"
    for name in (
        *("IPv4IPIPTunnel", "IPv4VXLANTunnel", "IPv6VXLANTunnel"),
        *("IPv4WireguardInterface", "IPv6WireguardInterface"),
    )
)


def endpoints(cluster: ClusterObjects) -> Tuple[Manifest, ...]:
    """None where they cannot be read."""
    slice_ = reference("discovery.k8s.io/v1", "EndpointSlice", "kubernetes", "default")
    try:
        return tuple(cluster.get([slice_]))
    except PlaybookError:
        return ()


def ports(found: Iterable[Manifest]) -> Tuple[int, ...]:
    """NetworkPolicies apply after the Service's port is translated to that of the endpoint."""
    listening = sorted(p["port"] for e in found for p in e.get("ports") or () if p.get("port"))
    return tuple(dict.fromkeys((HTTPS, *listening))) if listening else PORTS


def addresses(cluster: ClusterObjects, found: Iterable[Manifest]) -> Tuple[str, ...]:
    """Those of the endpoints, and those that the same nodes have in a network of pods: from there
    a program of a node comes to pods of another node."""
    listed = [a for each in found for e in each.get("endpoints") or () for a in e["addresses"]]
    try:
        nodes = [Node(manifest) for manifest in cluster.list(("nodes",))] if listed else []
    except PlaybookError:
        nodes = []
    # A kubelet may write what it likes on its node, but for the labels of the control plane.
    there = [node for node in nodes if node.control_plane and set(node.addresses) & set(listed)]
    tunnels = [address for node in there for address in _tunnels(node)]
    return tuple(dict.fromkeys(filter(_is_address, (*listed, *tunnels))))


def _tunnels(node: Node) -> List[str]:
    """flannel's is the first address of the node's range."""
    spec, noted = node.manifest.get("spec") or {}, node.annotations
    ranges = spec.get("podCIDRs") or filter(None, [spec.get("podCIDR")])
    first = [str(ip_network(each, strict=False).network_address) for each in ranges]
    return [*first, *(noted[key] for key in _CALICO if noted.get(key))]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
