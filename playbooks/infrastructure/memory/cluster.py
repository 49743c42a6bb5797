"""A cluster in memory: Kubernetes objects, with the rules of the API that playbooks rely on; and a
ledger."""

from __future__ import annotations

import itertools
import threading
import uuid
from typing import (
    Any,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from playbooks.core.cluster.api_object import KINDS as OBJECT_KINDS
from playbooks.core.cluster.api_object import ApiObject, ObjectKind, ReadObject
from playbooks.core.cluster.node import Node, endpoint_addresses
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY, OTHERS, PolicyKind, kind_of
from playbooks.core.cluster.selectors import Labels, Selector
from playbooks.core.cluster.serving import SERVING, serving
from playbooks.core.cluster.workload import (
    COUNTED,
    FUNCTION,
    REPLICA_CONTROLLERS,
    Owner,
    ReplicaController,
    Scalable,
    Workload,
    controller,
    the_same,
)
from playbooks.core.errors import AlreadyExists, Conflict, NotFound, NotTheSameObject, Refused
from playbooks.core.evidence.steps import Log
from playbooks.core.ports import EMPTY, Clock, Cluster, LedgerStore
from playbooks.infrastructure.this_pod import SystemClock

Manifest = Mapping[str, Any]

KINDS = (
    *("Pod", "Event", "Node", "Namespace", "ConfigMap", "Service", "PersistentVolumeClaim"),
    *("ReplicationController", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "NetworkPolicy"),
    *("Endpoints", "Deployment", "HorizontalPodAutoscaler", "Function", "CiliumEndpoint"),
    *SERVING,
    *dict.fromkeys(kind.kind for kind in OTHERS if kind.kind != NETWORK_POLICY.kind),
)
KINDS = (*KINDS, *(kind.kind for kind in OBJECT_KINDS if kind.kind not in KINDS))

# Two APIs have a kind NetworkPolicy.
_POLICIES = {str(kind): kind for kind in OTHERS}

# Bytes that the annotations of an object may take, names and values together.
# Source: k8s.io/apimachinery, pkg/api/validation/objectmeta.go, TotalAnnotationSizeLimitB
LONGEST_ANNOTATIONS = 256 * 1024

_CLUSTER_SCOPED = (
    *("Node", "Namespace", *SERVING),
    *(name for name, kind in _POLICIES.items() if kind.cluster_wide),
    *(kind.kind for kind in OBJECT_KINDS if kind.cluster_wide),
)


class MemoryCluster(Cluster):
    """Does what KubernetesCluster does: both are held to specs/support/contracts/cluster.py.

    Every write gives an object a new ``resourceVersion``. No controller and no kubelet runs: a
    deleted pod is gone at once, unless it has finalizers, nothing replaces it, and its log is
    empty. Threads may share it. Manifests are shared with the caller, who does not change them.

    ``clock``: gives the time at which a pod with finalizers begins to terminate; the system's.
    """

    def __init__(self, clock: Optional[Clock] = None) -> None:
        self._clock = clock or SystemClock()
        # By namespace and kind, then name. The namespace of what lies in none is empty.
        self._stored: Dict[Tuple[str, str], Dict[str, Manifest]] = {}
        self._version = 0
        self._lock = threading.RLock()

    def put(self, manifest: Manifest, kind: str = "") -> Manifest:
        """Store an object as it is given, in place of the one of its name, and return it.

        ``kind``: where the manifest does not say it. A missing resourceVersion is added.
        """
        kind, metadata = kind or stored_as(manifest), manifest["metadata"]
        with self._lock:
            given = str(metadata.get("resourceVersion") or "")
            if given.isdigit():
                self._version = max(self._version, int(given))
            else:
                manifest = {**manifest, "metadata": {**metadata, "resourceVersion": self._next()}}
            self._of(kind, metadata)[metadata["name"]] = manifest
            return manifest

    def take(self, namespace: str) -> List[Tuple[str, Manifest]]:
        """Remove all objects of a namespace, but not the Namespace; their kinds and manifests."""
        with self._lock:
            return [
                (kind, manifest)
                for kind in (*KINDS, *_POLICIES)
                if kind not in _CLUSTER_SCOPED
                for manifest in self._stored.pop((namespace, kind), {}).values()
            ]

    def objects(self, kind: str) -> List[Manifest]:
        """All objects of a kind, in the order of their namespaces and names."""
        with self._lock:
            return [
                stored[name]
                for place, stored in sorted(self._stored.items(), key=lambda item: item[0])
                if place[1] == kind
                for name in sorted(stored)
            ]

    def pod(self, name: str, *, namespace: str) -> Pod:
        return Pod(self._found("Pod", name, namespace))

    def pods_on(self, node: str, *, namespaces: Tuple[str, ...]) -> List[Pod]:
        return [pod for pod in self._pods(namespaces) if pod.node == node]

    def labelled_pods(self, label: str, *, namespaces: Tuple[str, ...]) -> List[Pod]:
        return [pod for pod in self._pods(namespaces) if label in pod.labels]

    def log(
        self, pod: Pod, container: str, *, previous: bool, most_bytes: int, seconds: float
    ) -> Log:
        there = Pod(self._found("Pod", pod.name, pod.namespace))
        if container not in [known.name for known in there.containers]:
            raise Refused(f"container {container} is not valid for {pod}")
        return Log(b"")

    def output_of(
        self, pod: Pod, container: str, command: Sequence[str], *, most_bytes: int, seconds: float
    ) -> Log:
        """Nothing runs here."""
        self._found("Pod", pod.name, pod.namespace)
        return Log(b"")

    def create_snapshot(self, manifest: Mapping[str, Any]) -> None:
        raise NotFound("the cluster serves no VolumeSnapshots")

    def events_of(self, pod: Pod, *, seconds: float) -> List[Mapping[str, Any]]:
        events = self._listed("Event", pod.namespace)
        return [e for e in events if (e.get("involvedObject") or {}).get("uid") == pod.uid]

    def delete_pod(self, pod: Pod, *, grace_period_seconds: int) -> None:
        self._delete(pod, as_read=pod.remembered)

    def evict_pod(self, pod: Pod) -> None:
        """There is no PodDisruptionBudget."""
        self._delete(pod, as_read=True)

    def patch_pod(
        self,
        pod: Pod,
        *,
        labels: Mapping[str, Optional[str]],
        annotations: Mapping[str, Optional[str]],
    ) -> None:
        with self._lock:
            stored = self._unchanged("Pod", pod.manifest)
            self._write("Pod", stored, labels=labels, annotations=annotations)

    def object(self, kind: ObjectKind, name: str, *, namespace: str) -> ApiObject:
        return ApiObject(kind, self._found(kind.kind, name, namespace))

    def delete_object(self, found: ApiObject) -> None:
        self._delete(found)

    def create_object(self, found: ApiObject) -> ApiObject:
        kind, created = found.kind.kind, self._clock.now().to_the_second
        with self._lock:
            if found.name in self._of(kind, found.manifest["metadata"]):
                raise AlreadyExists(f"{found} is there already")
            self._write(kind, found.manifest, uid=str(uuid.uuid4()), creationTimestamp=created)
            return self.object(found.kind, found.name, namespace=found.namespace)

    def patch_object(
        self,
        found: ApiObject,
        *,
        spec: Mapping[str, Any] = EMPTY,
        annotations: Mapping[str, Optional[str]] = EMPTY,
        labels: Mapping[str, Optional[str]] = EMPTY,
    ) -> None:
        self._patch(found.kind.kind, found.manifest, spec, annotations, labels)

    def node(self, name: str) -> Node:
        return Node(self._found("Node", name))

    def nodes(self) -> List[Node]:
        return [Node(found) for found in self._listed("Node")]

    def api_servers(self) -> Tuple[str, ...]:
        try:
            return endpoint_addresses(self._found("Endpoints", "kubernetes", "default"))
        except NotFound:
            return ()

    def namespace_annotations(self, name: str) -> Mapping[str, str]:
        return self._found("Namespace", name)["metadata"].get("annotations") or {}

    def workload(self, owner: Owner, *, namespace: str) -> Optional[Workload]:
        if owner.kind not in COUNTED:
            if not self._has(owner.kind.partition(".")[0]):
                return None
            owners = (controller(pod["metadata"]) for pod in self._listed("Pod", namespace))
            return Workload(owner.kind, owner.name, sum(found == owner for found in owners))
        try:
            return Workload.of(owner, self._found(owner.kind, owner.name, namespace))
        except NotFound:
            return Workload(owner.kind, owner.name, None)

    def patch_node(
        self,
        node: Node,
        *,
        spec: Mapping[str, Any],
        annotations: Mapping[str, Optional[str]] = EMPTY,
        labels: Mapping[str, Optional[str]] = EMPTY,
    ) -> None:
        self._patch("Node", node.manifest, spec, annotations, labels)

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        return self._found("Namespace", name)["metadata"].get("labels") or {}

    def scale(self, workload: Scalable, replicas: int) -> None:
        with self._lock:
            stored = self._unchanged(workload.kind, workload.manifest)
            self._write(workload.kind, {**stored, "spec": {**stored["spec"], "replicas": replicas}})

    def autoscalers(self, workload: Scalable) -> List[str]:
        listed = self._listed("HorizontalPodAutoscaler", workload.namespace)
        return [name for name in map(workload.scaled_by, listed) if name]

    def network_policies(
        self, namespace: str, kind: PolicyKind = NETWORK_POLICY, *, name: str = ""
    ) -> List[Mapping[str, Any]]:
        listed = self._listed(str(kind), "" if kind.cluster_wide else namespace)
        return [each for each in listed if name in ("", each["metadata"]["name"])]

    def policy_kinds(self) -> Tuple[PolicyKind, ...]:
        """Those of which it has any."""
        return tuple(kind for kind in OTHERS if self._has(str(kind)))

    def may_store(self, kind: PolicyKind, namespace: str) -> bool:
        return True

    def create_network_policy(self, manifest: Mapping[str, Any]) -> None:
        metadata, kind = manifest["metadata"], stored_as(manifest)
        with self._lock:
            if metadata["name"] in self._of(kind, metadata):
                raise AlreadyExists(f"{kind.lower()} {_shown(manifest)} is there already")
            self._write(kind, manifest, uid=str(uuid.uuid4()))

    def replace_network_policy(self, manifest: Mapping[str, Any]) -> None:
        kind = stored_as(manifest)
        with self._lock:
            stored = self._unchanged(kind, manifest)
            self._write(kind, manifest, uid=stored["metadata"].get("uid"))

    def delete_network_policy(self, manifest: Mapping[str, Any]) -> None:
        metadata, kind = manifest["metadata"], stored_as(manifest)
        with self._lock:
            self._unchanged(kind, manifest)
            del self._of(kind, metadata)[metadata["name"]]

    def identity_labels(self, pod: Pod) -> Optional[Tuple[str, ...]]:
        if not self._has("CiliumEndpoint"):
            return None
        for found in self._listed("CiliumEndpoint", pod.namespace):
            if found["metadata"]["name"] == pod.name:
                return tuple(found["status"]["identity"]["labels"])
        return ()

    def rivals(self, namespace: str, labels: Labels) -> List[Owner]:
        found = (
            ReplicaController.of(kind, manifest).rival(labels)
            for kind in REPLICA_CONTROLLERS
            for manifest in self._listed(kind, namespace)
        )
        return [owner for owner in found if owner]

    def service_keys(self, pod: Pod) -> Set[str]:
        services = self._listed("Service", pod.namespace)
        return set().union(*(Selector.of_service(each).keys(pod.labels) for each in services))

    def owner(self, owner: Owner, *, namespace: str) -> Mapping[str, Any]:
        kind = "Function" if owner.kind == FUNCTION else owner.kind
        return the_same(owner, self._found(kind, owner.name, namespace))

    def providers(self) -> FrozenSet[str]:
        return frozenset()

    def serving_namespaces(self) -> Mapping[str, str]:
        return serving(self.objects(kind) for kind in SERVING)

    def access_modes(self, claim: str, *, namespace: str) -> Tuple[str, ...]:
        found = self._found("PersistentVolumeClaim", claim, namespace)
        return tuple(found["spec"].get("accessModes") or ())

    def _delete(self, known: ReadObject, *, as_read: bool = False) -> None:
        """``as_read``: only where nobody wrote it since. With finalizers, it is terminating."""
        kind = known.api_kind
        with self._lock:
            stored = self._found(kind, known.name, known.namespace)
            metadata = stored["metadata"]
            if metadata["uid"] != known.uid:
                raise NotTheSameObject(
                    f"{known} has the uid {metadata['uid']}, expected {known.uid}"
                )
            if as_read:
                self._unchanged(kind, known.manifest)
            if not metadata.get("finalizers"):
                del self._of(kind, metadata)[known.name]
            elif not metadata.get("deletionTimestamp"):
                self._write(kind, stored, deletionTimestamp=self._clock.now().to_the_second)

    def _pods(self, namespaces: Iterable[str]) -> Iterator[Pod]:
        return (
            pod
            for pod in map(Pod, self.objects("Pod"))
            if not namespaces or pod.namespace in namespaces
        )

    def _listed(self, kind: str, namespace: str = "") -> List[Manifest]:
        with self._lock:
            return list(self._stored.get((namespace, kind), {}).values())

    def _has(self, kind: str) -> bool:
        return any(found and stored == kind for (_, stored), found in self._stored.items())

    def _found(self, kind: str, name: str, namespace: str = "") -> Manifest:
        found = self._stored.get((namespace, kind), {}).get(name)
        if found is None:
            where = f"{namespace}/{name}" if namespace else name
            raise NotFound(f"no {kind.lower()} {where}")
        return found

    def _patch(
        self,
        kind: str,
        read: Manifest,
        spec: Mapping[str, Any],
        annotations: Mapping[str, Optional[str]],
        labels: Mapping[str, Optional[str]],
    ) -> None:
        given = {"annotations": annotations, "labels": labels}
        with self._lock:
            stored = self._unchanged(kind, read)
            changed = {"spec": _merged(stored.get("spec") or {}, spec)} if spec else {}
            parts = {part: each for part, each in given.items() if each}
            self._write(kind, {**stored, **changed}, **parts)

    def _unchanged(self, kind: str, read: Manifest) -> Manifest:
        """What is stored, where it is what was read. Raises NotFound or Conflict."""
        metadata = read["metadata"]
        stored = self._found(kind, metadata["name"], metadata.get("namespace", ""))
        there = stored["metadata"]
        same_uid = not metadata.get("uid") or metadata["uid"] == there.get("uid")
        if not same_uid or metadata.get("resourceVersion") != there["resourceVersion"]:
            raise Conflict(f"{kind.lower()} {_shown(read)} was written since it was read")
        return stored

    def _write(self, kind: str, manifest: Manifest, **changes: Any) -> None:
        """``changes``: of its metadata; those of labels and annotations as a merge patch."""
        metadata = manifest["metadata"]
        changed = {
            key: _merged(metadata.get(key) or {}, change) if isinstance(change, Mapping) else change
            for key, change in changes.items()
        }
        metadata = {**metadata, **changed}
        texts = itertools.chain(*(metadata.get("annotations") or {}).items())
        if sum(len(str(text).encode()) for text in texts) > LONGEST_ANNOTATIONS:
            said = f"may not be more than {LONGEST_ANNOTATIONS} bytes"
            raise Refused(f"{kind.lower()} {_shown(manifest)}: metadata.annotations: {said}")
        metadata["resourceVersion"] = self._next()
        self._of(kind, metadata)[metadata["name"]] = {**manifest, "metadata": metadata}

    def _of(self, kind: str, metadata: Mapping[str, Any]) -> Dict[str, Manifest]:
        """The objects of a kind beside which one with this metadata lies."""
        namespace = "" if kind in _CLUSTER_SCOPED else metadata.get("namespace", "")
        return self._stored.setdefault((namespace, kind), {})

    def _next(self) -> str:
        self._version += 1
        return str(self._version)


class MemoryLedger(LedgerStore):
    """Threads may share it."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._version = 1
        self._lock = threading.Lock()

    def read(self) -> Tuple[str, str]:
        with self._lock:
            return self.text, str(self._version)

    def write(self, text: str, *, version: str) -> str:
        with self._lock:
            if version != str(self._version):
                raise Conflict("the ledger was written since it was read")
            self.text, self._version = text, self._version + 1
            return str(self._version)


def stored_as(manifest: Manifest) -> str:
    """Its kind, as this cluster has it."""
    return str(kind_of(manifest) or manifest.get("kind") or NETWORK_POLICY)


def _merged(stored: Mapping[str, Any], change: Mapping[str, Any]) -> Dict[str, Any]:
    """Source: RFC 7386, JSON Merge Patch, section 2."""
    return {key: value for key, value in {**stored, **change}.items() if value is not None}


def _shown(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])
