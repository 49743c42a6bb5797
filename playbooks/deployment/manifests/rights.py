"""What a playbook needs in the cluster that it acts on where its function is no object there: the
rights that it declares, for whoever the function is, and its ledger. For ``kubectl apply``."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Sequence

from playbooks.core.cluster.manifest import (
    FUNCTION,
    FUNCTION_NAMESPACE,
    KUBELESS_API,
    LEDGER,
    MANAGED_BY,
    MANAGER,
    Manifest,
    label,
    reference,
)
from playbooks.core.ledger.limits import ledger_name
from playbooks.deployment.manifests import access, admission_policies, ledger
from playbooks.deployment.manifests.environment import plain
from playbooks.deployment.request import catalogue
from playbooks.deployment.request.request import Request

# On the binding of its ledger, on which it has no rights: what the function is. The settings are
# JSON, of those that are no secrets.
PLAYBOOK, ENGINE, SETTINGS = "falco/playbook", "falco/engine", "falco/settings"

# The resource and the selector of these bindings.
RECORDS, SELECTOR = f"rolebindings.{access.GROUP}", f"{MANAGED_BY}={MANAGER},{LEDGER}"

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
    made = [*access.roles(request, namespace), *ledger.ledger(request, namespace)]
    return [_granted(each, request, namespace, subjects, engine) for each in made]


def _granted(
    manifest: Manifest,
    request: Request,
    namespace: str,
    subjects: Sequence[Manifest],
    engine: str,
) -> Manifest:
    found = ours(manifest, request.function, namespace, LEDGER)
    if "subjects" in found:
        found["subjects"] = list(subjects)
        if LEDGER in found["metadata"]["labels"]:
            found["metadata"]["annotations"] = _record(request, engine)
    return found


def recorded(binding: Manifest) -> Optional[Manifest]:
    """What such a binding of a ledger says of its function, in the form of a Function, so that what
    is read of these can be read of it; None for another binding, or of a playbook that is not known
    here. It has the name of its engine as an annotation."""
    metadata = binding["metadata"]
    notes = metadata.get("annotations") or {}
    playbook, function = notes.get(PLAYBOOK), label(binding, FUNCTION)
    ours = label(binding, MANAGED_BY) == MANAGER and ENGINE in notes and function
    if not ours or metadata["name"] != ledger_name(str(function)):
        return None
    if playbook not in catalogue.names():
        return None
    containers = [{"name": function, "env": plain(_settings(notes.get(SETTINGS)))}]
    return {
        "apiVersion": KUBELESS_API,
        "kind": "Function",
        "metadata": {
            "name": function,
            "namespace": metadata["namespace"],
            "annotations": {ENGINE: notes[ENGINE]},
        },
        "spec": {
            "handler": f"{playbook}.handler",
            "deployment": {"spec": {"template": {"spec": {"containers": containers}}}},
        },
        "subjects": binding.get("subjects") or [],
    }


def record_of(function: str, namespace: str) -> Manifest:
    """Enough of that binding to ask for it."""
    return reference(access.API, "RoleBinding", ledger_name(function), namespace)


def _settings(text: Optional[str]) -> Dict[str, str]:
    try:
        found: Dict[str, Any] = json.loads(text or "{}")
        return {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _record(request: Request, engine: str) -> Dict[str, str]:
    given = {s.name: request.values[s.name] for s in request.settings if s.name in request.values}
    plain = {name: text for name, text in given.items() if name not in request.secrets}
    return {
        PLAYBOOK: request.playbook.name,
        ENGINE: engine,
        SETTINGS: json.dumps(plain, sort_keys=True, ensure_ascii=False),
    }


def with_account(request: Request, namespace: str, engine: str) -> List[Manifest]:
    """The same for a function of this cluster, which has an account of its own, and the settings
    to which admission policies hold that."""
    function = request.function
    who = [access.subject(function, namespace)]
    account = ours(access.service_account(request, namespace), function, namespace)
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
    return [{"apiGroup": access.GROUP, "kind": "User", "name": name} for name in names]


def groups(*names: str) -> List[Manifest]:
    return [{"apiGroup": access.GROUP, "kind": "Group", "name": name} for name in names]
