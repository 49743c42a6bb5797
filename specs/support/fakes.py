"""Fakes of the ports. The in-memory cluster keeps one contract with the real client:
``specs/support/cluster_contract.py``."""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.container_log import Log
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Owner, Pod, ReplicaController, Workload
from playbooks.core.cluster.selectors import Selector
from playbooks.core.errors import AlreadyExists, Conflict, NotFound, NotTheSameObject, Refused
from playbooks.core.evidence.kept import Kept
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome
from playbooks.core.ports import (
    Clock,
    Cluster,
    ClusterCollaborators,
    Evidence,
    LedgerStore,
    OwnPod,
    Slack,
)
from playbooks.core.reaction import Reaction
from specs.support.mothers import NOW


class FixedClock(Clock):
    def __init__(self, now: Instant = NOW) -> None:
        self._now = now

    def now(self) -> Instant:
        return self._now


class FakeOwnPod(OwnPod):
    """A pod of the function falco-delete, unless told otherwise."""

    def __init__(
        self,
        namespace: str = "playbooks",
        pod: str = "falco-delete-6d5f-abcde",
        node: str = "node-9",
        in_cluster: bool = True,
    ) -> None:
        self._facts = (namespace, pod, node, in_cluster)

    @property
    def namespace(self) -> str:
        return self._facts[0]

    @property
    def pod(self) -> str:
        return self._facts[1]

    @property
    def node(self) -> str:
        return self._facts[2]

    @property
    def in_cluster(self) -> bool:
        return self._facts[3]


