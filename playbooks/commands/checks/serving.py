"""Is the function there, and does something serve it?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Mapping, Optional, Tuple

from playbooks.commands.checks.finding import FAILED, OK, WARNING, Finding
from playbooks.commands.deployed import (
    DeployedFunction,
    a_worker,
    container_of,
    find,
    readiness,
    topics,
)
from playbooks.commands.targets import pushed
from playbooks.core.cluster.manifest import KUBELESS_API, Manifest, reference
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply import preflight
from playbooks.deployment.engines import kubeless, registry
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.environment import plain_values
from playbooks.deployment.manifests.record import environment_of, playbook_of
from playbooks.deployment.manifests.worker import is_worker
from playbooks.deployment.terminal import one_line

FUNCTION = "function"
TOPICS = "topics"


@dataclass(frozen=True)
class Served:
    """``playbook``: its name. ``function``: its object. ``environment``: plain values. ``deployed``
    None: Kubeless serves it, another engine, or nothing does. ``image``: of its own container."""

    playbook: str
    function: Manifest
    topics: Tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    deployed: Optional[DeployedFunction] = None


def look(
    cluster: ClusterObjects, namespace: str, function: str
) -> Tuple[List[Finding], Optional[Served]]:
    """What is there of it; None where there is no such function. Raises PlaybookError."""
    try:
        preflight.check_cluster(cluster)
    except DeploymentError as error:
        elsewhere = pushed.find(cluster, namespace, function)
        if elsewhere:
            return _elsewhere(elsewhere)
        return [Finding(FUNCTION, FAILED, *_parted(error))], None
    found = cluster.get([reference(KUBELESS_API, "Function", function, namespace)])
    elsewhere = None if found else pushed.find(cluster, namespace, function)
    if elsewhere:
        return _elsewhere(elsewhere)
    if not found:
        said = f"there is no Function {namespace}/{function}"
        return [Finding(FUNCTION, FAILED, said, "deploy it: ./deploy_playbook -p ... -t ...")], None
    stored = cluster.get([reference("apps/v1", "Deployment", function, namespace)])
    deployment = stored[0] if stored else {}
    subscribed = topics(cluster, namespace, function)
    deployed = find(cluster, namespace, function) if is_worker(deployment) else None
    container = container_of(deployment, function)
    served = Served(
        playbook=playbook_of(found[0]),
        function=found[0],
        topics=subscribed,
        environment=plain_values(container),
        image=container.get("image", ""),
        deployed=deployed,
    )
    by = _worker(cluster, deployed, deployment) if deployed else _kubeless(cluster, deployment)
    return [by, _answered(subscribed)], served


def _elsewhere(function: Manifest) -> Tuple[List[Finding], Optional[Served]]:
    """Of a function to which alerts are pushed: whether it runs, its engine knows."""
    metadata, engine = function["metadata"], pushed.engine_of(function)
    who = ", ".join(f"{each['kind']} {each['name']}" for each in pushed.subjects_of(function))
    command = registry.known()[engine].seen_by(metadata["name"], metadata["namespace"])
    said = f"-E {engine} runs it, as {who or 'nobody'} here: whether it does is not looked at"
    served = Served(
        playbook=playbook_of(function),
        function=function,
        environment=environment_of(function),
    )
    return [Finding(FUNCTION, OK if who else FAILED, said, command)], served


def _worker(cluster: ClusterObjects, deployed: DeployedFunction, deployment: Manifest) -> Finding:
    ready, wanted = readiness(deployment)
    said = f"{ready} of {wanted} workers of {deployed} are ready"
    if ready >= wanted > 0:
        return Finding(FUNCTION, OK, said)
    if ready:
        return Finding(FUNCTION, WARNING, said, _logs(deployed))
    try:
        a_worker(cluster, deployed)
    except PlaybookError as error:
        said += f": {error}"
    return Finding(FUNCTION, FAILED, said, _logs(deployed))


def _kubeless(cluster: ClusterObjects, deployment: Manifest) -> Finding:
    ready, wanted = readiness(deployment)
    controller = kubeless.ready_controller(cluster, kubeless.NAMESPACE)
    if not controller:
        said = "it has no worker, and no controller of Kubeless is ready"
        return Finding(FUNCTION, FAILED, said, "deploy it with -E kubernetes")
    said = f"Kubeless serves it ({controller} is ready): {ready} of {wanted} pods are ready"
    return Finding(FUNCTION, OK if ready >= wanted > 0 else FAILED, said)


def _answered(subscribed: Tuple[str, ...]) -> Finding:
    if subscribed:
        return Finding(TOPICS, OK, ", ".join(subscribed))
    said = "it has no NATSTrigger: it answers no alert"
    return Finding(TOPICS, WARNING, said, "deploy it with -t TOPIC")


def _logs(deployed: DeployedFunction) -> str:
    return f"kubectl logs -n {deployed.namespace} deployment/{deployed.function} --all-pods"


def _parted(error: PlaybookError) -> Tuple[str, str]:
    first, _, rest = str(error).partition("\n")
    return first, one_line(rest)
