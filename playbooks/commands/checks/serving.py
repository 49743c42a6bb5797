"""Is the function there, does something serve it, and who reaches that?"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import List, Mapping, Optional, Sequence, Tuple

from playbooks.commands.checks.finding import FAILED, OK, WARNING, Finding
from playbooks.commands.targets.deployed import (
    container_of,
    find,
    find_pushed,
    readiness,
    subjects_of,
)
from playbooks.core.cluster.manifest import KUBELESS_API, Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.core.guards.filters import acts_in
from playbooks.core.playbook import Playbook
from playbooks.deployment.apply import api_server, preflight
from playbooks.deployment.engines import kubeless, registry
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.environment import plain_values
from playbooks.deployment.manifests.network_policy import (
    ingress_addresses,
    ingress_namespaces,
    lets_all_in,
)
from playbooks.deployment.manifests.record import engine_of, environment_of, topics_of
from playbooks.deployment.manifests.worker import is_worker
from playbooks.deployment.terminal import one_line
from playbooks.deployment.workers.deployed_function import DeployedFunction, in_others

FUNCTION, TOPICS, NETWORK = "function", "topics", "network policy"

_AGAIN = "deploy the playbook again"


@dataclass(frozen=True)
class Served:
    """``function``: its object. ``environment``: plain values. ``deployed`` None: Kubeless serves
    it, another engine, or nothing does. ``image``: of its own container."""

    function: Manifest
    topics: Tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    deployed: Optional[DeployedFunction] = None


@dataclass(frozen=True)
class Checked:
    """What the other checks look at: a playbook and its ``function``, a name in ``namespace``.
    ``served``: what is there of it; empty where nothing is."""

    cluster: ClusterObjects
    namespace: str
    function: str
    playbook: Playbook
    served: Served

    @property
    def environment(self) -> Mapping[str, str]:
        return self.served.environment

    @property
    def places(self) -> Sequence[str]:
        """Where it acts; one that is empty stands for all namespaces."""
        return acts_in(self.environment) or ("",)

    @property
    def who(self) -> Optional[Manifest]:
        """Who it is here, as a binding has it, where that is no service account of its name."""
        subjects = subjects_of(self.served.function)
        return next((each for each in subjects if each["kind"] != "ServiceAccount"), None)


def look(
    cluster: ClusterObjects, function: str, namespace: str, of_kubeless: str
) -> Tuple[List[Finding], Optional[Served]]:
    """What is there of it; None where there is no such function. ``of_kubeless``: the namespace of
    its controllers. Raises PlaybookError."""
    found = problem = None
    try:
        preflight.check_cluster(cluster)
        found = cluster.find(KUBELESS_API, "Function", function, namespace)
    except DeploymentError as error:
        problem = Finding(FUNCTION, FAILED, *_parted(error))
    elsewhere = None if found else find_pushed(cluster, function, namespace)
    if elsewhere:
        return _elsewhere(elsewhere)
    if problem:
        return [problem], None
    if not found:
        there = in_others(cluster, function)
        said = f"there is no Function {namespace}/{function}{there}"
        return [Finding(FUNCTION, FAILED, said, "deploy it: ./deploy_playbook -p ... -t ...")], None
    deployment = cluster.find("apps/v1", "Deployment", function, namespace) or {}
    subscribed = topics_of(cluster, function, namespace)
    deployed = find(cluster, function, namespace) if is_worker(deployment) else None
    container = container_of(deployment, function)
    served = Served(
        function=found,
        topics=subscribed,
        environment=plain_values(container),
        image=container.get("image", ""),
        deployed=deployed,
    )
    if deployed:
        by = _worker(deployed, deployment)
    else:
        by = _kubeless(deployment, kubeless.ready_controller(cluster, of_kubeless))
    return [by, _answered(subscribed)], served


def _elsewhere(function: Manifest) -> Tuple[List[Finding], Optional[Served]]:
    """Of a function to which alerts are pushed: whether it runs, its engine knows."""
    metadata, engine = function["metadata"], engine_of(function)
    who = ", ".join(f"{each['kind']} {each['name']}" for each in subjects_of(function))
    command = registry.known()[engine].seen_by(metadata["name"], metadata["namespace"])
    said = f"-E {engine} runs it, as {who or 'nobody'} here: whether it does is not looked at"
    served = Served(function, environment=environment_of(function))
    return [Finding(FUNCTION, OK if who else FAILED, said, command)], served


def _worker(deployed: DeployedFunction, deployment: Manifest) -> Finding:
    ready, wanted = readiness(deployment)
    said = f"{ready} of {wanted} workers of {deployed} are ready"
    if ready >= wanted > 0:
        return Finding(FUNCTION, OK, said)
    if ready:
        return Finding(FUNCTION, WARNING, said, _logs(deployed))
    try:
        deployed.a_worker()
    except PlaybookError as error:
        said += f": {error}"
    return Finding(FUNCTION, FAILED, said, _logs(deployed))


def _kubeless(deployment: Manifest, controller: Optional[str]) -> Finding:
    ready, wanted = readiness(deployment)
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


def network(checked: Checked) -> List[Finding]:
    """Who reaches a worker, as its NetworkPolicy says."""
    if not checked.served.deployed:
        return []
    cluster, namespace, function = checked.cluster, checked.namespace, checked.function
    policy = cluster.find("networking.k8s.io/v1", "NetworkPolicy", function, namespace)
    if not policy:
        said = f"there is no NetworkPolicy {namespace}/{function}: every pod reaches the worker"
        return [Finding(NETWORK, WARNING, said, _AGAIN)]
    if lets_all_in(policy):
        return [Finding(NETWORK, OK, "pods of every namespace reach the worker (HTTP_FROM=any)")]
    networks = [ip_network(each) for each in ingress_addresses(policy)]
    calling = api_server.addresses(cluster, api_server.endpoints(cluster))
    outside = [a for a in calling if not any(ip_address(a) in each for each in networks)]
    if outside or not networks:
        where = f" from {', '.join(outside)}" if outside else ""
        said = f"it does not let the API server in{where}: kubeless function call and top may fail"
        return [Finding(NETWORK, WARNING, said, _AGAIN)]
    names = ", ".join(ingress_namespaces(policy)) or "no namespace"
    return [Finding(NETWORK, OK, f"alerts may come from {names} and from the API server")]