class InMemoryLedger(LedgerStore):
    """``calls`` says what was asked; ``failures`` makes the next calls raise."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.calls: List[str] = []
        self.failures: List[Exception] = []
        self._version = 1

    def read(self) -> Tuple[str, str]:
        self._called("read")
        return self.text, str(self._version)

    def write(self, text: str, *, version: str) -> str:
        self._called("write")
        if version != str(self._version):
            raise Conflict("the ledger was written")
        self.text, self._version = text, self._version + 1
        return str(self._version)

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if self.failures:
            raise self.failures.pop(0)


def some_collaborators(cluster: Optional[Cluster] = None, **changes: Any) -> ClusterCollaborators:
    """Fakes."""
    fakes = {
        "clock": FixedClock(),
        "own_pod": FakeOwnPod(),
        "cluster": cluster or InMemoryCluster(),
        "ledger": InMemoryLedger(),
    }
    return ClusterCollaborators(**{**fakes, **changes})


class FakeEvidence(Evidence):
    """Keeps nothing but a note."""

    URL = "s3://evidence/shop/web-0/set"

    def __init__(self, *, missing: Sequence[str] = (), error: Optional[Exception] = None) -> None:
        self.kept: List[Tuple[Pod, Alert]] = []
        self._missing, self._error = tuple(missing), error

    def keep(self, pod: Pod, alert: Alert) -> Kept:
        if self._error:
            raise self._error
        self.kept.append((pod, alert))
        return Kept(self.URL, self._missing)


class RecordingSlack(Slack):
    def __init__(self) -> None:
        self.messages: List[Mapping[str, Any]] = []

    def post(self, message: Mapping[str, Any]) -> None:
        self.messages.append(message)


class FakeReaction(Reaction):
    """Answers with each of the given outcomes or errors in turn, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.alerts: List[Alert] = []

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        self.alerts.append(alert)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class InMemoryCluster(Cluster):
    """``calls`` counts what each method was asked; ``failures`` makes a method raise once each."""

    def __init__(self, *objects: Any) -> None:
        self.pods: Dict[Tuple[str, str], Pod] = {}
        self.known_nodes: Dict[str, Node] = {}
        self.policies: Dict[str, Mapping[str, Any]] = {}
        self.services: List[Mapping[str, str]] = []
        self.owner_selectors: Dict[str, Selector] = {}
        self.namespaces: Dict[str, Mapping[str, str]] = {}
        self.workloads: Dict[str, Workload] = {}
        self.controllers: List[ReplicaController] = []
        self.claims: Dict[str, Tuple[str, ...]] = {}
        self.logs: Dict[Tuple[str, bool], bytes] = {}
        self.events: Dict[str, List[Mapping[str, Any]]] = {}
        self.calls: List[str] = []
        self.failures: Dict[str, List[Exception]] = {}
        self.graces: List[int] = []
        for thing in objects:
            if isinstance(thing, Pod):
                self.pods[thing.namespace, thing.name] = thing
                self.namespaces.setdefault(thing.namespace, {})
            elif isinstance(thing, Node):
                self.known_nodes[thing.name] = thing
            else:
                self.policies[thing["metadata"]["name"]] = thing

    @property
    def writes(self) -> List[str]:
        return [call for call in self.calls if call not in _READS]

    def pod(self, name: str, *, namespace: str) -> Pod:
        self._called("pod")
        if (namespace, name) not in self.pods:
            raise NotFound(f"no pod {namespace}/{name}")
        return self.pods[namespace, name]

    def pods_on(self, node: str, *, namespaces: Tuple[str, ...]) -> List[Pod]:
        self._called("pods_on")
        return [
            pod
            for pod in self.pods.values()
            if pod.node == node and (not namespaces or pod.namespace in namespaces)
        ]

    def labelled_pods(self, label: str, *, namespaces: Tuple[str, ...]) -> List[Pod]:
        self._called("labelled_pods")
        return [
            pod
            for pod in self.pods.values()
            if label in pod.labels and (not namespaces or pod.namespace in namespaces)
        ]

    def log(
        self, pod: Pod, container: str, *, previous: bool, most_bytes: int, seconds: float
    ) -> Log:
        """``logs``: by the name of the container, and whether it is that of the run before."""
        self._called("log")
        there = self._there(pod)
        if container not in [c.name for c in there.containers]:
            raise Refused(f"container {container} is not valid for {pod}")
        if not there.node:
            return Log(b"")
        if (container, previous) not in self.logs:
            raise Refused(f"container {container} of {pod} has no such log")
        content = self.logs[container, previous]
        return Log.end_of([content], most=most_bytes)

    def events_of(self, pod: Pod, *, seconds: float) -> List[Mapping[str, Any]]:
        self._called("events")
        return self.events.get(pod.uid, [])

    def delete_pod(self, pod: Pod, *, grace_period_seconds: int) -> None:
        self._called("delete_pod")
        self._same(pod)
        self.graces.append(grace_period_seconds)
        del self.pods[pod.namespace, pod.name]

    def patch_pod(
        self,
        pod: Pod,
        *,
        labels: Mapping[str, Optional[str]],
        annotations: Mapping[str, Optional[str]],
    ) -> None:
        self._called("patch_pod")
        stored = self._there(pod)
        if (stored.uid, stored.resource_version) != (pod.uid, pod.resource_version):
            raise Conflict(f"{pod} was written")
        manifest = copy.deepcopy(dict(stored.manifest))
        metadata = manifest["metadata"]
        metadata["labels"] = _merged(stored.labels, labels)
        metadata["annotations"] = _merged(stored.annotations, annotations)
        metadata["resourceVersion"] = _next(metadata)
        self.pods[pod.namespace, pod.name] = Pod(manifest)

    def node(self, name: str) -> Node:
        self._called("node")
        if name not in self.known_nodes:
            raise NotFound(f"no node {name}")
        return self.known_nodes[name]

    def nodes(self) -> List[Node]:
        self._called("list_nodes")
        return list(self.known_nodes.values())

    def namespace_annotations(self, name: str) -> Mapping[str, str]:
        self._called("namespace")
        if name not in self.namespaces:
            raise NotFound(f"no namespace {name}")
        return self.namespaces[name]

    def workload(self, owner: Owner, *, namespace: str) -> Workload:
        self._called("workload")
        if str(owner) in self.workloads:
            return self.workloads[str(owner)]
        if owner.kind in _KNOWN:
            return Workload(owner.kind, owner.name, None)
        pods = [p for p in self.pods.values() if p.namespace == namespace and p.owner == owner]
        return Workload(owner.kind, owner.name, len(pods))

    def patch_node(
        self,
        node: Node,
        *,
        spec: Mapping[str, Any],
        annotations: Mapping[str, Optional[str]] = MappingProxyType({}),
    ) -> None:
        self._called("patch_node")
        if node.name not in self.known_nodes:
            raise NotFound(f"no {node}")
        manifest = copy.deepcopy(dict(self.known_nodes[node.name].manifest))
        if manifest["metadata"]["resourceVersion"] != node.resource_version:
            raise Conflict(f"{node} was written")
        manifest["spec"] = _merged(manifest["spec"], spec)
        if annotations:
            kept = _merged(manifest["metadata"].get("annotations") or {}, annotations)
            manifest["metadata"]["annotations"] = kept
        manifest["metadata"]["resourceVersion"] = _next(manifest["metadata"])
        self.known_nodes[node.name] = Node(manifest)

    def network_policies(self, namespace: str) -> List[Mapping[str, Any]]:
        self._called("network_policies")
        return [p for p in self.policies.values() if p["metadata"]["namespace"] == namespace]

    def create_network_policy(self, manifest: Mapping[str, Any]) -> None:
        self._called("create_network_policy")
        name = manifest["metadata"]["name"]
        if name in self.policies:
            raise AlreadyExists(name)
        stored = copy.deepcopy(dict(manifest))
        stored["metadata"]["resourceVersion"] = "1"
        self.policies[name] = stored

    def replace_network_policy(self, manifest: Mapping[str, Any]) -> None:
        self._called("replace_network_policy")
        metadata = manifest["metadata"]
        stored = self.policies.get(metadata["name"])
        if stored is None:
            raise NotFound(f"no policy {metadata['name']}")
        if stored["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise Conflict(f"{metadata['name']} was written")
        replaced = copy.deepcopy(dict(manifest))
        replaced["metadata"]["resourceVersion"] = _next(metadata)
        self.policies[metadata["name"]] = replaced

    def delete_network_policy(self, manifest: Mapping[str, Any]) -> None:
        self._called("delete_network_policy")
        metadata = manifest["metadata"]
        stored = self.policies.get(metadata["name"])
        if stored is None:
            raise NotFound(f"no policy {metadata['name']}")
        if stored["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise Conflict(f"{metadata['name']} was written")
        del self.policies[metadata["name"]]

    def replica_controllers(self, namespace: str) -> List[ReplicaController]:
        self._called("replica_controllers")
        return list(self.controllers)

    def service_selectors(self, namespace: str) -> List[Selector]:
        self._called("service_selectors")
        return [Selector(labels) for labels in self.services]

    def owner_selector(self, owner: Owner, *, namespace: str) -> Selector:
        self._called("owner_selector")
        if str(owner) not in self.owner_selectors:
            raise NotFound(f"no {owner}")
        return self.owner_selectors[str(owner)]

    def access_modes(self, claim: str, *, namespace: str) -> Tuple[str, ...]:
        self._called("claim")
        if claim not in self.claims:
            raise NotFound(f"no claim {claim}")
        return self.claims[claim]

    def _called(self, method: str) -> None:
        self.calls.append(method)
        if self.failures.get(method):
            raise self.failures[method].pop(0)

    def _there(self, pod: Pod) -> Pod:
        stored = self.pods.get((pod.namespace, pod.name))
        if stored is None:
            raise NotFound(f"no {pod}")
        return stored

    def _same(self, pod: Pod) -> Pod:
        stored = self._there(pod)
        if stored.uid != pod.uid:
            raise NotTheSameObject(f"{pod} has another uid")
        return stored


# Kinds that say themselves how many pods they want.
_KNOWN = ("ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job")

_READS = (
    *("pod", "pods_on", "node", "list_nodes", "namespace", "workload", "network_policies"),
    *("service_selectors", "owner_selector", "claim", "labelled_pods", "replica_controllers"),
    *("log", "events"),
)


def _merged(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> Dict[str, Any]:
    """As a JSON merge patch does it."""
    merged = {**stored, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def _next(metadata: Mapping[str, Any]) -> str:
    return str(int(metadata["resourceVersion"]) + 1)
