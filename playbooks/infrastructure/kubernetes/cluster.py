"""The cluster that a playbook acts on, by the Kubernetes API."""

from __future__ import annotations

import threading
import time
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Hashable,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypeVar,
)

from playbooks.core.cluster.api_object import ApiObject, ObjectKind, ReadObject
from playbooks.core.cluster.node import Node, endpoint_addresses
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.kinds import (
    CILIUM,
    NETWORK_POLICY,
    OTHERS,
    PolicyKind,
    kind_of,
)
from playbooks.core.cluster.selectors import Labels, Selector
from playbooks.core.cluster.serving import SERVING, serving
from playbooks.core.cluster.workload import (
    COUNTED,
    FUNCTION,
    OWNING,
    REPLICA_CONTROLLERS,
    Owner,
    ReplicaController,
    Scalable,
    Workload,
    controller,
    the_same,
)
from playbooks.core.errors import (
    ClusterUnavailable,
    Conflict,
    ListTooLong,
    NotFound,
    NotTheSameObject,
    PlaybookError,
)
from playbooks.core.evidence.steps import MOST_LINES, Log
from playbooks.core.ports import EMPTY, Cluster
from playbooks.infrastructure.kubernetes.api import (
    AnswerTooLong,
    KubernetesApi,
    delete_options,
    json_object,
    shown,
)
from playbooks.infrastructure.kubernetes.exec import output
from playbooks.infrastructure.kubernetes.list_watch import ALONE, pages

_CORE = ("api", "v1")

# Where any owner in the chain above a pod is found.
_OWNERS = {
    **{kind: OWNING[kind] for kind in (*COUNTED, "Deployment")},
    FUNCTION: ObjectKind("Function", "functions", "kubeless.io", version="v1beta1"),
}

_ADMISSION = ("apis", "admissionregistration.k8s.io", "v1")
_SERVING = {
    "ValidatingWebhookConfiguration": (*_ADMISSION, "validatingwebhookconfigurations"),
    "MutatingWebhookConfiguration": (*_ADMISSION, "mutatingwebhookconfigurations"),
    "APIService": ("apis", "apiregistration.k8s.io", "v1", "apiservices"),
}

# How a cluster is known to be a provider's: by the version that it says, or an API that it has.
# Nobody but an administrator of the cluster can make it say so.
_VERSIONS = {"gke": "-gke."}
_GROUPS = {"openshift": "config.openshift.io", "rancher": "management.cattle.io"}

# Seconds for which an answer about namespaces and workloads, and one about nodes, is kept.
RECENT, RECENT_NODES = 10.0, 2.0

# The same of what the API server depends on, and of whose cluster it is.
RECENT_SERVING, RECENT_PROVIDERS = 60.0, 3600.0

# Events of a pod that are read, and bytes of them: whoever may make Events has others left out.
EVENTS, EVENTS_BYTES = 500, 2 * 1024 * 1024

# Bytes of a list that a tenant can make as long as he likes: 20,000 policies, 5,000 ReplicaSets.
LIST_BYTES = 32 * 1024 * 1024

# Where Cilium's agents say what they know of each pod.
_ENDPOINT = ObjectKind("CiliumEndpoint", "ciliumendpoints", CILIUM.group, version=CILIUM.version)

T = TypeVar("T")

# Answers kept at most; then all of them are forgotten.
MOST = 5000


