"""Roles and bindings of functions. No object owns them: their labels name the function."""

from __future__ import annotations

from contextlib import suppress
from typing import List, Sequence, Tuple

from playbooks.core.cluster.manifest import FUNCTION, FUNCTION_NAMESPACE, Manifest, label, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, NotPermitted, PlaybookError
from playbooks.deployment.manifests import admission_policies
from playbooks.deployment.manifests.crds import FUNCTIONS
from playbooks.deployment.terminal import print_messages, print_step

# Bindings first: without them a role gives nobody anything.
RESOURCES = tuple(
    f"{resource}.rbac.authorization.k8s.io"
    for resource in ("clusterrolebindings", "rolebindings", "clusterroles", "roles")
)
SELECTOR = f"created-by=kubeless,{FUNCTION_NAMESPACE}"


def labelled_roles(cluster: ClusterObjects) -> List[Manifest]:
    """All roles and bindings of all our functions, those of admission policies where they may be
    listed. Raises NotPermitted."""
    roles = cluster.list(RESOURCES, selector=SELECTOR)
    with suppress(NotFound, NotPermitted):
        return [*roles, *cluster.list((admission_policies.BINDINGS,), selector=SELECTOR)]
    return roles


def roles_of(
    cluster: ClusterObjects, function: str, namespace: str
) -> Tuple[List[Manifest], List[str]]:
    """Those of one function; none, and a warning, where they may not be listed."""
    try:
        found = labelled_roles(cluster)
    except NotPermitted as error:
        return [], [cannot_look(error)]
    return [role for role in found if _function_of(role) == (namespace, function)], []


def remove_orphans(cluster: ClusterObjects) -> Tuple[List[str], List[str]]:
    """Remove the roles and bindings whose Function does not exist: the removed ones, warnings."""
    try:
        # In this order: a function that is deployed meanwhile is there before its roles are.
        roles = labelled_roles(cluster)
        functions = cluster.list(FUNCTIONS) if roles else []
    except PlaybookError as error:
        return [], [cannot_look(error)]
    there = {(f["metadata"]["namespace"], f["metadata"]["name"]) for f in functions}
    removed, warnings = [], []
    for role in roles:
        if _function_of(role) in there:
            continue
        try:
            cluster.delete(role)
            removed.append(shown(role))
        except PlaybookError as error:
            warnings.append(f"{shown(role)} is left behind by a function: {error}")
    return removed, warnings


def remove_orphans_unless(warnings: Sequence[str], cluster: ClusterObjects) -> None:
    """The same, unless ``warnings`` say already that roles may not be listed. Prints both."""
    removed, more = ([], []) if warnings else remove_orphans(cluster)
    for each in removed:
        print_step("removed", f"{each}, whose function is gone")
    print_messages("warning", [*warnings, *more])


def cannot_look(error: PlaybookError) -> str:
    """A warning; the first line says enough of several that are alike."""
    return (
        f"could not look for roles that were left behind: {str(error).splitlines()[0]}"
        " (deploy_playbook -S of an administrator removes them)"
    )


def _function_of(role: Manifest) -> Tuple[str, str]:
    return label(role, FUNCTION_NAMESPACE) or "", label(role, FUNCTION) or ""
