"""Removing what was deployed, whatever of it is there."""

from __future__ import annotations

import time
from typing import List, Tuple

from playbooks.deployment.deploy import TRIGGERS
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.kubectl import Forbidden, Kubectl, KubectlError
from playbooks.deployment.manifests.manifest import (
    FUNCTION,
    KUBELESS_API,
    Manifest,
    label,
    reference,
    shown,
)
from playbooks.deployment.manifests.triggers import is_trigger_of
from playbooks.deployment.sweep import cannot_look, labelled_roles, roles_of
from playbooks.deployment.waiting import Sleep, stuck, until_gone


def remove(
    kubectl: Kubectl, function: str, namespace: str, *, sleep: Sleep = time.sleep
) -> Tuple[List[str], List[str]]:
    """What was removed, in this order: triggers, what the function may do, the function, the rest.

    Also warnings. Raises DeploymentError when something is still there in the end.
    """
    found, warnings = _look(kubectl, function, namespace)
    failed = []
    for manifest in found:
        try:
            kubectl.delete(manifest)
        except KubectlError as error:
            failed.append(f"{shown(manifest)}: {error}")
    left = until_gone(kubectl, found, sleep=sleep) if not failed else []
    failed += [stuck(manifest) for manifest in left]
    if failed:
        raise DeploymentError("\n".join(failed))
    return [shown(manifest) for manifest in found], warnings


def _look(kubectl: Kubectl, function: str, namespace: str) -> Tuple[List[Manifest], List[str]]:
    triggers = kubectl.list(TRIGGERS, namespace=namespace)
    found = [trigger for trigger in triggers if is_trigger_of(function, trigger)]
    warnings = []
    try:
        found += roles_of(function, namespace, labelled_roles(kubectl))
    except Forbidden as error:
        warnings.append(cannot_look(error))
    found += kubectl.get([reference(KUBELESS_API, "Function", function, namespace)])
    beside = [
        reference("v1", "ServiceAccount", function, namespace),
        reference("v1", "Secret", function, namespace),
        reference("networking.k8s.io/v1", "NetworkPolicy", function, namespace),
    ]
    ours = [m for m in kubectl.get(beside) if label(m, FUNCTION) == function]
    return found + ours, warnings
