"""The ConfigMap of a playbook's pauses and budget, and a role for this ConfigMap alone."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from playbooks.core.cluster.manifest import (
    FUNCTION_NAMESPACE,
    LEDGER,
    Manifest,
    metadata,
    reference,
)
from playbooks.core.ledger import limits
from playbooks.deployment.manifests import rbac
from playbooks.deployment.request.request import Request

# The setting that names it; given by a person, it is theirs to make.
SETTING = limits.LEDGER.name


def place(environment: Mapping[str, str], function: str, namespace: str) -> Tuple[str, str]:
    """Its namespace and name, by the variables of a function in this namespace. Raises
    InvalidSetting."""
    given = limits.LEDGER.check(environment.get(SETTING, "")) or ("", limits.ledger_name(function))
    return given[0] or namespace, given[1]


def ledger(request: Request, namespace: str) -> List[Manifest]:
    """Without data: deploying again leaves what is written in it."""
    if not request.playbook.acts or SETTING in request.names_given:
        return []
    named = metadata(request.function, namespace, limits.ledger_name(request.function))
    named["labels"][LEDGER] = "true"
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [named["name"]],
        "verbs": ["get", "patch"],
    }
    # As all roles of ours have it, so that this one is found when it is no longer needed.
    of_role = {**named, "labels": {**named["labels"], FUNCTION_NAMESPACE: namespace}}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named},
        *rbac.role("Role", of_role, [rule], rbac.subject(request.function, namespace)),
    ]


def earlier(function: str, namespace: str) -> Manifest:
    """What another deployment of the function may have left of it, beside roles."""
    return reference("v1", "ConfigMap", limits.ledger_name(function), namespace)
