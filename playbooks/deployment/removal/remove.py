"""Removing what was deployed, whatever of it is there."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Callable, List, Tuple

from playbooks.core.cluster.manifest import (
    CREATED_BY,
    FUNCTION,
    KUBELESS_API,
    REMOVING,
    Manifest,
    identity,
    label,
    reference,
    shown,
)
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.deployment.apply.orphaned_roles import roles_of
from playbooks.deployment.apply.waiting import Sleep, stuck, until_gone
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import admission_policies, ledger
from playbooks.deployment.manifests.record import triggers_of

# What may lie beside a function, by its labels.
_BESIDE = (
    "configmaps",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "secrets",
    "serviceaccounts",
    "services",
)

# Seconds that workers have to finish what is under way.
ENDED_WITHIN = 60.0


def remove(
    cluster: ClusterObjects,
    function: str,
    namespace: str,
    *,
    sleep: Sleep = time.sleep,
    ended: Callable[[List[str]], None] = lambda _: None,
) -> Tuple[List[str], List[str]]:
    """What was removed, in this order: triggers, workers, what the function may do, the function,
    the rest.

    Also warnings. Raises DeploymentError when something is still there in the end. ``ended`` is
    called while everything else is still there, with the pods whose worker did not end.
    """
    triggers, workers, rest, warnings = _look(cluster, function, namespace)
    if workers:
        _mark(cluster, rest)
    failed = _delete(cluster, [*triggers, *workers])
    # They need their rights until they are gone.
    wait = workers and not failed
    ended(_wait_for_pods(cluster, function, namespace, sleep) if wait else [])
    failed += _delete(cluster, rest)
    found = [*triggers, *workers, *rest]
    left = until_gone(cluster, found, sleep=sleep) if not failed else []
    failed += [stuck(manifest) for manifest in left]
    if failed:
        raise DeploymentError("\n".join(failed))
    return [shown(manifest) for manifest in found], warnings


def _delete(cluster: ClusterObjects, manifests: List[Manifest]) -> List[str]:
    failed = []
    for manifest in manifests:
        try:
            cluster.delete(manifest)
        except PlaybookError as error:
            failed.append(f"{shown(manifest)}: {error}")
    return failed


def _mark(cluster: ClusterObjects, manifests: List[Manifest]) -> None:
    """Workers then delete their consumers as they end. Without it, NATS does so after a week."""
    for manifest in manifests:
        if manifest["kind"] == "Function":
            with suppress(PlaybookError):
                cluster.patch(manifest, {"metadata": {"annotations": {REMOVING: "true"}}})


def _wait_for_pods(
    cluster: ClusterObjects, function: str, namespace: str, sleep: Sleep
) -> List[str]:
    """Those that are still there."""
    selector = f"{CREATED_BY}=kubeless,{FUNCTION}={function}"
    try:
        pods = cluster.list(("pods",), namespace=namespace, selector=selector)
        return list(map(shown, until_gone(cluster, pods, sleep=sleep, seconds=ENDED_WITHIN)))
    except NotPermitted:
        return []


def _look(
    cluster: ClusterObjects, function: str, namespace: str
) -> Tuple[List[Manifest], List[Manifest], List[Manifest], List[str]]:
    """Triggers, workers, everything else, and warnings."""
    triggers = triggers_of(cluster, function, namespace)
    roles, warnings = roles_of(cluster, function, namespace)
    functions = cluster.get([reference(KUBELESS_API, "Function", function, namespace)])
    workers, beside = [], []
    selector = f"{CREATED_BY}=kubeless,{FUNCTION}={function}"
    try:
        workers = cluster.list(("deployments.apps",), namespace=namespace, selector=selector)
        beside = cluster.list(_BESIDE, namespace=namespace, selector=selector)
    except NotPermitted:
        beside = _few(cluster, function, namespace)
    if any(f["metadata"].get("finalizers") for f in functions):
        # What Kubeless' controller made is its to remove.
        workers = []
        beside = [m for m in beside if not _made_by_kubeless(m, function)]
    known = {identity(manifest) for manifest in roles}
    rest = [*roles, *functions, *(m for m in beside if identity(m) not in known)]
    return triggers, workers, rest, warnings


def _made_by_kubeless(manifest: Manifest, function: str) -> bool:
    return manifest["kind"] in ("ConfigMap", "Service") and manifest["metadata"]["name"] == function


def _few(cluster: ClusterObjects, function: str, namespace: str) -> List[Manifest]:
    """What the Kubeless engine makes, where nothing may be listed."""
    possible = [
        reference("v1", "ServiceAccount", function, namespace),
        reference("v1", "Secret", function, namespace),
        reference("networking.k8s.io/v1", "NetworkPolicy", function, namespace),
        ledger.earlier(function, namespace),
        admission_policies.earlier(function, namespace),
    ]
    return [m for m in cluster.get(possible) if label(m, FUNCTION) == function]
