"""Who a function is on the real cluster: an account with what ``falco-playbook permissions`` prints
for it, and nothing else, by whatever name the API server has for it."""

from __future__ import annotations

import json
from typing import Any, Mapping

from playbooks.deployment.manifests import rights
from playbooks.deployment.request.request import Request
from specs.support.real_cluster import (
    cleaned_up,
    create,
    kubectl,
    token_of,
)


def granted(request: Request, namespace: str, *users: str) -> None:
    """Make the roles, bound to these users, and the ledger, until the spec ends."""
    made = rights.rights(request, namespace, rights.users(*users))
    for each in made:
        if "namespace" not in each["metadata"]:
            cleaned_up(each["metadata"]["name"], each["kind"])
    create(*made)


def token_with(request: Request, namespace: str) -> str:
    """Of an account that has these rights only."""
    name = request.function
    kubectl("create", "serviceaccount", name, "-n", namespace)
    user = f"system:serviceaccount:{namespace}:{name}"
    granted(request, namespace, user)
    return token_of(name, namespace)


def kubeconfig(user: Mapping[str, Any], *, namespace: str) -> str:
    """That of the cluster of the specs, with this user, as JSON."""
    config = json.loads(kubectl("config", "view", "--minify", "--flatten", "--output", "json"))
    config["users"][0]["user"] = user
    config["contexts"][0]["context"]["namespace"] = namespace
    return json.dumps(config)
