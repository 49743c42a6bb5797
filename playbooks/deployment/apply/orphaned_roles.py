"""Roles and bindings of ours: nobody owns them, so labels tell whose they are."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from playbooks.core.cluster.manifest import FUNCTION, FUNCTION_NAMESPACE, Manifest, label, shown
from playbooks.deployment.kubectl import Kubectl, KubectlError
from playbooks.deployment.terminal import done, tell

# Bindings first: without them a role gives nobody anything.
RESOURCES = tuple(
    f"{resource}.rbac.authorization.k8s.io"
    for resource in ("clusterrolebindings", "rolebindings", "clusterroles", "roles")
)
FUNCTIONS = ("functions.kubeless.io",)
SELECTOR = f"created-by=kubeless,{FUNCTION_NAMESPACE}"


def labelled_roles(kubectl: Kubectl) -> List[Manifest]:
    """All roles and bindings of all our functions. Raises Forbidden."""
    return kubectl.list(RESOURCES, selector=SELECTOR)


def roles_of(function: str, namespace: str, roles: Sequence[Manifest]) -> List[Manifest]:
    return [role for role in roles if _whose(role) == (namespace, function)]


def sweep(kubectl: Kubectl) -> Tuple[List[str], List[str]]:
    """Remove roles and bindings whose Function is gone: what was removed, and warnings."""
    try:
        # In this order: a function that is deployed meanwhile is there before its roles are.
        roles = labelled_roles(kubectl)
        functions = kubectl.list(FUNCTIONS) if roles else []
    except KubectlError as error:
        return [], [cannot_look(error)]
    there = {(f["metadata"]["namespace"], f["metadata"]["name"]) for f in functions}
    removed, warnings = [], []
    for role in roles:
        if _whose(role) in there:
            continue
        try:
            kubectl.delete(role)
            removed.append(shown(role))
        except KubectlError as error:
            warnings.append(f"{shown(role)} is left behind by a function: {error}")
    return removed, warnings


def cannot_look(error: KubectlError) -> str:
    """A warning; the first line says enough of several that are alike."""
    return f"could not look for roles that were left behind: {str(error).splitlines()[0]}"


def _whose(role: Manifest) -> Tuple[str, str]:
    return label(role, FUNCTION_NAMESPACE) or "", label(role, FUNCTION) or ""


def sweep_unless(warnings: Sequence[str], kubectl: Kubectl) -> None:
    """Remove what functions left behind, unless it is known already that one may not look."""
    removed, more = ([], []) if warnings else sweep(kubectl)
    done(("swept", f"{shown}, whose function is gone") for shown in removed)
    tell("warning", [*warnings, *more])
