"""A deployed playbook as it is in the cluster: its Function, its Deployment and its workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Tuple

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import (
    FUNCTION,
    KUBELESS_API,
    REMOVING,
    Manifest,
    annotation,
    name_of,
)
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, PlaybookError
from playbooks.deployment.apply import preflight
from playbooks.deployment.apply.readiness import of_pod
from playbooks.deployment.errors import DeploymentError, meant
from playbooks.deployment.manifests.crds import FUNCTIONS
from playbooks.deployment.manifests.environment import plain_values
from playbooks.deployment.manifests.record import topics_of
from playbooks.deployment.manifests.worker import REVISION, is_worker


@dataclass(frozen=True)
class DeployedFunction:
    """One with a worker. ``template``: the spec of its pods."""

    cluster: ClusterObjects = field(repr=False, compare=False)
    namespace: str
    function: str
    uid: str
    template: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.function}"

    @property
    def container(self) -> Mapping[str, Any]:
        """The worker's own."""
        return next(c for c in self.template["containers"] if c["name"] == self.function)

    @property
    def environment(self) -> Dict[str, str]:
        """The plain values only."""
        return plain_values(self.container)

    def topics(self) -> Tuple[str, ...]:
        return topics_of(self.cluster, self.function, self.namespace)

    def workers(self) -> List[str]:
        """The pods whose worker runs, ready ones first."""
        running = sorted(self._running(), key=lambda pod: of_pod(pod) is not None)
        return [pod["metadata"]["name"] for pod in running]

    def nodes(self) -> List[str]:
        """Those of the pods whose worker runs."""
        found = {str((pod.get("spec") or {}).get("nodeName", "")) for pod in self._running()}
        return sorted(found - {""})

    def a_worker(self) -> str:
        """Raises DeploymentError with what its pods say, where none runs."""
        running = self.workers()
        if running:
            return running[0]
        not_ready = [(p["metadata"]["name"], of_pod(p)) for p in self._pods()]
        said = "; ".join(f"{name}: {s.says if s else 'terminating'}" for name, s in not_ready)
        raise DeploymentError(
            f"no worker of {self} runs, and only a worker reaches NATS"
            f" ({said or 'it has no pods: is it scaled to 0?'})"
        )

    def _running(self) -> List[Manifest]:
        return [pod for pod in self._pods() if _runs(pod, self.function)]

    def _pods(self) -> List[Manifest]:
        selector = f"{FUNCTION}={self.function}"
        found = self.cluster.list(("pods",), namespace=self.namespace, selector=selector)
        return [pod for pod in found if annotation(pod, REVISION) is not None]


def find(cluster: ClusterObjects, function: str, namespace: str) -> DeployedFunction:
    """Raises DeploymentError where no worker of ours is deployed under this name, and NotFound
    where there was one, and the function is being removed."""
    preflight.check_cluster(cluster)
    found = cluster.find(KUBELESS_API, "Function", function, namespace)
    if not found:
        raise DeploymentError(nothing(cluster, function, namespace))
    made = cluster.find("apps/v1", "Deployment", function, namespace)
    if not made and annotation(found, REMOVING) is not None:
        raise NotFound(f"the workers of {namespace}/{function} are removed already")
    if not made or not is_worker(made):
        raise DeploymentError(
            f"Function {namespace}/{function} has no worker of deploy_playbook -E kubernetes:"
            " what Kubeless serves has neither dead letters nor a token"
        )
    template = made["spec"]["template"]["spec"]
    return DeployedFunction(cluster, namespace, function, found["metadata"]["uid"], template)


def _runs(pod: Manifest, container: str) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    running = any(s["name"] == container and "running" in s.get("state", {}) for s in statuses)
    return running and "deletionTimestamp" not in pod["metadata"]


def nothing(cluster: ClusterObjects, function: str, namespace: str) -> str:
    """Said where there is no Function of this name: what there is, and what was perhaps meant."""
    others = cluster.list(FUNCTIONS, namespace=namespace)
    known = sorted(other["metadata"]["name"] for other in others)
    there = f"there are {', '.join(known)}" if known else "there are no Functions"
    alike = meant(name_of(function), [*map(name_of, known), *catalogue.names()])
    return (
        f"there is no Function {namespace}/{function}, expected one that was deployed with the"
        f" same -p, -N and -n; in namespace {namespace} {there}{in_others(cluster, function)}"
        f"{alike}"
    )


def in_others(cluster: ClusterObjects, function: str) -> str:
    """Where there is a Function of this name, to be said of a namespace where there is none; empty
    where that is nowhere, or cannot be seen."""
    try:
        found = cluster.list(FUNCTIONS, namespace="")
    except PlaybookError:
        return ""
    metadata = (each["metadata"] for each in found)
    places = sorted(m["namespace"] for m in metadata if m["name"] == function)
    return f"; {function} is in namespace {', '.join(places)} (-n)" if places else ""
