"""Who reaches a worker, as its NetworkPolicy says."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import List

from playbooks.commands.checks.finding import OK, WARNING, Finding
from playbooks.core.cluster.manifest import reference
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.deployment.apply import api_server
from playbooks.deployment.manifests.network_policy import (
    ingress_addresses,
    ingress_namespaces,
    lets_all_in,
)

NETWORK = "network policy"

_AGAIN = "deploy the playbook again"


def look(cluster: ClusterObjects, namespace: str, function: str) -> List[Finding]:
    """Raises PlaybookError."""
    found = cluster.get([reference("networking.k8s.io/v1", "NetworkPolicy", function, namespace)])
    if not found:
        said = f"there is no NetworkPolicy {namespace}/{function}: every pod reaches the worker"
        return [Finding(NETWORK, WARNING, said, _AGAIN)]
    policy = found[0]
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
