"""A collaborators in which every alert's pod existed as the alert names it."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from playbooks.core.alert import Alert
from playbooks.core.claim import Claim
from playbooks.core.cluster.container_log import Log
from playbooks.core.cluster.network_policy import LABEL
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Owner, Pod, ReplicaController, Workload
from playbooks.core.cluster.selectors import Selector
from playbooks.core.errors import NotFound
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.ledger.book import after
from playbooks.core.ports import Clock, Cluster, LedgerStore, OwnPod

# How the controllers of Kubernetes name pods: web-7d9f8b6c5-x2x4k of a Deployment, db-0 of a
# StatefulSet. Source: k8s.io/apimachinery/pkg/util/rand (the alphabet).
_HASH = "[bcdfghjklmnpqrstvwxz2456789]"
_OF_DEPLOYMENT = re.compile(rf"(.+)-({_HASH}{{8,10}})-{_HASH}{{5}}", re.ASCII)
_OF_STATEFUL_SET = re.compile(r"(.+)-\d{1,4}", re.ASCII)

# Seconds after an alert at which it is answered, and before it at which its pod began.
LATER, EARLIER = 5.0, 3600

# Nodes beside those that alerts name, so that none of these is the last one.
_OTHERS = ("(another node)", "(one more node)")


@dataclass
class Moment(Clock):
    """The clock stands at the alert under way."""

    alert: Optional[Alert] = None

    def now(self) -> Instant:
        assert self.alert is not None
        return after(self.alert.time, LATER)


class Nowhere(OwnPod):
    """A simulation runs on no node and in no namespace."""

    namespace = ""
    pod = ""
    node = ""
    in_cluster = False


@dataclass
class MemoryLedger(LedgerStore):
    text: str = ""
    version: int = 1

    def read(self) -> Tuple[str, str]:
        return self.text, str(self.version)

    def write(self, text: str, *, version: str) -> str:
        self.text, self.version = text, self.version + 1
        return str(self.version)


@dataclass
class SimulatedCluster(Cluster):
    """Makes the pod that an alert names when it is asked for, and remembers what becomes of it.

    ``replicas``: how many pods every workload is taken to have; None: unknown.
    """

    moment: Moment
    replicas: Optional[int] = None
    _pods: Dict[str, Pod] = field(default_factory=dict)
    _gone: Set[str] = field(default_factory=set)
    _nodes: Dict[str, Node] = field(default_factory=dict)
    _policies: Dict[Tuple[str, Any], Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _OTHERS:
            self._nodes[name] = _node(name)

    def pod(self, name: str, *, namespace: str) -> Pod:
        assert self.moment.alert is not None
        made = _pod(self.moment.alert, name, namespace)
        if made.uid in self._gone:
            raise NotFound(f"pod {namespace}/{name} is deleted already")
        return self._pods.get(made.uid, made)

    def pods_on(self, node: str, *, namespaces: Tuple[str, ...]) -> List[Pod]:
        """None: an alert without the pod's name does not say which pod existed."""
        return []

    def delete_pod(self, pod: Pod, *, grace_period_seconds: int) -> None:
        self._gone.add(pod.uid)

    def patch_pod(
        self,
        pod: Pod,
        *,
        labels: Mapping[str, Optional[str]],
        annotations: Mapping[str, Optional[str]],
    ) -> None:
        manifest = copy.deepcopy(dict(pod.manifest))
        manifest["metadata"]["labels"] = _merged(pod.labels, labels)
        manifest["metadata"]["annotations"] = _merged(pod.annotations, annotations)
        self._pods[pod.uid] = Pod(manifest)

    def node(self, name: str) -> Node:
        return self._nodes.setdefault(name, _node(name))

    def nodes(self) -> List[Node]:
        return list(self._nodes.values())

    def patch_node(
        self,
        node: Node,
        *,
        spec: Mapping[str, Any],
        annotations: Mapping[str, Optional[str]] = MappingProxyType({}),
    ) -> None:
        kept = _merged(node.annotations, annotations)
        metadata = {**node.manifest["metadata"], "annotations": kept}
        changed = _merged(node.manifest["spec"], spec)
        self._nodes[node.name] = Node({**node.manifest, "metadata": metadata, "spec": changed})

    def namespace_annotations(self, name: str) -> Mapping[str, str]:
        return {}

    def workload(self, owner: Owner, *, namespace: str) -> Workload:
        name, _, template = owner.name.rpartition("-")
        of_deployment = owner.kind == "ReplicaSet" and name and template
        kind = "Deployment" if of_deployment else owner.kind
        return Workload(kind, name if of_deployment else owner.name, self.replicas)

    def network_policies(self, namespace: str) -> List[Mapping[str, Any]]:
        """That of the pod under way: those that isolate others do not select it."""
        assert self.moment.alert is not None
        claim = self.moment.alert.claim
        uid = _uid(claim, claim.pod, namespace)
        found = self._policies.get((namespace, uid))
        return [found] if found else []

    def create_network_policy(self, manifest: Mapping[str, Any]) -> None:
        metadata = {**manifest["metadata"], "resourceVersion": "1"}
        place = metadata["namespace"], metadata["labels"][LABEL]
        self._policies[place] = {**manifest, "metadata": metadata}

    def replace_network_policy(self, manifest: Mapping[str, Any]) -> None:
        self.create_network_policy(manifest)

    def log(self, *_: Any, **__: Any) -> Log:
        return Log(b"")

    def events_of(self, *_: Any, **__: Any) -> List[Mapping[str, Any]]:
        return []

    def delete_network_policy(self, *_: Any, **__: Any) -> None:
        raise NotFound("nothing is undone in a simulation")

    def labelled_pods(self, *_: Any, **__: Any) -> List[Pod]:
        return []

    def replica_controllers(self, *_: Any, **__: Any) -> List[ReplicaController]:
        return []

    def service_selectors(self, namespace: str) -> List[Selector]:
        return []

    def owner_selector(self, owner: Owner, *, namespace: str) -> Selector:
        raise NotFound(f"nothing is known of {owner}")

    def access_modes(self, claim: str, *, namespace: str) -> Tuple[str, ...]:
        raise NotFound(f"nothing is known of {claim}")


