"""Who a function is, and what it may do: exactly what its playbook declares."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence, Set, Tuple

from playbooks.core.cluster.manifest import FUNCTION_NAMESPACE, Manifest, labels
from playbooks.core.cluster.permissions import UNKNOWN, Permission
from playbooks.deployment.manifests.definitions import GROUP as KUBELESS
from playbooks.deployment.manifests.definitions import LABELS
from playbooks.deployment.request import catalogue
from playbooks.deployment.request.request import Request

GROUP = "rbac.authorization.k8s.io"
API = f"{GROUP}/v1"

# The value with which a setting asks for no rights.
OFF = "off"

# The role that lets a worker read its own Function and triggers. There is one for all functions, so
# that deploying needs no right to create such rules; a binding beside each Function grants it in
# the namespace of that Function alone.
WORKER_ROLE = "falco-playbook-worker"

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
        "metadata": {
            "name": request.function,
            "namespace": namespace,
            "labels": labels(request.function),
        },
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
    prefix = "" if place else "Cluster"
    metadata: Dict[str, Any] = {
        "name": f"{request.function}.{namespace}",
        "labels": {**labels(request.function), FUNCTION_NAMESPACE: namespace},
    }
    if place:
        metadata["namespace"] = place
    role = {
        "apiVersion": API,
        "kind": f"{prefix}Role",
        "metadata": metadata,
        "rules": [_rule(permission) for permission in permissions],
    }
    account = {"kind": "ServiceAccount", "name": request.function, "namespace": namespace}
    binding = {
        "apiVersion": API,
        "kind": f"{prefix}RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": GROUP, "kind": role["kind"], "name": metadata["name"]},
        "subjects": [account],
    }
    return [role, binding]


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
        "rules": [
            {"apiGroups": [KUBELESS], "resources": ["functions"], "verbs": ["get"]},
            {
                "apiGroups": [KUBELESS],
                "resources": ["natstriggers"],
                "verbs": ["get", "list", "watch"],
            },
        ],
    }


def deployer_role() -> Manifest:
    """Every right that a playbook may need in a namespace, and its record there."""
    verbs: Dict[Tuple[str, str], Set[str]] = {}
    for playbook in map(catalogue.load, catalogue.names()):
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
    account = {"kind": "ServiceAccount", "name": function, "namespace": namespace}
    return {
        "apiVersion": API,
        "kind": "RoleBinding",
        "metadata": {
            "name": f"{function}-worker",
            "namespace": namespace,
            "labels": labels(function),
        },
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": WORKER_ROLE},
        "subjects": [account],
    }
