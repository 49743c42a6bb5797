"""Object mothers: an example states only what matters to it."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome

Manifest = Dict[str, Any]

NOW = Instant.parse("2026-01-02T03:04:05.000000000Z")
EARLIER = "2026-01-02T03:00:00.000000000Z"
CONTAINER = "1376fe875695" + "0" * 52
OTHER_CONTAINER = "abcdef012345" + "0" * 52
UID = "5b0c2f6e-9d3a-4a52-8f0b-2f2d3f6f4c11"
OWNER_UID = "owner-uid"
OTHER_UID = "00000000-9d3a-4a52-8f0b-2f2d3f6f4c11"


def a_document(**changes: Any) -> Dict[str, Any]:
    """The JSON object of an alert."""
    return {
        "rule": "Terminal shell in container",
        "priority": "Notice",
        "time": EARLIER,
        "output": "03:00:00.000000000: Notice A shell was spawned",
        "source": "syscall",
        "hostname": "node-1",
        "tags": ["container", "shell"],
        "output_fields": {},
        **changes,
    }


def an_alert(
    fields: Optional[Mapping[str, Any]] = None,
    *,
    pod: Optional[str] = "web-0",
    namespace: Optional[str] = "shop",
    container_id: Any = CONTAINER[:12],
    uid: Optional[str] = None,
    **changes: Any,
) -> Alert:
    """An alert about a container of a pod. ``fields`` replace all output fields."""
    about_pod = {
        "k8s.ns.name": namespace,
        "k8s.pod.name": pod,
        "k8s.pod.uid": uid,
        "container.id": container_id,
    }
    return Alert.parse(a_document(output_fields=about_pod if fields is None else fields, **changes))


def a_host_alert(**changes: Any) -> Alert:
    return an_alert({"container.id": "host"}, **changes)


def an_audit_alert(*, code: str = "201", pod: str = "web-0", **changes: Any) -> Alert:
    """Somebody called the API about a pod, as the k8s_audit plugin tells."""
    fields = {
        "ka.target.resource": "pods",
        "ka.target.namespace": "shop",
        "ka.target.name": pod,
        "ka.response.code": code,
    }
    return an_alert(fields, **{"source": "k8s_audit", **changes})


def a_status(
    name: str = "web", container_id: Optional[str] = CONTAINER, **changes: Any
) -> Dict[str, Any]:
    """The status of a container."""
    given = {"containerID": f"containerd://{container_id}"} if container_id else {}
    return {"name": name, "state": {"running": {}}, **given, **changes}


def a_pod(
    name: str = "web-0",
    *,
    namespace: str = "shop",
    uid: str = UID,
    node: str = "node-1",
    statuses: Optional[Sequence[Mapping[str, Any]]] = None,
    containers: Sequence[str] = ("web",),
    owner: Optional[str] = None,
    phase: str = "Running",
    metadata: Optional[Mapping[str, Any]] = None,
    spec: Optional[Mapping[str, Any]] = None,
    status: Optional[Mapping[str, Any]] = None,
) -> Pod:
    """A running pod of one container. ``owner`` is written ``ReplicaSet/web``."""
    owners = []
    if owner:
        kind, _, owner_name = owner.partition("/")
        owners = [{"kind": kind, "name": owner_name, "controller": True, "uid": OWNER_UID}]
    return Pod(
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "resourceVersion": "1",
                "creationTimestamp": "2026-01-02T02:00:00Z",
                "labels": {"app": "web"},
                "ownerReferences": owners,
                **(metadata or {}),
            },
            "spec": {
                "nodeName": node,
                "containers": [{"name": container} for container in containers],
                **(spec or {}),
            },
            "status": {
                "phase": phase,
                "containerStatuses": list(statuses if statuses is not None else [a_status()]),
                **(status or {}),
            },
        }
    )


def a_static_pod(**changes: Any) -> Pod:
    annotations = {"kubernetes.io/config.mirror": "f00d", "kubernetes.io/config.hash": "f00d"}
    node = {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "n", "controller": True}
    metadata = {"annotations": annotations, "ownerReferences": [node]}
    return a_pod(metadata={**metadata, **changes.pop("metadata", {})}, **changes)


def a_node(name: str = "node-1", *, taints: Sequence[Mapping[str, str]] = ()) -> Node:
    return Node(
        {"metadata": {"name": name, "resourceVersion": "1"}, "spec": {"taints": list(taints)}}
    )


def a_ready_node(
    name: str = "node-1",
    *,
    ready: str = "True",
    spec: Optional[Mapping[str, Any]] = None,
    **metadata: Any,
) -> Node:
    """One that takes pods, unless told otherwise."""
    metadata = {"name": name, "uid": f"uid-of-{name}", "resourceVersion": "1", **metadata}
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    return Node({"metadata": metadata, "spec": dict(spec or {}), "status": status})


def an_action(
    pod: Optional[Pod] = None, node: Optional[Node] = None, *, verb: str = "act", **changes: Any
) -> Action:
    """One that succeeds."""
    target = str(node or pod)
    done = Outcome.acted(target, "done", "done")
    given = {"message": f"{verb} on {target}", "carry_out": lambda: done, **changes}
    return Action(verb, target, pod=pod, node=node, **given)


def a_policy(
    name: str = "theirs",
    *,
    namespace: str = "shop",
    selector: Optional[Mapping[str, Any]] = None,
    **spec: Any,
) -> Dict[str, Any]:
    """A NetworkPolicy of somebody else; it selects every pod unless told otherwise."""
    return {
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
        "spec": {"podSelector": dict(selector or {}), **spec},
    }


def a_new_policy(name: str, namespace: str) -> Manifest:
    """A NetworkPolicy that an API server takes: it has never been stored."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]},
    }


def a_namespace(name: str = "shop", annotations: Optional[Mapping[str, str]] = None) -> Manifest:
    return {"kind": "Namespace", "metadata": {"name": name, "annotations": annotations or {}}}


def a_service(name: str = "web", *, selector: Optional[Mapping[str, str]]) -> Manifest:
    metadata = {"name": name, "namespace": "shop"}
    return {"kind": "Service", "metadata": metadata, "spec": {"selector": selector}}


def a_replica_controller(
    name: str = "web",
    *,
    kind: str = "ReplicaSet",
    labels: Optional[Mapping[str, str]] = None,
    replicas: int = 1,
    present: int = 0,
    owner: Optional[str] = None,
    **metadata: Any,
) -> Manifest:
    """``present``: how many pods its status says. ``owner`` is written ``Deployment/web``."""
    selector = dict(labels or {})
    above, _, owner_name = (owner or "").partition("/")
    reference = {"kind": above, "name": owner_name, "controller": True, "uid": OWNER_UID}
    owners = [reference] if owner else []
    identity = {"name": name, "namespace": "shop", "uid": OWNER_UID, "ownerReferences": owners}
    older = kind == "ReplicationController"
    return {
        "kind": kind,
        "metadata": {**identity, **metadata},
        "spec": {
            "replicas": replicas,
            "selector": selector if older else {"matchLabels": selector},
        },
        "status": {"replicas": present},
    }


def a_claim(name: str, mode: str) -> Manifest:
    metadata = {"name": name, "namespace": "shop"}
    return {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {"accessModes": [mode]}}


def an_event(pod: Pod, reason: str) -> Manifest:
    return {
        "kind": "Event",
        "metadata": {"name": f"{pod.name}.{reason.lower()}", "namespace": pod.namespace},
        "involvedObject": {"uid": pod.uid},
        "reason": reason,
    }
