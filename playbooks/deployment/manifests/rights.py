"""What a playbook needs in the cluster that it acts on where its function is no object there: the
rights that it declares, for whoever the function is, and its ledger. For ``kubectl apply``."""

from __future__ import annotations

from typing import Dict, List, Sequence

from playbooks.core.cluster.manifest import FUNCTION, FUNCTION_NAMESPACE, LEDGER, Manifest
from playbooks.deployment.manifests import access, ledger
from playbooks.deployment.request.request import Request

MANAGED_BY, MANAGER = "app.kubernetes.io/managed-by", "falco-playbooks"

# What ``rights`` makes, as kubectl names it.
KINDS = "clusterrolebindings,rolebindings,clusterroles,roles,configmaps"


def labels(function: str, namespace: str) -> Dict[str, str]:
    """Not those of the kubeless CLI: no Function is there, and deploying another playbook removes
    roles whose Function is not."""
    return {MANAGED_BY: MANAGER, FUNCTION: function, FUNCTION_NAMESPACE: namespace}


def selector(function: str, namespace: str) -> str:
    """Of all that has these labels, as kubectl takes it."""
    return ",".join(f"{key}={value}" for key, value in labels(function, namespace).items())


def rights(request: Request, namespace: str, subjects: Sequence[Manifest]) -> List[Manifest]:
    """``namespace``: that of the ledger. ``subjects``: as a binding has them."""
    made = [*access.roles(request, namespace), *ledger.ledger(request, namespace)]
    return [_granted(each, labels(request.function, namespace), subjects) for each in made]


def _granted(manifest: Manifest, ours: Dict[str, str], subjects: Sequence[Manifest]) -> Manifest:
    metadata = manifest["metadata"]
    kept = {LEDGER: "true"} if LEDGER in metadata["labels"] else {}
    found = {**manifest, "metadata": {**metadata, "labels": {**ours, **kept}}}
    if "subjects" in found:
        found["subjects"] = list(subjects)
    return found


def with_account(request: Request, namespace: str) -> List[Manifest]:
    """The same for a function of this cluster, which has an account of its own."""
    who = service_account(request.function, namespace)
    account = access.service_account(request, namespace)
    return [ours(account, request.function, namespace), *rights(request, namespace, who)]


def ours(manifest: Manifest, function: str, namespace: str) -> Manifest:
    """With these labels instead of its own."""
    metadata = {**manifest["metadata"], "labels": labels(function, namespace)}
    return {**manifest, "metadata": metadata}


def service_account(function: str, namespace: str) -> List[Manifest]:
    return [{"kind": "ServiceAccount", "name": function, "namespace": namespace}]


def users(*names: str) -> List[Manifest]:
    """Whom the API server knows by a name of their own, such as an account's e-mail."""
    return [{"apiGroup": access.GROUP, "kind": "User", "name": name} for name in names]


def groups(*names: str) -> List[Manifest]:
    return [{"apiGroup": access.GROUP, "kind": "Group", "name": name} for name in names]