class KubernetesCluster(Cluster):
    """What a guard reads of namespaces, workloads and nodes may be some seconds old."""

    def __init__(self, api: Optional[KubernetesApi] = None) -> None:
        self._api = api or KubernetesApi()
        self._recent = Recent()

    def pod(self, name: str, *, namespace: str) -> Pod:
        return Pod(self._api.get(*_CORE, "namespaces", namespace, "pods", name))

    def pods_on(self, node: str, *, namespaces: Tuple[str, ...]) -> Iterable[Pod]:
        return self._pods(namespaces, selected={"fieldSelector": f"spec.nodeName={node}"})

    def labelled_pods(self, label: str, *, namespaces: Tuple[str, ...]) -> List[Pod]:
        return list(self._pods(namespaces, selected={"labelSelector": label}))

    def _pods(self, namespaces: Tuple[str, ...], selected: Mapping[str, str]) -> Iterator[Pod]:
        places: List[Tuple[str, ...]] = [("namespaces", name, "pods") for name in namespaces]
        for place in places or [("pods",)]:
            yield from self._listed(Pod, *_CORE, *place, selected=selected)

    def log(
        self, pod: Pod, container: str, *, previous: bool, most_bytes: int, seconds: float
    ) -> Log:
        asked = {"container": container, "timestamps": "true", "tailLines": str(MOST_LINES)}
        if previous:
            asked["previous"] = "true"
        until = time.monotonic() + seconds
        parts = self._api.stream(*_pod_path(pod), "log", seconds=seconds, **asked)
        return Log.end_of(parts, most=most_bytes, in_time=lambda: time.monotonic() < until)

    def output_of(
        self, pod: Pod, container: str, command: Sequence[str], *, most_bytes: int, seconds: float
    ) -> Log:
        place = (pod.namespace, pod.name, container)
        found = output(self._api, *place, command, most=most_bytes, seconds=seconds)
        # No precondition holds a command to a pod.
        self.again(pod)
        return found

    def create_snapshot(self, manifest: Mapping[str, Any]) -> None:
        api, namespace = manifest["apiVersion"].split("/"), manifest["metadata"]["namespace"]
        self._api.post("apis", *api, "namespaces", namespace, "volumesnapshots", body=manifest)

    def events_of(self, pod: Pod, *, seconds: float) -> List[Mapping[str, Any]]:
        path = (*_CORE, "namespaces", pod.namespace, "events")
        bounds: Dict[str, Any] = {"longest": EVENTS, "most": EVENTS_BYTES, "seconds": seconds}
        about = {"fieldSelector": f"involvedObject.uid={pod.uid}"}
        return list(next(pages(self._api, path, _page, **bounds, selected=about)))

    def delete_pod(self, pod: Pod, *, grace_period_seconds: int) -> None:
        body = delete_options(
            gracePeriodSeconds=grace_period_seconds,
            preconditions=_as_read(pod) if pod.remembered else {"uid": pod.uid},
        )
        self._api.tell("DELETE", *_pod_path(pod), body=body)

    def evict_pod(self, pod: Pod) -> None:
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            # Without the resourceVersion, the API server tries a conflict again for ten seconds.
            "deleteOptions": {"preconditions": _as_read(pod)},
        }
        self._api.tell("POST", *_pod_path(pod), "eviction", body=body)

    def patch_pod(
        self,
        pod: Pod,
        *,
        labels: Mapping[str, Optional[str]],
        annotations: Mapping[str, Optional[str]],
    ) -> None:
        metadata = {**_as_read(pod), "labels": labels, "annotations": annotations}
        self._api.patch(*_pod_path(pod), body={"metadata": metadata})

    def object(self, kind: ObjectKind, name: str, *, namespace: str) -> ApiObject:
        return ApiObject(kind, self._api.get(*kind.path(namespace), name))

    def delete_object(self, found: ApiObject) -> None:
        # Of a Job the default is to leave its pods.
        body = delete_options(propagationPolicy="Background", preconditions={"uid": found.uid})
        self._api.delete(*found.kind.path(found.namespace), found.name, body=body)

    def create_object(self, found: ApiObject) -> ApiObject:
        path = found.kind.path(found.namespace)
        return ApiObject(found.kind, self._api.post(*path, body=found.manifest))

    def patch_object(
        self,
        found: ApiObject,
        *,
        spec: Mapping[str, Any] = EMPTY,
        annotations: Mapping[str, Optional[str]] = EMPTY,
        labels: Mapping[str, Optional[str]] = EMPTY,
    ) -> None:
        body = _patch(_as_read(found), spec, annotations, labels)
        self._api.patch(*found.kind.path(found.namespace), found.name, body=body)

    def node(self, name: str) -> Node:
        return Node(self._api.get(*_CORE, "nodes", name))

    def nodes(self) -> List[Node]:
        return self._recent.get("nodes", RECENT_NODES, self._nodes)

    def api_servers(self) -> Tuple[str, ...]:
        return self._recent.get("api servers", RECENT_NODES, self._api_servers)

    def namespace_annotations(self, name: str) -> Mapping[str, str]:
        return self._namespace(name).get("annotations") or {}

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        return self._namespace(name).get("labels") or {}

    def workload(self, owner: Owner, *, namespace: str) -> Optional[Workload]:
        return self._recent.get(
            (namespace, owner), RECENT, lambda: self._workload(owner, namespace)
        )

    def patch_node(
        self,
        node: Node,
        *,
        spec: Mapping[str, Any],
        annotations: Mapping[str, Optional[str]] = EMPTY,
        labels: Mapping[str, Optional[str]] = EMPTY,
    ) -> None:
        as_read = {"resourceVersion": node.resource_version}
        body = _patch(as_read, spec, annotations, labels)
        self._api.patch(*_CORE, "nodes", node.name, body=body)

    def scale(self, workload: Scalable, replicas: int) -> None:
        path = OWNING[workload.kind].path(workload.namespace)
        body = {"metadata": _as_read(workload), "spec": {"replicas": replicas}}
        self._api.patch(*path, workload.name, "scale", body=body)

    def autoscalers(self, workload: Scalable) -> List[str]:
        path = ("apis", "autoscaling", "v1", "namespaces", workload.namespace)
        kind = "horizontalpodautoscalers"
        return list(self._listed(workload.scaled_by, *path, kind, most=LIST_BYTES))

    def network_policies(
        self, namespace: str, kind: PolicyKind = NETWORK_POLICY, *, name: str = ""
    ) -> Iterator[Mapping[str, Any]]:
        # Items of a list do not say of which kind they are.
        said = {} if kind == NETWORK_POLICY else {"apiVersion": kind.api, "kind": kind.kind}
        selected = {"fieldSelector": f"metadata.name={name}"} if name else {}
        path = kind.path(namespace)
        return self._listed(
            lambda each: {**each, **said}, *path, most=LIST_BYTES, selected=selected
        )

    def policy_kinds(self) -> Tuple[PolicyKind, ...]:
        served = self._recent.get("policy kinds", RECENT, lambda: self._served(*OTHERS))
        return tuple(kind for kind in OTHERS if kind in served)

    def may_store(self, kind: PolicyKind, namespace: str) -> bool:
        return self._recent.get(
            ("may store", kind, namespace),
            RECENT,
            lambda: all(
                self._api.may(verb, kind.resource, kind.group, namespace)
                for verb in ("create", "update")
            ),
        )

    def create_network_policy(self, manifest: Mapping[str, Any]) -> None:
        self._api.post(*_policies_beside(manifest), body=manifest)

    def replace_network_policy(self, manifest: Mapping[str, Any]) -> None:
        name = manifest["metadata"]["name"]
        self._api.put(*_policies_beside(manifest), name, body=manifest)

    def delete_network_policy(self, manifest: Mapping[str, Any]) -> None:
        metadata = manifest["metadata"]
        as_read = {key: metadata[key] for key in ("uid", "resourceVersion")}
        body = delete_options(preconditions=as_read)
        try:
            self._api.delete(*_policies_beside(manifest), metadata["name"], body=body)
        except NotTheSameObject as error:
            raise Conflict(str(error)) from error

    def identity_labels(self, pod: Pod) -> Optional[Tuple[str, ...]]:
        if not self._recent.get("endpoints", RECENT, lambda: self._served(_ENDPOINT)):
            return None
        try:
            found = self._api.get(*_ENDPOINT.path(pod.namespace), pod.name)
        except NotFound:
            return ()
        identity = (found.get("status") or {}).get("identity") or {}
        return tuple(map(str, identity.get("labels") or ()))

    def rivals(self, namespace: str, labels: Labels) -> List[Owner]:
        def of_kind(kind: str) -> Iterator[Owner]:
            def rival(manifest: Mapping[str, Any]) -> Optional[Owner]:
                return ReplicaController.of(kind, manifest).rival(labels)

            return self._listed(rival, *OWNING[kind].path(namespace), most=LIST_BYTES)

        return [owner for kind in REPLICA_CONTROLLERS for owner in of_kind(kind)]

    def service_keys(self, pod: Pod) -> Set[str]:
        def keys(service: Mapping[str, Any]) -> Set[str]:
            return Selector.of_service(service).keys(pod.labels)

        path = (*_CORE, "namespaces", pod.namespace, "services")
        return set().union(*self._listed(keys, *path, most=LIST_BYTES))

    def owner(self, owner: Owner, *, namespace: str) -> Mapping[str, Any]:
        if owner.kind not in _OWNERS:
            raise NotFound(f"{owner} is of a kind that is unknown")
        found = self._api.get(*_OWNERS[owner.kind].path(namespace), owner.name)
        return the_same(owner, found)

    def providers(self) -> FrozenSet[str]:
        return self._recent.get("providers", RECENT_PROVIDERS, self._providers)

    def serving_namespaces(self) -> Mapping[str, str]:
        def read() -> Mapping[str, str]:
            return serving(self._listed(_whole, *_SERVING[kind]) for kind in SERVING)

        return self._recent.get("serving", RECENT_SERVING, read)

    def access_modes(self, claim: str, *, namespace: str) -> Tuple[str, ...]:
        path = (*_CORE, "namespaces", namespace, "persistentvolumeclaims", claim)
        return tuple(self._api.get(*path)["spec"].get("accessModes") or ())

    def _providers(self) -> FrozenSet[str]:
        version = str(self._api.get("version").get("gitVersion"))
        groups = [group["name"] for group in self._api.get("apis").get("groups") or ()]
        found = {provider for provider, group in _GROUPS.items() if group in groups}
        return frozenset(
            found | {provider for provider, part in _VERSIONS.items() if part in version}
        )

    def _nodes(self) -> List[Node]:
        return list(self._listed(Node, *_CORE, "nodes"))

    def _listed(
        self,
        keep: Callable[[Mapping[str, Any]], Optional[T]],
        *path: str,
        most: float = float("inf"),
        selected: Mapping[str, str] = EMPTY,
    ) -> Iterator[T]:
        """What is kept of each object, if anything, a page at a time: whoever may make objects may
        make many that are large. ``most``: bytes of them all. Raises ListTooLong."""
        left = most

        def read(text: bytes) -> Tuple[List[T], str]:
            nonlocal left
            left -= len(text)
            if left < 0:
                raise _too_long(path, most)
            items, rest = _page(text)
            return [kept for kept in map(keep, items) if kept is not None], rest

        try:
            for page in pages(self._api, path, read, selected=selected):
                yield from page
                page.clear()
        except AnswerTooLong as error:
            raise _too_long(path, ALONE) from error

    def _namespace(self, name: str) -> Mapping[str, Any]:
        """Its metadata."""

        def read() -> Mapping[str, Any]:
            found: Mapping[str, Any] = self._api.get(*_CORE, "namespaces", name)["metadata"]
            return found

        return self._recent.get(("namespace", name), RECENT, read)

    def _served(self, *kinds: ObjectKind) -> Tuple[ObjectKind, ...]:
        """Those that the cluster serves, or may serve: of an API that does not say it all. Every
        account may ask for that."""
        groups = self._api.get("apis").get("groups") or ()
        apis = {each["groupVersion"] for group in groups for each in group["versions"]}
        wanted = dict.fromkeys(kind.api for kind in kinds if kind.api in apis)
        resources = {api: self._resources(api) for api in wanted}
        return tuple(
            kind
            for kind in kinds
            if kind.api in resources and kind.resource in (resources[kind.api] or (kind.resource,))
        )

    def _resources(self, api: str) -> Mapping[str, str]:
        """Their kinds, by name. Empty where the API does not say it."""
        try:
            found = self._api.get("apis", *api.split("/"))["resources"]
        except PlaybookError:
            return {}
        return {each["name"]: each["kind"] for each in found}

    def _api_servers(self) -> Tuple[str, ...]:
        # Each API server keeps its address there itself; EndpointSlices are not served everywhere.
        path = (*_CORE, "namespaces", "default", "endpoints", "kubernetes")
        try:
            return endpoint_addresses(self._api.get(*path))
        except NotFound:
            return ()

    def _workload(self, owner: Owner, namespace: str) -> Optional[Workload]:
        if owner.kind not in COUNTED:
            if not self._recent.get(("kind", owner.kind), RECENT, lambda: self._has(owner.kind)):
                return None
            return Workload(owner.kind, owner.name, self._pods_of(owner, namespace))
        try:
            found = self._api.get(*OWNING[owner.kind].path(namespace), owner.name)
        except NotFound:
            return Workload(owner.kind, owner.name, None)
        return Workload.of(owner, found)

    def _has(self, kind: str) -> bool:
        """Whether the cluster serves a kind, with its group as in ``CloneSet.apps.kruise.io``. One
        of an API that is away, such as that of metrics, does not count: anybody can name it.

        Every account may ask for that. Source:
        https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles
        """
        name, _, group = kind.partition(".")
        if not group:
            return False
        try:
            version = self._api.get("apis", group)["preferredVersion"]["version"]
        except NotFound:
            return False
        return name in self._resources(f"{group}/{version}").values()

    def _pods_of(self, owner: Owner, namespace: str) -> int:
        path = (*_CORE, "namespaces", namespace, "pods")
        return sum(self._listed(lambda pod: controller(pod["metadata"]) == owner, *path))


