"""What a playbook needs in the cluster that it acts on where its function is no object there: the
rights that it declares, for whoever the function is, and its ledger. For ``kubectl apply``."""

from __future__ import annotations

from typing import List, Sequence

from playbooks.core.cluster.manifest import FUNCTION, LEDGER, Manifest
from playbooks.deployment.manifests import access, ledger
from playbooks.deployment.request.request import Request

MANAGED_BY = "app.kubernetes.io/managed-by"


def labels(function: str) -> Manifest:
    """Not those of the kubeless CLI: no Function is there, and deploying another playbook removes
    roles whose Function is not."""
    return {MANAGED_BY: "falco-playbooks", FUNCTION: function}


def rights(request: Request, namespace: str, subjects: Sequence[Manifest]) -> List[Manifest]:
    """``namespace``: that of the ledger. ``subjects``: as a binding has them."""
    made = [*access.roles(request, namespace), *ledger.ledger(request, namespace)]
    return [_granted(each, request.function, subjects) for each in made]


def _granted(manifest: Manifest, function: str, subjects: Sequence[Manifest]) -> Manifest:
    metadata = manifest["metadata"]
    kept = {LEDGER: "true"} if LEDGER in metadata["labels"] else {}
    found = {**manifest, "metadata": {**metadata, "labels": {**labels(function), **kept}}}
    if "subjects" in found:
        found["subjects"] = list(subjects)
    return found


def service_account(function: str, namespace: str) -> List[Manifest]:
    return [{"kind": "ServiceAccount", "name": function, "namespace": namespace}]


def users(*names: str) -> List[Manifest]:
    """Whom the API server knows by a name of their own, such as an account's e-mail."""
    return [{"apiGroup": access.GROUP, "kind": "User", "name": name} for name in names]


def groups(*names: str) -> List[Manifest]:
    return [{"apiGroup": access.GROUP, "kind": "Group", "name": name} for name in names]
