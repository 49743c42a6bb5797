"""Functions to which alerts are pushed: where they run, there is no Function in the cluster that
they act on. What they are says the binding of their ledger, on which their account has no rights.
"""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence

from playbooks.commands import tell
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply import preflight
from playbooks.deployment.engines import registry
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.manifests.crds import FUNCTIONS
from playbooks.deployment.terminal import one_line


def find(cluster: ClusterObjects, namespace: str, function: str) -> Optional[Manifest]:
    """As ``with_functions`` has it; None where there is no such function."""
    found = record.find_pushed(cluster, namespace, function)
    return found if found and _is_known(found) else None


def with_functions(cluster: ClusterObjects, namespace: str) -> List[Manifest]:
    """In the form of Functions, so that what is read of these is read of them, and beside all
    Functions, in a namespace or, where it is empty, in all. What keeps them alone from being
    listed is a warning. Raises DeploymentError where there are none of these, and the cluster does
    not know Functions."""
    try:
        pushed, why = list(filter(_is_known, record.pushed(cluster, namespace))), ""
    except PlaybookError as error:
        pushed, why = [], f"functions to which alerts are pushed are left out: {error}"
    try:
        preflight.check_cluster(cluster)
        functions = cluster.list(FUNCTIONS, namespace=namespace)
    except DeploymentError:
        if not pushed:
            raise
        functions = []
    if why:
        tell("warning", [one_line(why)])
    return [*functions, *pushed]


def subjects_of(function: Mapping[str, Any]) -> Sequence[Manifest]:
    """Who it is here, as bindings have it."""
    return [*(function.get("subjects") or ())]


def without_worker(cluster: ClusterObjects, namespace: str, function: str) -> str:
    """What its engine has not, or empty where it is no function of this kind."""
    try:
        found = find(cluster, namespace, function)
    except PlaybookError:
        return ""
    if found is None:
        return ""
    return (
        f"{namespace}/{function} is a function of -E {record.engine_of(found)}: it has no worker,"
        " and so neither dead letters, nor a stream, nor a token of a worker"
    )


def _is_known(function: Manifest) -> bool:
    return record.engine_of(function) in registry.known()
