"""Functions to which alerts are pushed: where they run, there is no Function in the cluster that
they act on. What they are says the binding of their ledger, on which their account has no rights.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from playbooks.commands import tell
from playbooks.core.cluster.manifest import (
    FUNCTION,
    KUBELESS_API,
    LEDGER,
    MANAGED_BY,
    MANAGER,
    Manifest,
    label,
    reference,
)
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply import preflight
from playbooks.deployment.engines import registry
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import access, ledger
from playbooks.deployment.manifests.rights import ENGINE, PLAYBOOK, SETTINGS
from playbooks.deployment.request import catalogue

_BINDINGS = (f"rolebindings.{access.GROUP}",)
_SELECTOR = f"{MANAGED_BY}={MANAGER},{LEDGER}"

_FUNCTIONS = ("functions.kubeless.io",)


def find(cluster: ClusterObjects, namespace: str, function: str) -> Optional[Manifest]:
    """As ``listed``; None where there is no such function."""
    place = (ledger.name(function), namespace)
    found = cluster.get([reference(access.API, "RoleBinding", *place)])
    return next((read for read in map(_read, found) if read), None)


def listed(cluster: ClusterObjects, namespace: str) -> List[Manifest]:
    """In the form of Functions, so that what is read of these is read of them, in a namespace or,
    where it is empty, in all. What keeps them from being listed is a warning."""
    try:
        found = cluster.list(_BINDINGS, namespace=namespace, selector=_SELECTOR)
    except PlaybookError as error:
        said = f"functions to which alerts are pushed are left out: {error}"
        tell("warning", [" ".join(said.split())])
        return []
    return [read for read in map(_read, found) if read]


def with_functions(cluster: ClusterObjects, namespace: str) -> List[Manifest]:
    """Beside all Functions. Raises DeploymentError where there are none of these, and the cluster
    does not know Functions."""
    pushed = listed(cluster, namespace)
    try:
        preflight.check_cluster(cluster)
    except DeploymentError:
        if not pushed:
            raise
        return pushed
    return [*cluster.list(_FUNCTIONS, namespace=namespace), *pushed]


def engine_of(function: Mapping[str, Any]) -> str:
    """The name of its engine; empty for a Function."""
    return str((function["metadata"].get("annotations") or {}).get(ENGINE, ""))


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
        f"{namespace}/{function} is a function of -E {engine_of(found)}: it has no worker, and so"
        " neither dead letters, nor a stream, nor a token of a worker"
    )


def _read(binding: Manifest) -> Optional[Manifest]:
    """None for the binding of something else, or of a playbook that is not known here."""
    metadata = binding["metadata"]
    notes = metadata.get("annotations") or {}
    playbook, engine = notes.get(PLAYBOOK), notes.get(ENGINE)
    function = label(binding, FUNCTION)
    ours = function and metadata["name"] == ledger.name(function)
    if not ours or playbook not in catalogue.names() or engine not in registry.known():
        return None
    env = [{"name": name, "value": value} for name, value in _settings(notes.get(SETTINGS))]
    containers = [{"name": function, "env": env}]
    return {
        "apiVersion": KUBELESS_API,
        "kind": "Function",
        "metadata": {
            "name": function,
            "namespace": metadata["namespace"],
            "annotations": {ENGINE: engine},
        },
        "spec": {
            "handler": f"{playbook}.handler",
            "deployment": {"spec": {"template": {"spec": {"containers": containers}}}},
        },
        "subjects": binding.get("subjects") or [],
    }


def _settings(text: Optional[str]) -> List[Tuple[str, str]]:
    try:
        found: Dict[str, Any] = json.loads(text or "{}")
        return [(str(name), str(value)) for name, value in found.items()]
    except (ValueError, AttributeError, RecursionError):
        return []
