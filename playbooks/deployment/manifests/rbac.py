"""Who a function is, and what it may do: exactly what its playbook declares."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Set, Tuple

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import FUNCTION_NAMESPACE, Manifest, labels, metadata
from playbooks.core.cluster.permissions import UNKNOWN, Permission
from playbooks.core.playbook import Playbook
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

_CHANGE = ("create", "delete", "get", "list", "patch", "update", "watch")

# What people need who operate playbooks: of the first role where the playbooks are, as it has exec
# in their pods and writes their ledgers; of the other in all namespaces, to see what is deployed,
# and to release what is contained.
OPERATOR_ROLE, UNDO_ROLE = "falco-playbook-operator", "falco-playbook-undo"

_EVENTS = "events.k8s.io"

_DEPLOYED = (
    Permission("functions", ("get", "list"), group=KUBELESS),
    Permission("natstriggers", ("list",), group=KUBELESS),
    # Of functions to which alerts are pushed, these are the record.
    Permission("rolebindings", ("get", "list"), group=GROUP),
    Permission("deployments", ("get",), group="apps"),
    Permission("events", ("list",), group=_EVENTS),
)

_OPERATOR = (
    *_DEPLOYED,
    Permission("configmaps", ("get", "list", "patch")),
    Permission("pods", ("list",)),
    # Which verb it takes depends on the version of the API server.
    Permission("pods/exec", ("create", "get")),
)

# An undoing is on record where its object is, and goes by ledgers of functions with rights there.
_UNDO = (
    *_DEPLOYED,
    Permission("events", ("create",), group=_EVENTS),
    Permission("clusterrolebindings", ("get",), group=GROUP),
)


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
        "name": role_name(request.function, namespace),
        "labels": {**labels(request.function), FUNCTION_NAMESPACE: namespace},
    }
    if place:
        named["namespace"] = place
    return role(kind, named, map(_rule, permissions), subject(request.function, namespace))


def role_name(function: str, namespace: str) -> str:
    """Of the roles and bindings that give a function in this namespace its playbook's rights."""
    return f"{function}.{namespace}"


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
    declared = [p for name in catalogue.names() for p in by_name.load(name).permissions]
    record = (Permission(each, _CHANGE, group=KUBELESS) for each in ("functions", "natstriggers"))
    granted = (*(p for p in declared if not p.cluster_wide), *record)
    return _cluster_role(DEPLOYER_ROLE, granted, **_TO_ADMIN)


def operator_roles(playbooks: Sequence[Playbook]) -> List[Manifest]:
    """For ``falco-playbook list``, ``status``, ``contained``, ``history``, ``dead``, ``pause``,
    ``resume``, ``reset`` and ``undo`` of these playbooks, but for creating again what one
    deleted."""
    releasing = [p for each in playbooks for kind, _ in each.containments for p in kind.RELEASING]
    return [
        _cluster_role(OPERATOR_ROLE, _OPERATOR),
        _cluster_role(UNDO_ROLE, (*_UNDO, *releasing)),
    ]


def _cluster_role(name: str, permissions: Iterable[Permission], **labels: str) -> Manifest:
    """A rule for each resource."""
    verbs: Dict[Tuple[str, str], Set[str]] = {}
    for permission in permissions:
        resource = (permission.group, permission.resource)
        verbs.setdefault(resource, set()).update(permission.verbs)
    return {
        "apiVersion": API,
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {**LABELS, **labels}},
        "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": sorted(verbs[group, resource])}
            for group, resource in sorted(verbs)
        ],
    }


def worker_binding(function: str, namespace: str) -> Manifest:
    named = metadata(function, namespace, f"{function}-worker")
    return _binding("RoleBinding", named, "ClusterRole", WORKER_ROLE, subject(function, namespace))
