"""The cluster that alerts name: manifests of their pods and nodes, and objects of YAML files.

What an alert says of its pod is taken for true: that it runs, and in which container. Where alerts
name one pod with several container ids, as of a pod that was recreated between them, the latest
alert is right.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from playbooks.core.alert import Alert
from playbooks.core.claim import Claim
from playbooks.core.cluster import creation
from playbooks.core.cluster.api_object import KINDS as OBJECT_KINDS
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.node import Taint
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.workload import Owner
from playbooks.core.instant import after
from playbooks.infrastructure.memory.cluster import KINDS, MemoryCluster

# The node of a pod whose alert does not say where it runs.
NODE = "node-1"

# Another one, which takes pods when that is tainted.
SPARE = "node-2"

# A taint of somebody else, that must be there afterwards too. It keeps no pods away for good.
OTHERS_TAINT = {"key": "dedicated", "value": "workloads", "effect": "PreferNoSchedule"}

# How controllers name their pods: web-7d9f8b6c5-x2x4k of a Deployment, db-0 of a StatefulSet.
# Source: k8s.io/apimachinery/pkg/util/rand (the alphabet; older hashes have all digits).
_OF_DEPLOYMENT = re.compile(
    r"(?P<app>.+)-(?P<hash>[bcdfghjklmnpqrstvwxz0-9]{6,10})-[bcdfghjklmnpqrstvwxz2456789]{5}"
)
_OF_STATEFUL_SET = re.compile(r"(?P<app>.+)-\d{1,4}", re.ASCII)

# Of an object of a YAML file: it is not there, whatever alerts say.
GONE = ("stand-in", "gone")

# Since when an object of a YAML file is there that does not say it.
_LONG_AGO = "1970-01-01T00:00:00Z"


class Scene:
    """Puts what alerts name into a cluster, each object once, also where it was deleted since.

    Objects of files come first: for what no alert can say, such as a pod that is terminating
    already, or a policy of somebody else.
    """

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        # Kinds, namespaces and names.
        self._put_before: Set[Tuple[str, str, str]] = set()
        self._absent: Set[Tuple[str, str, str]] = set()

    def load(self, path: Path) -> None:
        """A YAML file of objects. Raises ValueError, which names the file."""
        for manifest in _documents(path):
            key, value = GONE
            gone = (manifest["metadata"].get("annotations") or {}).get(key) == value
            self._put(manifest, absent=gone)

    def expect(self, alerts: Iterable[Alert]) -> None:
        for manifest in scene(alerts):
            self._put(manifest)

    def pods(self) -> List[Tuple[str, Optional[Pod]]]:
        """Namespace and name of every pod that was ever there, and what is there now."""
        now = {(p.namespace, p.name): p for p in map(Pod, self._cluster.objects("Pod"))}
        return [
            (f"{namespace}/{name}", now.get((namespace, name)))
            for kind, namespace, name in sorted(self._put_before)
            if kind == "Pod"
        ]

    def _put(self, manifest: Manifest, *, absent: bool = False) -> None:
        metadata = manifest["metadata"]
        key = (manifest["kind"], metadata.get("namespace") or "", metadata["name"])
        if absent:
            self._absent.add(key)
        elif key not in self._put_before and key not in self._absent:
            self._put_before.add(key)
            self._cluster.put(manifest)


def scene(
    alerts: Iterable[Alert],
    *,
    node: str = NODE,
    spares: Sequence[str] = (SPARE,),
    taints: Sequence[Taint] = (OTHERS_TAINT,),
    replicas: Optional[int] = 1,
) -> List[Manifest]:
    """Namespaces and nodes, then controllers and Services, objects that were created, then pods.

    ``node``: that of a pod whose alert does not say where it runs. ``spares``: further nodes.
    ``taints``: of every node. ``replicas``: how many pods every workload wants; None: nothing says
    it.
    """
    latest: Dict[Tuple[str, str], Alert] = {}
    hosts: Dict[str, Manifest] = {}
    alerts = sorted(alerts, key=lambda alert: alert.time)
    for alert in alerts:
        claim = alert.claim
        if claim.namespace and claim.pod:
            latest[claim.namespace, claim.pod] = alert
        elif claim.host and claim.node:
            hosts[claim.node] = _node(claim.node, taints)
    owners = [made for alert in latest.values() for made in _owners(alert.claim, replicas)]
    pods = [_pod(alert, node) for alert in latest.values()]
    for pod in pods:
        hosts[pod["spec"]["nodeName"]] = _node(pod["spec"]["nodeName"], taints)
    if hosts:
        hosts.update({name: _node(name, taints) for name in spares})
    made = [_created(alert) for alert in alerts]
    objects = [manifest for manifest in made if manifest]
    places = [name for name, _ in latest] + [o["metadata"].get("namespace", "") for o in objects]
    namespaces = [_namespace(name) for name in dict.fromkeys(filter(None, places))]
    return [*namespaces, *hosts.values(), *owners, *objects, *pods]


def _created(alert: Alert) -> Optional[Manifest]:
    """The object that an audit alert says was created, if it is about one."""
    found = creation.of_alert(alert, OBJECT_KINDS)
    if not isinstance(found, creation.Creation):
        return None
    metadata = {
        "name": found.name,
        "uid": _uid(found.kind.kind, found.namespace, found.name, str(alert.time)),
        "creationTimestamp": alert.time.to_the_second,
        **({"namespace": found.namespace} if found.namespace else {}),
    }
    return {"apiVersion": found.kind.api, "kind": found.kind.kind, "metadata": metadata}


def owner_of(pod: str) -> Optional[Owner]:
    """The controller that a pod's name speaks of; a guess."""
    return _named(pod)[0]


