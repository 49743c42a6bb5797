"""Who a function is, and what it may do: exactly what its playbook declares."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Set, Tuple

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import FUNCTION_NAMESPACE, Manifest, labels, metadata
from playbooks.core.cluster.permissions import UNKNOWN, Permission
from playbooks.deployment.manifests.crds import GROUP as KUBELESS
from playbooks.deployment.manifests.crds import LABELS
from playbooks.deployment.request import by_name
from playbooks.deployment.request.request import Request

GROUP = "rbac.authorization.k8s.io"
API = f"{GROUP}/v1"

# The value with which a setting asks for no rights.
OFF = "off"

# The role that lets a worker read its own Function and triggers. There is one for all functions, so
# that deploying needs no right to create such rules; a binding beside each Function grants it in
# the namespace of that Function alone.
WORKER_ROLE = "falco-playbook-worker"

# What it grants.
WORKER = (
    Permission("functions", ("get",), group=KUBELESS),
    Permission("natstriggers", ("get", "list", "watch"), group=KUBELESS),
)

# What who deploys into a namespace needs there beside the role admin. Nobody can grant a right that
# he lacks, and deploying grants a playbook its rights.
DEPLOYER_ROLE = "falco-playbook-deployer"

# The role admin, which a RoleBinding grants in one namespace, has the rules of roles with it.
# Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
_TO_ADMIN = {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}

_CHANGE = ["create", "delete", "get", "list", "patch", "update", "watch"]


def service_account(request: Request, namespace: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(request.function, namespace),
        "automountServiceAccountToken": bool(request.playbook.permissions),
    }


def roles(
    request: Request,
    namespace: str,
    engine: Callable[[Mapping[str, str]], Sequence[Permission]] = lambda _: (),
) -> List[Manifest]:
    """Roles and their bindings: in NAMESPACES where these are names, else in the whole cluster.

    What belongs to no namespace, such as nodes, always takes a ClusterRole; what is needed in one
    namespace only, a Role there. Names contain the function and its namespace, so that no two
    functions share a role. ``engine``: what the engine needs, with these settings, beside the
    playbook.
    """
    limited = request.namespaces
    # A setting that comes from elsewhere may well be on.
    values = {**request.values, **{reference.name: UNKNOWN for reference in request.references}}
    granted: Dict[str, List[Permission]] = {"": []}
    for permission in (*request.playbook.rights(values), *engine(values)):
        for place in permission.places(limited, namespace):
            granted.setdefault(place, []).append(permission)
    found: List[Manifest] = []
    for place, permissions in granted.items():
        if permissions:
            found += _granted(request, namespace, place, permissions)
    return found


def _granted(
    request: Request, namespace: str, place: str, permissions: Sequence[Permission]
) -> List[Manifest]:
    """A role and its binding, in a namespace or, where ``place`` is empty, in the cluster."""
    kind = "Role" if place else "ClusterRole"
    named: Dict[str, Any] = {
        "name": f"{request.function}.{namespace}",
        "labels": {**labels(request.function), FUNCTION_NAMESPACE: namespace},
    }
    if place:
        named["namespace"] = place
    return role(kind, named, map(_rule, permissions), subject(request.function, namespace))


def role(
    kind: str, metadata: Mapping[str, Any], rules: Iterable[Manifest], subject: Manifest
) -> List[Manifest]:
    """With its binding. ``kind``: Role or ClusterRole."""
    made = {"apiVersion": API, "kind": kind, "metadata": metadata, "rules": list(rules)}
    return [made, _binding(f"{kind}Binding", metadata, kind, metadata["name"], subject)]


def _binding(
    kind: str, metadata: Mapping[str, Any], role_kind: str, role_name: str, subject: Manifest
) -> Manifest:
    return {
        "apiVersion": API,
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": GROUP, "kind": role_kind, "name": role_name},
        "subjects": [subject],
    }


def subject(function: str, namespace: str) -> Manifest:
    """The account of a function, as a binding has it."""
    return {"kind": "ServiceAccount", "name": function, "namespace": namespace}


def _rule(permission: Permission) -> Manifest:
    return {
        "apiGroups": [permission.group],
        "resources": [permission.resource],
        "verbs": list(permission.verbs),
    }


def worker_role() -> Manifest:
    return {
        "apiVersion": API,
        "kind": "ClusterRole",
        "metadata": {"name": WORKER_ROLE, "labels": LABELS},
        "rules": [_rule(permission) for permission in WORKER],
    }


def deployer_role() -> Manifest:
    """Every right that a playbook may need in a namespace, and its record there."""
    verbs: Dict[Tuple[str, str], Set[str]] = {}
    for playbook in map(by_name.load, catalogue.names()):
        for permission in playbook.permissions:
            if not permission.cluster_wide:
                resource = (permission.group, permission.resource)
                verbs.setdefault(resource, set()).update(permission.verbs)
    verbs.update({(KUBELESS, "functions"): set(_CHANGE), (KUBELESS, "natstriggers"): set(_CHANGE)})
    return {
        "apiVersion": API,
        "kind": "ClusterRole",
        "metadata": {"name": DEPLOYER_ROLE, "labels": {**LABELS, **_TO_ADMIN}},
        "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": sorted(verbs[group, resource])}
            for group, resource in sorted(verbs)
        ],
    }


def worker_binding(function: str, namespace: str) -> Manifest:
    named = metadata(function, namespace, f"{function}-worker")
    return _binding("RoleBinding", named, "ClusterRole", WORKER_ROLE, subject(function, namespace))
