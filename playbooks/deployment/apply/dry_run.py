"""Asking the API server ahead whether it takes a deployment, and what to do where it does not."""

from __future__ import annotations

import re
from functools import partial
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Type

from playbooks.core.cluster.manifest import Identity, Manifest, identity, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import Conflict, NotFound, NotPermitted, PlaybookError
from playbooks.deployment.apply.steps import Create, Objects, Remove, Replace, Step, merged, step
from playbooks.deployment.errors import DeploymentError, MissingRights
from playbooks.deployment.terminal import documents

_SET_UP = (
    "An administrator lets the admins of a namespace deploy in it (ClusterRole"
    " falco-playbook-deployer, part of the role admin):\n    deploy_playbook -S"
)


# As an error of ours begins: the call that was refused.
_CALL = re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE) \S+: ")
_STATUS = re.compile(r" \(\d{3}\)$")

# As RBAC refuses a request. Source: k8s.io/apiserver, responsewriters.ForbiddenErrorf.
_FORBIDDEN = re.compile(
    r'is forbidden: (User ".*?") cannot (\w+) resource "([^"]+)" in API group "[^"]*"'
    r'( in the namespace "[^"]+"| at the cluster scope)$'
)


def dry_run(cluster: ClusterObjects, steps: Sequence[Step]) -> None:
    """Ask the API server whether it would take all of them. Raises with everything it refuses:
    MissingRights where all of that are rights that the caller lacks."""
    removed = {identity(s.previous): s.previous for s in steps if isinstance(s, Remove)}
    created = [s.wanted for s in steps if isinstance(s, Create)]
    again = [merged(w, removed[identity(w)]) for w in created if identity(w) in removed]
    replaced = [merged(s.wanted, s.previous) for s in steps if isinstance(s, Replace)]
    new = [w for w in created if identity(w) not in removed]
    problems: List[PlaybookError] = []

    def ask(call: Callable[[], object], *but: Type[PlaybookError]) -> None:
        try:
            call()
        except but:
            pass
        except PlaybookError as error:
            problems.append(error)

    ask(lambda: cluster.create([w for w in new if not _is_binding(w)], dry_run=True))
    # Who may not bind every role is asked which one, and a dry run has made none.
    ask(lambda: cluster.create([w for w in new if _is_binding(w)], dry_run=True), NotFound)
    # What somebody else wrote since is read again when its turn comes.
    ask(lambda: cluster.replace(again + replaced, dry_run=True), Conflict)
    for previous in removed.values():
        ask(partial(cluster.delete, previous, dry_run=True))
    if problems:
        lines = each_cause_once([line for each in problems for line in str(each).splitlines()])
        refused = all(isinstance(each, NotPermitted) for each in problems)
        kind = MissingRights if refused else DeploymentError
        raise kind("\n".join(["the cluster would refuse it:", *lines]))


def missing_rights(
    cluster: ClusterObjects, objects: Objects, error: PlaybookError
) -> PlaybookError:
    """The error for who lacks rights: all objects that may not be made, before any is touched, and
    what an administrator does. The same error where no object explains it."""
    record = [objects.function, *objects.triggers[:1]]
    if any(_is_refused(cluster, each) for each in record):
        return MissingRights(f"{error}\nnothing was deployed. {_SET_UP}")
    refused = _all_refused(cluster, objects.accessories)
    if not refused:
        return error
    listed = "\n".join(f"  {shown(each)}" for each in refused)
    outside = any(each["metadata"].get("namespace") != objects.namespace for each in refused)
    again = " and then deploy again with --granted" if outside else ""
    return MissingRights(
        f"you may not make what {objects.name} needs:\n{listed}\n"
        f"nothing was deployed. Let an administrator apply this{again}:",
        documents(refused),
    )


def _all_refused(cluster: ClusterObjects, manifests: List[Manifest]) -> List[Manifest]:
    """A binding goes with its role."""
    refused = [each for each in manifests if _is_refused(cluster, each)]
    roles = {identity(each) for each in refused}
    return [each for each in manifests if each in refused or _role(each) in roles]


def _role(manifest: Manifest) -> Optional[Identity]:
    """That of a binding."""
    role = manifest.get("roleRef")
    if not role:
        return None
    namespace = manifest["metadata"].get("namespace", "") if role["kind"] == "Role" else ""
    return role["kind"], namespace, role["name"]


def _is_refused(cluster: ClusterObjects, manifest: Manifest) -> bool:
    try:
        found = cluster.get([manifest])
        dry_run(cluster, [step(manifest, found[0] if found else None)])
    except (NotPermitted, MissingRights):
        return True
    except PlaybookError:
        return False  # Deploying says why.
    return False


def _is_binding(manifest: Manifest) -> bool:
    return str(manifest["kind"]).endswith("RoleBinding")


def each_cause_once(lines: Sequence[str]) -> List[str]:
    """What the API server refuses for the same cause of many objects, said once, in the order of
    the first of each; a line that is alone is left as it is."""
    causes: Dict[Tuple[str, ...], List[Tuple[str, str]]] = {}
    for line in lines:
        cause = _STATUS.sub("", _CALL.sub("", line))
        forbidden = _FORBIDDEN.search(cause)
        if forbidden:
            user, verb, resource, where = forbidden.groups()
            causes.setdefault((user, verb, where), []).append((line, resource))
        else:
            causes.setdefault((cause,), []).append((line, ""))
    return [_said(key, found) for key, found in causes.items()]


def _said(key: Tuple[str, ...], found: Sequence[Tuple[str, str]]) -> str:
    if len({line for line, _ in found}) == 1:
        return found[0][0]
    if len(key) == 1:
        return f"{key[0]} ({len(found)} objects)"
    user, verb, where = key
    resources = ", ".join(dict.fromkeys(resource for _, resource in found))
    return f"{user} cannot {verb} {resources}{where}"