@lru_cache(maxsize=4096)
def _named(pod: str) -> Tuple[Optional[Owner], Mapping[str, str]]:
    """The controller that a pod's name speaks of, and the labels that it gives its pods."""
    match = _OF_DEPLOYMENT.fullmatch(pod)
    if match:
        labels = {"app": _label(match["app"]), "pod-template-hash": match["hash"]}
        return Owner("ReplicaSet", f"{match['app']}-{match['hash']}"), labels
    match = _OF_STATEFUL_SET.fullmatch(pod)
    if match:
        return Owner("StatefulSet", match["app"]), {"app": _label(match["app"])}
    return None, {"run": _label(pod)}


def _label(text: str) -> str:
    return text[:63].rstrip("-.")


def _documents(path: Path) -> List[Manifest]:
    import yaml  # only where there is such a file: it takes time to import

    try:
        documents = [each for each in yaml.load_all(path.read_text("utf-8"), _loader()) if each]
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from error
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") not in KINDS:
            raise ValueError(f"{path}: expected objects of kind {', '.join(KINDS)}")
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or not metadata.get("name"):
            raise ValueError(f"{path}: a {document['kind']} has no metadata.name")
        metadata.setdefault("uid", _uid(str(path), document["kind"], metadata["name"]))
        metadata.setdefault("creationTimestamp", _LONG_AGO)
    return documents


def _loader() -> Any:
    """Of YAML in which times stay text, as in JSON."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def text(loader: Any, node: Any) -> str:
        return str(loader.construct_scalar(node))

    Loader.add_constructor("tag:yaml.org,2002:timestamp", text)
    return Loader


def _namespace(name: str) -> Manifest:
    return {"kind": "Namespace", "metadata": {"name": name, "uid": _uid("namespace", name)}}


def _node(name: str, taints: Sequence[Taint]) -> Manifest:
    return {
        "kind": "Node",
        "metadata": {"name": name, "uid": _uid("node", name)},
        "spec": {"taints": list(taints)},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def uid_of(claim: Claim) -> str:
    """The uid of the pod that an alert names: the one it gives, or one made of the names."""
    return claim.uid or _uid(claim.namespace, claim.pod, claim.container_id)


def _pod(alert: Alert, node: str) -> Manifest:
    claim = alert.claim
    container = _container_name(alert)
    owner, labels = _named(claim.pod)
    metadata: Manifest = {
        "name": claim.pod,
        "namespace": claim.namespace,
        "uid": uid_of(claim),
        "creationTimestamp": after(alert.time, -3600).to_the_second,
        "labels": labels,
    }
    if owner:
        metadata["ownerReferences"] = [_controller(claim, owner.kind, owner.name)]
    return {
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": claim.node or node,
            "containers": [{"name": container, "image": _image(alert)}],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": container,
                    "ready": True,
                    "state": {"running": {}},
                    "containerID": f"containerd://{_container_id(claim)}",
                }
            ],
        },
    }


def _owners(claim: Claim, replicas: Optional[int]) -> List[Manifest]:
    owner, labels = _named(claim.pod)
    if not owner:
        return []
    spec: Manifest = {} if replicas is None else {"replicas": replicas}
    made = [_workload(claim, owner.kind, owner.name, {**spec, **_selecting(labels)})]
    if owner.kind == "ReplicaSet":
        above, _, _ = owner.name.rpartition("-")
        made[0]["metadata"]["ownerReferences"] = [_controller(claim, "Deployment", above)]
        of_all = _selecting({"app": labels["app"]})
        made.append(_workload(claim, "Deployment", above, {**spec, **of_all}))
    service = {
        "kind": "Service",
        "metadata": {"name": labels["app"], "namespace": claim.namespace},
        "spec": {"selector": {"app": labels["app"]}, "ports": [{"port": 80}]},
    }
    return [*made, service]


def _workload(claim: Claim, kind: str, name: str, spec: Manifest) -> Manifest:
    uid = _uid(claim.namespace, kind, name)
    metadata = {"name": name, "namespace": claim.namespace, "uid": uid}
    return {"kind": kind, "metadata": metadata, "spec": spec}


def _selecting(labels: Mapping[str, str]) -> Manifest:
    return {"selector": {"matchLabels": dict(labels)}}


def _controller(claim: Claim, kind: str, name: str) -> Manifest:
    """An owner reference."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": _uid(claim.namespace, kind, name),
        "controller": True,
    }


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


def _uid(*parts: str) -> str:
    made = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return f"{made[:8]}-{made[8:12]}-{made[12:16]}-{made[16:20]}-{made[20:32]}"
