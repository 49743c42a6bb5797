"""Deployed playbooks: how they are found, also where alerts are pushed to them, and what is said of
one. Of those there is no Function in the cluster that they act on: what they are says the binding
of their ledger, on which their account has no rights."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, Tuple

from playbooks.commands import tell
from playbooks.core.cluster.manifest import Manifest, name_of
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply import preflight
from playbooks.deployment.engines import registry
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.manifests.crds import FUNCTIONS
from playbooks.deployment.request.options import naming
from playbooks.deployment.terminal import one_line
from playbooks.deployment.workers import deployed_function
from playbooks.deployment.workers.deployed_function import DeployedFunction


def find(cluster: ClusterObjects, function: str, namespace: str) -> DeployedFunction:
    """Raises DeploymentError where no worker of ours is deployed under this name; it says so where
    alerts are pushed to the function."""
    try:
        return deployed_function.find(cluster, function, namespace)
    except DeploymentError as error:
        said = _without_worker(cluster, function, namespace) or str(error)
        raise DeploymentError(said) from error


def _without_worker(cluster: ClusterObjects, function: str, namespace: str) -> str:
    """What its engine has not, or empty where it is no function to which alerts are pushed."""
    try:
        found = find_pushed(cluster, function, namespace)
    except PlaybookError:
        return ""
    if found is None:
        return ""
    return (
        f"{namespace}/{function} is a function of -E {record.engine_of(found)}: it has no worker,"
        " and so neither dead letters, nor a stream, nor a token of a worker"
    )


def find_pushed(cluster: ClusterObjects, function: str, namespace: str) -> Optional[Manifest]:
    """One to which alerts are pushed, in the form of a Function, so that what is read of these is
    read of it; None where there is no such function."""
    found = record.find_pushed(cluster, function, namespace)
    return found if found and _is_known(found) else None


def functions(cluster: ClusterObjects, namespace: str) -> List[Manifest]:
    """All Functions, and in their form those to which alerts are pushed, in a namespace or, where
    it is empty, in all. What keeps the latter alone from being listed is a warning. Raises
    DeploymentError where there are none of these, and the cluster does not know Functions."""
    try:
        pushed, why = list(filter(_is_known, record.pushed(cluster, namespace))), ""
    except PlaybookError as error:
        pushed, why = [], f"functions to which alerts are pushed are left out: {error}"
    try:
        preflight.check_cluster(cluster)
        found = cluster.list(FUNCTIONS, namespace=namespace)
    except DeploymentError:
        if not pushed:
            raise
        found = []
    if why:
        tell("warning", [one_line(why)])
    return [*found, *pushed]


def _is_known(function: Manifest) -> bool:
    return record.engine_of(function) in registry.known()


def subjects_of(function: Mapping[str, Any]) -> Sequence[Manifest]:
    """Who one to which alerts are pushed is here, as bindings have it."""
    return [*(function.get("subjects") or ())]


def container_of(deployment: Mapping[str, Any], function: str) -> Mapping[str, Any]:
    """The function's own container; empty where there is none."""
    template = (deployment.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    return next((c for c in containers if c["name"] == function), {})


def readiness(deployment: Mapping[str, Any]) -> Tuple[int, int]:
    """How many of its pods are ready, and how many there are to be."""
    ready = (deployment.get("status") or {}).get("readyReplicas") or 0
    return ready, (deployment.get("spec") or {}).get("replicas", 1 if deployment else 0)


def selecting(function: Mapping[str, Any]) -> str:
    """The options that name it to a command: ``-p delete -n responders``."""
    metadata = function["metadata"]
    named = naming(record.playbook_of(function), name_of(metadata["name"]))
    return " ".join([*named, "-n", metadata["namespace"]])
