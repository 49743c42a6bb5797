"""The role that lets a worker read its own Function and triggers, in its namespace.

One for all, so that who deploys playbooks needs no right to write such rules; a binding beside
each Function gives it in that namespace alone.
"""

from __future__ import annotations

from playbooks.core.cluster.manifest import Manifest, labels
from playbooks.deployment.manifests.access import API, GROUP
from playbooks.deployment.manifests.definitions import GROUP as KUBELESS
from playbooks.deployment.manifests.definitions import LABELS

NAME = "falco-playbook-worker"


def shared_role() -> Manifest:
    return {
        "apiVersion": API,
        "kind": "ClusterRole",
        "metadata": {"name": NAME, "labels": LABELS},
        "rules": [
            {"apiGroups": [KUBELESS], "resources": ["functions"], "verbs": ["get"]},
            {
                "apiGroups": [KUBELESS],
                "resources": ["natstriggers"],
                "verbs": ["get", "list", "watch"],
            },
        ],
    }


def binding(function: str, namespace: str) -> Manifest:
    account = {"kind": "ServiceAccount", "name": function, "namespace": namespace}
    return {
        "apiVersion": API,
        "kind": "RoleBinding",
        "metadata": {
            "name": f"{function}-worker",
            "namespace": namespace,
            "labels": labels(function),
        },
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": NAME},
        "subjects": [account],
    }