def _merged(before: Mapping[str, Any], change: Mapping[str, Any]) -> Dict[str, Any]:
    return {k: v for k, v in {**before, **change}.items() if v is not None}


def owner_of(pod: str) -> Optional[Owner]:
    """The controller that a pod's name speaks of; a guess."""
    match = _OF_DEPLOYMENT.fullmatch(pod)
    if match:
        return Owner("ReplicaSet", f"{match[1]}-{match[2]}")
    match = _OF_STATEFUL_SET.fullmatch(pod)
    return Owner("StatefulSet", match[1]) if match else None


def _pod(alert: Alert, name: str, namespace: str) -> Pod:
    claim = alert.claim
    container = claim.container_id
    owner = owner_of(name)
    references = [{"kind": owner.kind, "name": owner.name, "controller": True}] if owner else []
    created = Instant(alert.time.nanoseconds - EARLIER * NANOSECONDS)
    status = {"name": "main", "containerID": f"containerd://{container}"} if container else {}
    return Pod(
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": _uid(claim, name, namespace),
                "resourceVersion": "1",
                "creationTimestamp": str(created),
                "ownerReferences": references,
            },
            "spec": {"nodeName": claim.node or "(unnamed node)", "containers": [{"name": "main"}]},
            "status": {"phase": "Running", "containerStatuses": [status] if status else []},
        }
    )


def _uid(claim: Claim, name: str, namespace: str) -> str:
    identity = f"{namespace}/{name}/{claim.container_id}"
    return claim.uid or sha256(identity.encode()).hexdigest()[:32]


def _node(name: str) -> Node:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return Node({"metadata": {"name": name, "uid": f"node/{name}"}, "spec": {}, "status": ready})
