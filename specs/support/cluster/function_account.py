"""Who a function is on the real cluster: an account with what ``falco-playbook permissions`` prints
for it, and nothing else, by whatever name the API server has for it."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Sequence

import yaml

from playbooks.deployment.manifests import rights
from playbooks.deployment.request.request import Request
from specs.support.cluster.real_cluster import (
    cleaned_up,
    create,
    delete,
    kubectl,
    token_of,
)
from specs.support.processes import eventually


def granted(request: Request, namespace: str, *users: str) -> None:
    """Make the roles, bound to these users, and the ledger, until the spec ends. They are in force
    a moment later."""
    made = rights.rights(request, namespace, rights.users(*users), engine="gcf")
    for each in made:
        if "namespace" not in each["metadata"]:
            cleaned_up(each["metadata"]["name"], each["kind"])
    wanted = {"apiVersion": "v1", "kind": "List", "items": made}
    kubectl("create", "-f", "-", stdin=json.dumps(wanted))


def applied(printed: str) -> None:
    """Make what ``falco-playbook permissions`` printed, until the spec ends."""
    for each in yaml.safe_load_all(printed):
        if "namespace" not in each["metadata"]:
            cleaned_up(each["metadata"]["name"], each["kind"])
    kubectl("apply", "-f", "-", stdin=printed)


def revoked(request: Request, namespace: str) -> None:
    for each in rights.rights(request, namespace, rights.users("nobody"), engine="gcf"):
        if "namespace" not in each["metadata"]:
            delete(each["kind"], each["metadata"]["name"])


def token_with(request: Request, namespace: str) -> str:
    """Of an account that has these rights only."""
    name = request.function
    kubectl("create", "serviceaccount", name, "-n", namespace)
    user = f"system:serviceaccount:{namespace}:{name}"
    granted(request, namespace, user)
    ledger = {"resource": "configmaps", "name": f"{name}-ledger", "verb": "patch"}
    wanted = ({"resource": "pods", "verb": "delete"}, ledger)
    asked = [{"group": "", **each, "namespace": namespace} for each in wanted]
    eventually(lambda: all(allowed(user, asked)))
    return token_of(name, namespace)


def kubeconfig(user: Mapping[str, Any], *, namespace: str) -> str:
    """That of the cluster of the specs, with this user, as JSON."""
    config = json.loads(kubectl("config", "view", "--minify", "--flatten", "--output", "json"))
    config["users"][0]["user"] = user
    config["contexts"][0]["context"]["namespace"] = namespace
    return json.dumps(config)


def allowed(user: str, asked: Sequence[Mapping[str, str]]) -> List[bool]:
    """What ``kubectl auth can-i --as USER`` says to each of these: verb, group, resource and
    namespace. Asked at once, by as many reviews."""
    reviews: List[Dict[str, Any]] = [
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": _attributes(each)},
        }
        for each in asked
    ]
    return [bool(each["status"]["allowed"]) for each in create(*reviews)]


def _attributes(asked: Mapping[str, str]) -> Dict[str, str]:
    resource, _, subresource = asked["resource"].partition("/")
    return {**asked, "resource": resource, "subresource": subresource}
