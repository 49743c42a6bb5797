"""What makes pods and owns them: a Deployment, a StatefulSet, a Job, or one of another API."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, List, Mapping, Optional

from playbooks.core.cluster.api_object import ObjectKind, ReadObject, replaced
from playbooks.core.cluster.selectors import Labels, Selector
from playbooks.core.errors import NotFound
from playbooks.core.settings import DNS_NAME

# By name, the kinds whose owning the cluster itself sees to: their controllers let go of pods that
# are not theirs, and the garbage collector deletes those whose owner is not there. Of the same kind
# in an API that is unknown, whoever makes a pod can say that it owns it.
OWNING = {
    kind.kind: kind
    for kind in (
        ObjectKind("ReplicationController", "replicationcontrollers"),
        ObjectKind("Node", "nodes", cluster_wide=True),
        ObjectKind("ReplicaSet", "replicasets", "apps"),
        ObjectKind("Deployment", "deployments", "apps"),
        ObjectKind("StatefulSet", "statefulsets", "apps"),
        ObjectKind("DaemonSet", "daemonsets", "apps"),
        ObjectKind("Job", "jobs", "batch"),
        ObjectKind("CronJob", "cronjobs", "batch"),
    )
}


_KIND = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}", re.ASCII)


def api_of(kind: str) -> str:
    """The API of a kind of Kubernetes' own."""
    return OWNING[kind].api if kind in OWNING else "v1"


def kind_of(word: str) -> str:
    """The kind that a person types in lower case: ``StatefulSet``."""
    return next((kind for kind in OWNING if kind.lower() == word), word.capitalize())


@dataclass(frozen=True)
class Owner:
    """The controller of a pod, as the pod names it: whoever may write the pod can name any.

    ``kind``: of an API other than Kubernetes' own with its group, as ``CloneSet.apps.kruise.io``.
    ``uid``: the one that is named, where it is known.
    """

    kind: str
    name: str
    uid: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


# The kind of a Function as an owner.
FUNCTION = "Function.kubeless.io"

# Owners that say themselves how many pods they want, and where.
COUNTED = {
    "ReplicationController": ("spec", "replicas"),
    "ReplicaSet": ("spec", "replicas"),
    "StatefulSet": ("spec", "replicas"),
    "DaemonSet": ("status", "desiredNumberScheduled"),
    "Job": ("spec", "parallelism"),
}


@dataclass(frozen=True)
class Workload:
    """What owns pods in the end (a Deployment, not its ReplicaSets), and how many it wants.

    ``replicas`` None: nothing says how many. ``controller``: the manifest of the pods' controller,
    where it was read.
    """

    kind: str
    name: str
    replicas: Optional[int]
    controller: Optional[Mapping[str, Any]] = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, owner: Owner, manifest: Mapping[str, Any]) -> Workload:
        """``manifest``: of an owner of one of the kinds in ``COUNTED``."""
        above = controller(manifest["metadata"]) or owner
        part, number = COUNTED[owner.kind]
        return cls(above.kind, above.name, (manifest.get(part) or {}).get(number), manifest)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class ReplicaController:
    """What starts another pod for one that it no longer selects, and kills one that is too many.

    ``wanted`` and ``present``: how many pods it shall have, and has.
    """

    owner: Owner
    selector: Selector
    wanted: int
    present: int

    @classmethod
    def of(cls, kind: str, manifest: Mapping[str, Any]) -> ReplicaController:
        """Of a ReplicaSet or ReplicationController. What its status does not know of yet counts as
        complete."""
        metadata, spec = manifest["metadata"], manifest["spec"]
        selector = Selector.of_controller(kind, spec)
        wanted, status = spec.get("replicas", 1), manifest.get("status") or {}
        known = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
        present = status.get("replicas", 0) if known else wanted
        return cls(Owner(kind, metadata["name"]), selector, wanted, present)

    def rival(self, labels: Labels) -> Optional[Owner]:
        """Itself, where one more pod of these labels would be one too many."""
        return self.owner if self.selector.selects(labels) and self.present >= self.wanted else None


# Kinds that start a pod for one that they no longer select, and kill one that is too many.
REPLICA_CONTROLLERS = ("ReplicaSet", "ReplicationController")

# Kinds that have the subresource scale.
SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet")

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
    """One whose number of pods can be set, as the API has it. ``kind``: one of ``SCALABLE``."""

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

    def scaled_by(self, autoscaler: Mapping[str, Any]) -> Optional[str]:
        """The name of a HorizontalPodAutoscaler of its namespace, where that sets its number."""
        reference = autoscaler["spec"].get("scaleTargetRef") or {}
        sets_it = (reference.get("kind"), reference.get("name")) == (self.kind, self.name)
        return str(autoscaler["metadata"]["name"]) if sets_it else None


def controller(metadata: Mapping[str, Any]) -> Optional[Owner]:
    """The controller of any object, or None: also where nothing can be called as it is named. The
    API server takes any text there, and refuses to be asked about some of them."""
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            owner = _owner(reference)
            return owner if _can_be(owner) else None
    return None


def owners(metadata: Mapping[str, Any]) -> List[Owner]:
    """All owners of any object, those too that do not control it."""
    return [_owner(reference) for reference in metadata.get("ownerReferences") or ()]


def the_same(owner: Owner, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that was found by the name of an owner. Raises NotFound where it is another."""
    if owner.uid and found["metadata"].get("uid") != owner.uid:
        raise NotFound(replaced(owner, owner.uid))
    return found


def _owner(reference: Mapping[str, Any]) -> Owner:
    return Owner(_kind(reference), reference["name"], str(reference.get("uid") or ""))


def _can_be(owner: Owner) -> bool:
    kind, dot, group = owner.kind.partition(".")
    usable = _KIND.fullmatch(kind) and (not dot or DNS_NAME.fullmatch(group))
    return bool(usable and DNS_NAME.fullmatch(owner.name))


def _kind(reference: Mapping[str, Any]) -> str:
    kind, api = str(reference["kind"]), reference.get("apiVersion")
    if api is None or (kind in OWNING and api == OWNING[kind].api):
        return kind
    return f"{kind}.{str(api).rpartition('/')[0] or api}"
