"""What a playbook needs in the cluster that it acts on where its function is no object there: the
rights that it declares, for whoever the function is, and its ledger. For ``kubectl apply``."""

from __future__ import annotations

from typing import Dict, List, Sequence

from playbooks.core.cluster.manifest import (
    FUNCTION,
    FUNCTION_NAMESPACE,
    LEDGER,
    MANAGED_BY,
    MANAGER,
    Manifest,
)
from playbooks.deployment.manifests import admission_policies, ledger, rbac, record
from playbooks.deployment.request.request import Request

# What ``rights`` makes, as kubectl names it.
KINDS = "clusterrolebindings,rolebindings,clusterroles,roles,configmaps"


def labels(function: str, namespace: str) -> Dict[str, str]:
    """Not those of the kubeless CLI: no Function is there, and deploying another playbook removes
    roles whose Function is not."""
    return {MANAGED_BY: MANAGER, FUNCTION: function, FUNCTION_NAMESPACE: namespace}


def selector(function: str, namespace: str) -> str:
    """Of all that has these labels, as kubectl takes it."""
    return ",".join(f"{key}={value}" for key, value in labels(function, namespace).items())


def rights(
    request: Request, namespace: str, subjects: Sequence[Manifest], *, engine: str
) -> List[Manifest]:
    """``namespace``: that of the ledger. ``subjects``: as a binding has them. ``engine``: by name;
    ``falco-playbook`` finds a function by it."""
    made = [*rbac.roles(request, namespace), *ledger.ledger(request, namespace)]
    found = [ours(each, request.function, namespace, LEDGER) for each in made]
    for each in found:
        if "subjects" in each:
            each["subjects"] = list(subjects)
            if LEDGER in each["metadata"]["labels"]:
                each["metadata"]["annotations"] = record.notes(request, engine)
    return found


def with_account(request: Request, namespace: str, engine: str) -> List[Manifest]:
    """The same for a function of this cluster, which has an account of its own, and the settings
    to which admission policies hold that."""
    function = request.function
    who = [rbac.subject(function, namespace)]
    account = ours(rbac.service_account(request, namespace), function, namespace)
    held = admission_policies.parameters(request, namespace, {})
    return [
        account,
        *rights(request, namespace, who, engine=engine),
        *(ours(each, function, namespace, admission_policies.PARAMETERS) for each in held),
    ]


def ours(manifest: Manifest, function: str, namespace: str, *kept: str) -> Manifest:
    """With these labels instead of its own, except for those that are ``kept``."""
    own = {key: value for key, value in manifest["metadata"]["labels"].items() if key in kept}
    metadata = {**manifest["metadata"], "labels": {**labels(function, namespace), **own}}
    return {**manifest, "metadata": metadata}


def users(*names: str) -> List[Manifest]:
    """Whom the API server knows by a name of their own, such as an account's e-mail."""
    return [{"apiGroup": rbac.GROUP, "kind": "User", "name": name} for name in names]


def groups(*names: str) -> List[Manifest]:
    return [{"apiGroup": rbac.GROUP, "kind": "Group", "name": name} for name in names]
