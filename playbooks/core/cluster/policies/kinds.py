"""The kinds of policy that decide about the traffic of pods.

Sources: https://kubernetes.io/docs/concepts/services-networking/network-policies/,
https://docs.cilium.io/en/stable/security/policy/,
https://docs.tigera.io/calico/latest/reference/resources/networkpolicy,
https://network-policy-api.sigs.k8s.io/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Collection, Mapping, Optional, Tuple

from playbooks.core.cluster.api_object import ObjectKind
from playbooks.core.cluster.permissions import Permission


@dataclass(frozen=True)
class PolicyKind(ObjectKind):
    """``of``: what stands before its name where people read it, as two APIs may give a kind the
    same name."""

    of: str = ""

    def __str__(self) -> str:
        return f"{self.of} {self.kind}".strip()

    @property
    def several(self) -> str:
        return f"{str(self)[:-1]}ies"

    @property
    def listing(self) -> Permission:
        """The right to list them; in the whole cluster only where the playbook acts there."""
        return Permission(
            self.resource,
            ("list",),
            self.group,
            cluster_wide=self.cluster_wide,
            only_everywhere=self.cluster_wide,
            optional=True,
        )

    def writing(self, *, setting: str, values: Tuple[str, ...], ttl: str) -> Tuple[Permission, ...]:
        """The rights to store and, where they end by themselves, delete them: with these values of
        a setting only."""
        store = ("create", "update")
        return tuple(
            Permission(
                self.resource,
                verbs,
                self.group,
                only_with=setting,
                only_for=value,
                also_with=also,
            )
            for value in values
            for verbs, also in ((store, ""), (("delete",), ttl))
        )


NETWORK_POLICY = PolicyKind("NetworkPolicy", "networkpolicies", "networking.k8s.io")

CILIUM = PolicyKind("CiliumNetworkPolicy", "ciliumnetworkpolicies", "cilium.io", version="v2")
CILIUM_CLUSTERWIDE = PolicyKind(
    *("CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies", "cilium.io"),
    cluster_wide=True,
    version="v2",
)


def _of_calico(group: str, version: str) -> Tuple[PolicyKind, PolicyKind]:
    return (
        PolicyKind("NetworkPolicy", "networkpolicies", group, version=version, of="Calico"),
        PolicyKind(
            *("GlobalNetworkPolicy", "globalnetworkpolicies", group),
            cluster_wide=True,
            version=version,
            of="Calico",
        ),
    )


# What Calico stores, and what its API server shows: of itself, or as resources of their own.
CALICO_STORED, CALICO_STORED_GLOBAL = _of_calico("crd.projectcalico.org", "v1")
CALICO, CALICO_GLOBAL = _of_calico("projectcalico.org", "v3")

# Of administrators. BaselineAdminNetworkPolicies are none of these: they are not asked about a pod
# that a NetworkPolicy selects, and one of ours does.
# Source: https://network-policy-api.sigs.k8s.io/api-overview/
_ADMIN = "policy.networking.k8s.io"
ADMIN = PolicyKind(
    "AdminNetworkPolicy", "adminnetworkpolicies", _ADMIN, cluster_wide=True, version="v1alpha1"
)
CLUSTER = PolicyKind(
    "ClusterNetworkPolicy", "clusternetworkpolicies", _ADMIN, cluster_wide=True, version="v1alpha2"
)

# All beside NetworkPolicy that can let through what that denies.
OTHERS = (
    *(CILIUM, CILIUM_CLUSTERWIDE, ADMIN, CLUSTER),
    *(CALICO_STORED, CALICO_STORED_GLOBAL, CALICO, CALICO_GLOBAL),
)

# Where the first is served, the second shows the same objects.
_SHOWN = {CALICO_STORED: CALICO, CALICO_STORED_GLOBAL: CALICO_GLOBAL}


def to_read(served: Collection[PolicyKind]) -> Tuple[PolicyKind, ...]:
    """Of the kinds that a cluster serves, those that are enough to know all policies."""
    shown = {_SHOWN.get(kind) for kind in served}
    return tuple(kind for kind in served if kind not in shown)


def kind_of(manifest: Mapping[str, Any]) -> Optional[PolicyKind]:
    """None for what is no policy beside NetworkPolicies."""
    said = (manifest.get("apiVersion"), manifest.get("kind"))
    return next((kind for kind in OTHERS if (kind.api, kind.kind) == said), None)
