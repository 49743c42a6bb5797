"""A workload whose number of pods can be set: a Deployment, a StatefulSet, a ReplicaSet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, List, Mapping

from playbooks.core.cluster.read_object import ReadObject

# Kinds of the API group apps that have the subresource scale, with their resources.
SCALABLE = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "ReplicaSet": "replicasets",
}

# Labels and annotations by which a controller outside the cluster's own knows what it applies.
# Sources: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/,
# https://fluxcd.io/flux/components/kustomize/kustomizations/ and .../helm/helmreleases/
_GITOPS = {
    "argocd.argoproj.io/instance": "Argo CD",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


@dataclass(frozen=True)
class Scalable(ReadObject):
    """As the API has it. ``kind``: one of ``SCALABLE``."""

    kind: str
    manifest: Mapping[str, Any]

    @property
    def api_kind(self) -> str:
        return self.kind

    @property
    def replicas(self) -> int:
        """How many pods it wants."""
        wanted = (self.manifest.get("spec") or {}).get("replicas")
        return 1 if wanted is None else int(wanted)

    @property
    def applied_by(self) -> List[str]:
        """Who may set the number back, because what he applies has another."""
        found = {**self.annotations, **self.labels}
        return [f"{who} ({key}={found[key]:.100})" for key, who in _GITOPS.items() if key in found]

    def scaled_by(self, autoscalers: Iterable[Mapping[str, Any]]) -> List[str]:
        """The HorizontalPodAutoscalers, of its namespace, that set its number."""
        found = []
        for each in autoscalers:
            reference = each["spec"].get("scaleTargetRef") or {}
            if (reference.get("kind"), reference.get("name")) == (self.kind, self.name):
                found.append(str(each["metadata"]["name"]))
        return found
