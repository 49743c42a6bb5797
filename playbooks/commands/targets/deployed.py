"""What is said of a deployed playbook, and how it is found by what was typed."""

from __future__ import annotations

from typing import Any, Mapping, Sequence, Tuple

from playbooks.commands.targets import pushed
from playbooks.core.cluster.manifest import name_of
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.settings import all_names, names
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.record import playbook_of
from playbooks.deployment.workers import deployed_function
from playbooks.deployment.workers.deployed_function import DeployedFunction


def find(cluster: ClusterObjects, namespace: str, function: str) -> DeployedFunction:
    """Raises DeploymentError where no worker of ours is deployed under this name; it says so where
    alerts are pushed to the function."""
    try:
        return deployed_function.find(cluster, namespace, function)
    except DeploymentError as error:
        raise DeploymentError(
            pushed.without_worker(cluster, namespace, function) or str(error)
        ) from error


def container_of(deployment: Mapping[str, Any], function: str) -> Mapping[str, Any]:
    """The function's own container; empty where there is none."""
    template = (deployment.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    return next((c for c in containers if c["name"] == function), {})


def readiness(deployment: Mapping[str, Any]) -> Tuple[int, int]:
    """How many of its pods are ready, and how many there are to be."""
    ready = (deployment.get("status") or {}).get("readyReplicas") or 0
    return ready, (deployment.get("spec") or {}).get("replicas", 1 if deployment else 0)


def acts_in(environment: Mapping[str, str]) -> Sequence[str]:
    """The namespaces in which a playbook acts; one that is empty stands for all of them."""
    return all_names(names(environment.get("NAMESPACES", ""))) or ("",)


def selecting(function: Mapping[str, Any]) -> str:
    """The options that name it to a command: ``-p delete -n responders``."""
    metadata = function["metadata"]
    playbook = playbook_of(function)
    name = name_of(metadata["name"])
    named = f"-p {playbook}" if name == playbook else f"-p {playbook} -N {name}"
    return f"{named} -n {metadata['namespace']}"
