"""The pods and nodes that alerts speak of, as manifests.

What an alert says of its pod is taken for true: that it runs, and in which container. Where alerts
name one pod with several container ids, as of a pod that was recreated between them, the latest
alert is right.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any, Dict, Iterable, List, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.claim import Claim
from playbooks.core.instant import NANOSECONDS, Instant

Manifest = Dict[str, Any]

# The node of a pod whose alert does not say where it runs.
NODE = "node-1"

# Another one, which takes pods when that is tainted.
SPARE = "node-2"

# A taint of somebody else, that must be there afterwards too. It keeps no pods away for good.
OTHERS_TAINT = {"key": "dedicated", "value": "workloads", "effect": "PreferNoSchedule"}

# <deployment>-<hash of the template>-<random>, in the letters that Kubernetes generates names of.
_REPLICA = re.compile(
    r"(?P<app>.+)-(?P<hash>[bcdfghjklmnpqrstvwxz0-9]{6,10})-[bcdfghjklmnpqrstvwxz2456789]{5}"
)
_UID_SPACE = uuid.UUID("6b1f5c1e-5b0a-4d6e-9d0c-0f41c0fa1c00")


def scene(alerts: Iterable[Alert]) -> List[Manifest]:
    """Namespaces and nodes, then ReplicaSets and Services, then pods."""
    latest: Dict[Tuple[str, str], Alert] = {}
    hosts: Dict[str, Manifest] = {}
    for alert in sorted(alerts, key=lambda alert: alert.time):
        claim = alert.claim
        if claim.namespace and claim.pod:
            latest[claim.namespace, claim.pod] = alert
        elif claim.host and claim.node:
            hosts[claim.node] = _node(claim.node)
    owners = [owner for alert in latest.values() for owner in _owners(alert.claim)]
    pods = [_pod(alert) for alert in latest.values()]
    for pod in pods:
        hosts[pod["spec"]["nodeName"]] = _node(pod["spec"]["nodeName"])
    if hosts:
        hosts[SPARE] = _node(SPARE)
    namespaces = [_namespace(name) for name in dict.fromkeys(name for name, _ in latest)]
    return [*namespaces, *hosts.values(), *owners, *pods]


def _namespace(name: str) -> Manifest:
    return {"kind": "Namespace", "metadata": {"name": name, "uid": _uid("namespace", name)}}


def _node(name: str) -> Manifest:
    return {
        "kind": "Node",
        "metadata": {"name": name, "uid": _uid("node", name)},
        "spec": {"taints": [OTHERS_TAINT]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def _pod(alert: Alert) -> Manifest:
    claim = alert.claim
    container, owner = _container_name(alert), _replica_set(claim)
    full_id = _container_id(claim)
    metadata: Manifest = {
        "name": claim.pod,
        "namespace": claim.namespace,
        "uid": claim.uid or _uid(claim.namespace, claim.pod, full_id),
        "creationTimestamp": _an_hour_before(alert.time),
        "labels": _labels(claim),
    }
    if owner:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": owner,
                "uid": _uid(claim.namespace, "replicaset", owner),
                "controller": True,
            }
        ]
    return {
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": claim.node or NODE,
            "containers": [{"name": container, "image": _image(alert)}],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": container,
                    "ready": True,
                    "state": {"running": {}},
                    "containerID": f"containerd://{full_id}",
                }
            ],
        },
    }


def _owners(claim: Claim) -> List[Manifest]:
    owner = _replica_set(claim)
    if not owner:
        return []
    labels = _labels(claim)
    app = {"app": labels["app"]}
    name = labels["app"]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": name,
        "uid": _uid(claim.namespace, "deployment", name),
        "controller": True,
    }
    replica_set = {
        "kind": "ReplicaSet",
        "metadata": {
            "name": owner,
            "namespace": claim.namespace,
            "uid": _uid(claim.namespace, "replicaset", owner),
            "ownerReferences": [deployment],
        },
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}},
    }
    service = {
        "kind": "Service",
        "metadata": {"name": name, "namespace": claim.namespace},
        "spec": {"selector": app, "ports": [{"port": 80}]},
    }
    return [replica_set, service]


def _replica_set(claim: Claim) -> str:
    match = _REPLICA.fullmatch(claim.pod)
    return f"{match['app']}-{match['hash']}" if match else ""


def _labels(claim: Claim) -> Dict[str, str]:
    match: Optional[Any] = _REPLICA.fullmatch(claim.pod)
    if match is None:
        return {"run": claim.pod[:63].rstrip("-.")}
    return {"app": match["app"][:63].rstrip("-."), "pod-template-hash": match["hash"]}


def _container_name(alert: Alert) -> str:
    name = alert.fields.get("container.name")
    usable = isinstance(name, str) and re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
    return str(name) if usable else "main"


def _image(alert: Alert) -> str:
    image = alert.fields.get("container.image.repository")
    return image if isinstance(image, str) and image else "unknown"


def _container_id(claim: Claim) -> str:
    """64 hexadecimal digits that begin with those of the alert."""
    seed = f"{claim.namespace}/{claim.pod}/{claim.container_id}"
    return (claim.container_id + hashlib.sha256(seed.encode()).hexdigest())[:64]


def _an_hour_before(time: Instant) -> str:
    earlier = Instant((time.seconds - 3600) * NANOSECONDS)
    return f"{str(earlier).partition('.')[0]}Z"


def _uid(*parts: str) -> str:
    return str(uuid.uuid5(_UID_SPACE, "/".join(parts)))
