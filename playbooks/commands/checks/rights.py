"""May the account do what its playbook declares? Every verb is asked of the API server."""

from __future__ import annotations

from typing import List, Mapping, Sequence

from playbooks.commands.checks.finding import FAILED, OK, UNKNOWN, Finding
from playbooks.core.cluster import permissions
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.permissions import Permission
from playbooks.core.settings import all_names, names
from playbooks.deployment.manifests.definitions import GROUP as KUBELESS

RIGHTS = "rights"

# What every worker reads in its own namespace.
WORKERS = (
    Permission("functions", ("get",), group=KUBELESS),
    Permission("natstriggers", ("get", "list", "watch"), group=KUBELESS),
)


def namespaces(environment: Mapping[str, str]) -> Sequence[str]:
    """Those in which the playbook acts; one that is empty stands for all of them."""
    return all_names(names(environment.get("NAMESPACES", ""))) or ("",)


def look(
    cluster: ClusterObjects,
    namespace: str,
    account: str,
    permissions: Sequence[Permission],
    *,
    places: Sequence[str],
    own: Sequence[Permission] = (),
) -> List[Finding]:
    """``places``: where it needs them. ``own``: what it needs in its own namespace."""
    limited = [place for place in places if place]
    wanted = [(p, place) for p in permissions for place in p.places(limited, namespace)]
    wanted = list(dict.fromkeys(wanted)) + [(p, namespace) for p in own]
    reviews = [
        _review(namespace, account, permission, verb, place)
        for permission, place in wanted
        for verb in permission.verbs
    ]
    if not reviews:
        return [Finding(RIGHTS, OK, "it needs no rights in the cluster")]
    answers = cluster.create(reviews)
    refused = [a for a in answers if not _status(a).get("allowed")]
    unclear = [a for a in refused if _status(a).get("evaluationError")]
    if unclear:
        why = _status(unclear[0])["evaluationError"]
        return [Finding(RIGHTS, UNKNOWN, f"the API server cannot tell: {why}")]
    if refused:
        said = f"{account} may not {'; '.join(_shown(each) for each in refused)}"
        return [Finding(RIGHTS, FAILED, said, "deploy it again: that restores its roles")]
    where = ", ".join(place or "all namespaces" for place in places)
    return [Finding(RIGHTS, OK, f"all {len(reviews)} rights that it needs, in {where}")]


def _review(
    namespace: str, account: str, permission: Permission, verb: str, place: str
) -> Manifest:
    accounts = "system:serviceaccounts"
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": permissions.account(namespace, account),
            "groups": [accounts, f"{accounts}:{namespace}", "system:authenticated"],
            "resourceAttributes": {
                "group": permission.group,
                "namespace": place,
                "resource": permission.resource,
                "verb": verb,
            },
        },
    }


def _status(answer: Manifest) -> Manifest:
    return answer.get("status") or {}


def _shown(answer: Manifest) -> str:
    asked = answer["spec"]["resourceAttributes"]
    where = f" in {asked['namespace']}" if asked.get("namespace") else ""
    return f"{asked['verb']} {asked['resource']}{where}"
