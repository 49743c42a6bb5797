"""May the account do what its playbook declares? Every verb is asked of the API server."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence

from playbooks.commands.checks.finding import FAILED, OK, UNKNOWN, Finding
from playbooks.core.cluster import permissions
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.permissions import Permission
from playbooks.core.settings import all_names, names

RIGHTS = "rights"

_APPLY = "kubectl apply what falco-playbook permissions prints: that restores its roles"


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
    who: Optional[Manifest] = None,
) -> List[Finding]:
    """``places``: where it needs them. ``own``: what it needs in its own namespace. ``who``: the
    account as a binding has it, where it is no service account of the namespace."""
    limited = [place for place in places if place]
    wanted = [(p, place) for p in permissions for place in p.places(limited, namespace)]
    wanted = list(dict.fromkeys(wanted)) + [(p, namespace) for p in own]
    reviews = [
        _review(_asked_for(namespace, account, who), permission, verb, place)
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
        name = who["name"] if who else account
        said = f"{name} may not {'; '.join(_shown(each) for each in refused)}"
        restored = _APPLY if who else "deploy it again: that restores its roles"
        return [Finding(RIGHTS, FAILED, said, restored)]
    where = ", ".join(place or "all namespaces" for place in places)
    return [Finding(RIGHTS, OK, f"all {len(reviews)} rights that it needs, in {where}")]


def _asked_for(namespace: str, account: str, who: Optional[Manifest]) -> Manifest:
    """Whose rights a review asks for."""
    everybody = "system:authenticated"
    if who and who["kind"] == "Group":
        return {"groups": [who["name"], everybody]}
    if who and who["kind"] == "User":
        return {"user": who["name"], "groups": [everybody]}
    accounts = "system:serviceaccounts"
    return {
        "user": permissions.account(namespace, account),
        "groups": [accounts, f"{accounts}:{namespace}", everybody],
    }


def _review(asked_for: Manifest, permission: Permission, verb: str, place: str) -> Manifest:
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            **asked_for,
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
