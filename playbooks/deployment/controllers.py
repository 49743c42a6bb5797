"""Kubeless' own controllers: whether one is at work, by its Deployment or by its finalizer."""

from __future__ import annotations

import time
from typing import Any, List, Mapping, Optional

from playbooks.core.cluster.manifest import Manifest, identity, reference, shown
from playbooks.deployment.apply.waiting import PAUSE, Check, Sleep, nothing
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.kubectl import Forbidden, Kubectl

# Source: vmware-archive/kubeless, kubeless-non-rbac.jsonnet.
DEPLOYMENT = "kubeless-controller-manager"
SELECTOR = "kubeless=controller"

FINALIZER = "kubeless.io/function"

# Seconds in which a controller that runs puts its finalizer on a new Function.
SECONDS = 3.0

_AT_WORK = (
    "Kubeless' controller is at work in this cluster: {how}. It would write over what -E kubernetes"
    " makes; deploy with -E kubeless"
)


def ready(kubectl: Kubectl, namespace: str) -> Optional[str]:
    """The Deployment of Kubeless' controller, where one is ready, as one says it."""
    try:
        found = kubectl.list(("deployments.apps",), selector=SELECTOR)
    except Forbidden:
        found = kubectl.get([reference("apps/v1", "Deployment", DEPLOYMENT, namespace)])
    return next((shown(each) for each in found if _is_ready(each)), None)


def refuse_ready(kubectl: Kubectl, namespace: str) -> None:
    """Who may not look learns it from the finalizer."""
    try:
        deployment = ready(kubectl, namespace)
    except Forbidden:
        return
    if deployment:
        raise DeploymentError(_AT_WORK.format(how=f"{deployment} is ready"))


def refuse_finalizer(function: Mapping[str, Any]) -> None:
    """A Function that a controller takes care of, or once did."""
    if FINALIZER not in (function["metadata"].get("finalizers") or []):
        return
    _, namespace, name = identity(function)
    raise DeploymentError(
        _AT_WORK.format(how=f"its finalizer {FINALIZER} is on {shown(function)}")
        + ". If no controller runs any more, take it off: kubectl patch function"
        + f' {name} -n {namespace} --type merge -p \'{{"metadata":{{"finalizers":null}}}}\''
    )


def refuse_interest(
    kubectl: Kubectl,
    function: Manifest,
    *,
    check: Check = nothing,
    sleep: Sleep = time.sleep,
    seconds: float = SECONDS,
) -> None:
    """Wait whether a controller takes up a new Function."""
    for _ in range(int(seconds / PAUSE)):
        refuse_any(kubectl.get([function]))
        check()
        sleep(PAUSE)
    refuse_any(kubectl.get([function]))


def refuse_any(functions: List[Manifest]) -> None:
    for function in functions:
        refuse_finalizer(function)


def _is_ready(deployment: Mapping[str, Any]) -> bool:
    named = deployment["metadata"]["name"] == DEPLOYMENT
    return named and ((deployment.get("status") or {}).get("readyReplicas") or 0) > 0
