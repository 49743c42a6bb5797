"""Where a playbook keeps its brake and its budget, and the right to nothing else there."""

from __future__ import annotations

from typing import Any, Dict, List

from playbooks.deployment.manifests.access import API, GROUP
from playbooks.deployment.manifests.manifest import Manifest, labels
from playbooks.deployment.request import Request

# On every ledger, so that all of them can be found.
LABEL = "falco/ledger"

# The setting that names it; given by a person, it is theirs to make.
SETTING = "LEDGER"


def name(function: str) -> str:
    return f"{function}-ledger"


def ledger(request: Request, namespace: str) -> List[Manifest]:
    """Without data: deploying again leaves what is written in it."""
    if not request.playbook.acts or SETTING in request.values:
        return []
    metadata: Dict[str, Any] = {
        "name": name(request.function),
        "namespace": namespace,
        "labels": {**labels(request.function), LABEL: "true"},
    }
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [metadata["name"]],
        "verbs": ["get", "patch"],
    }
    account = {"kind": "ServiceAccount", "name": request.function, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata},
        {"apiVersion": API, "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": API,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": metadata["name"]},
            "subjects": [account],
        },
    ]
