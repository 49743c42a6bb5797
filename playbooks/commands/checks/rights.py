"""May the account do what its playbook declares? Every verb is asked of the API server."""

from __future__ import annotations

from typing import List, Optional, Sequence

from playbooks.commands.checks.finding import FAILED, OK, UNKNOWN, Finding
from playbooks.commands.checks.serving import Checked
from playbooks.core.cluster import permissions
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.permissions import Permission
from playbooks.deployment.manifests.rbac import WORKER
from playbooks.engines.worker import watched

RIGHTS = "rights"

_APPLY = "kubectl apply what falco-playbook permissions prints: that restores its roles"


def look(checked: Checked) -> List[Finding]:
    """Those of the playbook where it acts, and of a worker in its own namespace."""
    namespace, places, who = checked.namespace, checked.places, checked.who
    limited = [place for place in places if place]
    wanted = [(p, place) for p in _declared(checked) for place in p.places(limited, namespace)]
    wanted = list(dict.fromkeys(wanted))
    if checked.served.deployed:
        wanted += [(p, namespace) for p in WORKER]
    asked_for = _asked_for(namespace, checked.function, who)
    reviews = [
        _review(asked_for, permission, verb, place)
        for permission, place in wanted
        for verb in permission.verbs
    ]
    if not reviews:
        return [Finding(RIGHTS, OK, "it needs no rights in the cluster")]
    answers = checked.cluster.create(reviews)
    refused = [a for a in answers if not _status(a).get("allowed")]
    unclear = [a for a in refused if _status(a).get("evaluationError")]
    if unclear:
        why = _status(unclear[0])["evaluationError"]
        return [Finding(RIGHTS, UNKNOWN, f"the API server cannot tell: {why}")]
    if refused:
        name = who["name"] if who else checked.function
        said = f"{name} may not {'; '.join(_shown(each) for each in refused)}"
        restored = _APPLY if who else "deploy it again: that restores its roles"
        return [Finding(RIGHTS, FAILED, said, restored)]
    where = ", ".join(place or "all namespaces" for place in places)
    return [Finding(RIGHTS, OK, f"all {len(reviews)} rights that it needs, in {where}")]


def _declared(checked: Checked) -> Sequence[Permission]:
    playbook, environment = checked.playbook, checked.environment
    if not checked.served.deployed:
        return playbook.rights(environment)
    rights = playbook.rights(environment, looks=True)
    return (*rights, *watched.permissions(playbook, environment))


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
