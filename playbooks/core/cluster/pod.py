"""A pod, its owner and its containers, as the API has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List, Mapping, Optional, Tuple

from playbooks.core.cluster.read_object import ReadObject
from playbooks.core.cluster.selectors import Labels, Selector
from playbooks.core.errors import NotFound
from playbooks.core.instant import Instant

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
HASH_ANNOTATION = "kubernetes.io/config.hash"

_SPECS = ("initContainers", "containers", "ephemeralContainers")
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")

# The kinds whose owning the cluster itself sees to: their controllers let go of pods that are not
# theirs, and the garbage collector deletes those whose owner is not there. Of the same kind in an
# API that is unknown, whoever makes a pod can say that it owns it.
_APIS = {
    "ReplicationController": "v1",
    "Node": "v1",
    "ReplicaSet": "apps/v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}


def api_of(kind: str) -> str:
    """The API of a kind of Kubernetes' own."""
    return _APIS.get(kind, "v1")


def kind_of(word: str) -> str:
    """The kind that a person types in lower case: ``StatefulSet``."""
    return next((kind for kind in _APIS if kind.lower() == word), word.capitalize())


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
    "ReplicaSet": ("spec", "replicas"),
    "StatefulSet": ("spec", "replicas"),
    "DaemonSet": ("status", "desiredNumberScheduled"),
    "ReplicationController": ("spec", "replicas"),
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

    def would_kill_for(self, labels: Labels) -> bool:
        """Whether one more pod of these labels would be one too many."""
        return self.selector.selects(labels) and self.present >= self.wanted


@dataclass(frozen=True)
class Container:
    """``ids``: the current one and that of the last terminated run, without the runtime's name.

    ``runs``: how often it was started; ``since``: when the first run whose id is known began.
    """

    name: str
    ids: Tuple[str, ...]
    runs: int = 0
    since: Optional[Instant] = None

    def may_have_forgotten(self, time: Instant) -> bool:
        """Whether a run of which the API has no id any more may have been under way then."""
        # The API writes whole seconds.
        early = self.since is None or time.seconds <= self.since.seconds
        return self.runs > len(self.ids) and early


@dataclass(frozen=True)
class Pod(ReadObject):
    """``remembered``: as it was heard of a moment ago, and no more of it than a proof and the
    guards need. It is then changed only where it still is at its resourceVersion.
    """

    manifest: Mapping[str, Any]
    remembered: bool = field(default=False, compare=False)

    api_kind, typed = "Pod", "pod"

    @property
    def created(self) -> Instant:
        """To the second, as the API writes it."""
        return Instant.parse(self._metadata["creationTimestamp"])

    @property
    def terminates_at(self) -> Optional[Instant]:
        """When its grace period is over, or None where nobody deleted it."""
        time = self._metadata.get("deletionTimestamp")
        return Instant.parse(time) if time else None

    @property
    def node(self) -> str:
        return str(self._spec.get("nodeName") or "")

    @property
    def service_account(self) -> str:
        return str(self._spec.get("serviceAccountName") or "")

    @property
    def host_network(self) -> bool:
        return bool(self._spec.get("hostNetwork"))

    @property
    def phase(self) -> str:
        return str(self._status.get("phase") or "")

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def volume_claims(self) -> Tuple[str, ...]:
        """The PersistentVolumeClaims that it shares with other pods or with its next replica."""
        volumes = self._spec.get("volumes") or ()
        named = ((each.get("persistentVolumeClaim") or {}).get("claimName") for each in volumes)
        return tuple(dict.fromkeys(str(name) for name in named if name))

    @property
    def config_hash(self) -> str:
        """What the kubelet, and so Falco, takes for the uid of a static pod; empty for others."""
        return self.annotations.get(HASH_ANNOTATION, "") if self.static else ""

    @property
    def static(self) -> bool:
        """Whether it stands for a static pod of its node. Nobody can add the annotation to a pod,
        and no kubelet runs a pod that somebody made with it.

        Source: k8s.io/kubernetes, pkg/apis/core/validation (ValidatePodSpecificAnnotationUpdates)
        and pkg/kubelet (mirror pods without a static pod are deleted)
        """
        mirror, owner = MIRROR_ANNOTATION in self.annotations, self.owner
        return mirror and owner == Owner("Node", self.node)

    @property
    def owner(self) -> Optional[Owner]:
        """Its controller, or None."""
        return controller(self._metadata)

    @property
    def containers(self) -> List[Container]:
        """All of them, init and ephemeral ones too, in the order of the spec."""
        statuses = {
            status["name"]: status for key in _STATUSES for status in self._status.get(key) or ()
        }
        names = [spec["name"] for key in _SPECS for spec in self._spec.get(key) or ()]
        return [_container(name, statuses.get(name, {})) for name in names]

    @property
    def images(self) -> Optional[Tuple[str, ...]]:
        """As its containers name them, init and ephemeral ones too; None where that is not known,
        as of a pod that is remembered."""
        specs = [spec for key in _SPECS for spec in self._spec.get(key) or ()]
        if self.remembered or not all(spec.get("image") for spec in specs):
            return None
        return tuple(str(spec["image"]) for spec in specs)

    def container(self, container_id: str) -> Optional[Container]:
        """The container of which ``container_id`` begins the id."""
        for container in self.containers:
            if any(known.startswith(container_id) for known in container.ids):
                return container
        return None

    def restarts(self, container: str) -> int:
        """How many runs of the container ended, as far as the API was told."""
        for key in _STATUSES:
            for status in self._status.get(key) or ():
                if status["name"] == container:
                    return int(status.get("restartCount") or 0)
        return 0

    @property
    def _spec(self) -> Mapping[str, Any]:
        return self.manifest.get("spec") or {}

    @property
    def _status(self) -> Mapping[str, Any]:
        return self.manifest.get("status") or {}


def controller(metadata: Mapping[str, Any]) -> Optional[Owner]:
    """The controller of any object, or None."""
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            return _owner(reference)
    return None


def owners(metadata: Mapping[str, Any]) -> List[Owner]:
    """All owners of any object, those too that do not control it."""
    return [_owner(reference) for reference in metadata.get("ownerReferences") or ()]


def the_same(owner: Owner, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that was found by the name of an owner. Raises NotFound where it is another."""
    if owner.uid and found["metadata"].get("uid") != owner.uid:
        raise NotFound(f"{owner} of uid {owner.uid} is gone, another has its name")
    return found


def _owner(reference: Mapping[str, Any]) -> Owner:
    return Owner(_kind(reference), reference["name"], str(reference.get("uid") or ""))


def _kind(reference: Mapping[str, Any]) -> str:
    kind, api = str(reference["kind"]), reference.get("apiVersion")
    if api in (None, _APIS.get(kind)):
        return kind
    return f"{kind}.{str(api).rpartition('/')[0] or api}"


def _container(name: str, status: Mapping[str, Any]) -> Container:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    ended, before = state.get("terminated") or {}, last.get("terminated") or {}
    ids = (status.get("containerID"), ended.get("containerID"), before.get("containerID"))
    bare = (text.rpartition("//")[2].lower() for text in ids if text)
    begun = (run.get("startedAt") for run in (state.get("running") or {}, ended, before))
    return Container(
        name,
        tuple(dict.fromkeys(bare)),
        runs=int(status.get("restartCount") or 0) + 1 if status else 0,
        since=min((Instant.parse(time) for time in begun if time), default=None),
    )