def _too_long(path: Tuple[str, ...], most: float) -> ListTooLong:
    return ListTooLong(
        f"GET {shown(path)}: more than {most / 2**20:g} MiB, which is all that is read of such"
        " objects for one alert: delete those that nobody needs"
    )


def _whole(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return item


def _page(text: bytes) -> Tuple[List[Mapping[str, Any]], str]:
    """The objects of a page, and how to ask for the next one."""
    found = json_object(text)
    if found is None:
        raise ClusterUnavailable("a list of the API server is no Kubernetes answer")
    return found["items"], (found.get("metadata") or {}).get("continue") or ""


def _policies_beside(manifest: Mapping[str, Any]) -> Tuple[str, ...]:
    """Where policies of its kind and namespace are."""
    return (kind_of(manifest) or NETWORK_POLICY).path(manifest["metadata"]["namespace"])


def _pod_path(pod: Pod) -> Tuple[str, ...]:
    return (*_CORE, "namespaces", pod.namespace, "pods", pod.name)


def _patch(
    as_read: Mapping[str, str],
    spec: Mapping[str, Any],
    annotations: Mapping[str, Optional[str]],
    labels: Mapping[str, Optional[str]],
) -> Dict[str, Any]:
    """A merge patch that names no part of which it changes nothing."""
    given = {"annotations": annotations, "labels": labels}
    metadata = {**as_read, **{part: dict(each) for part, each in given.items() if each}}
    return {"metadata": metadata, **({"spec": dict(spec)} if spec else {})}


def _as_read(target: ReadObject) -> Dict[str, str]:
    """Preconditions: the same object, and nobody wrote it since."""
    return {"uid": target.uid, "resourceVersion": target.resource_version}


class Recent:
    """Keeps what was read for some seconds. Threads may share it. Errors are not kept."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Dict[Hashable, Tuple[float, object]] = {}

    def get(self, key: Hashable, seconds: float, read: Callable[[], T]) -> T:
        with self._lock:
            at, value = self._kept.get(key, (float("-inf"), None))
        if self._clock() - at < seconds:
            return value  # type: ignore[return-value]
        found = read()
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = (self._clock(), found)
        return found
