"""A pod and its containers, as the API has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List, Mapping, Optional, Tuple

from playbooks.core.cluster.api_object import ReadObject, bare_metadata
from playbooks.core.cluster.workload import Owner, controller
from playbooks.core.instant import Instant

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
HASH_ANNOTATION = "kubernetes.io/config.hash"

_SPECS = ("initContainers", "containers", "ephemeralContainers")
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


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
    def bare(self) -> Pod:
        """The same, of which no more is kept than what names it."""
        return Pod({"metadata": bare_metadata(self._metadata)})

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
