"""What who deploys may not make, and what an administrator then has to do."""

from __future__ import annotations

from typing import List, Optional

from playbooks.core.cluster.manifest import Identity, Manifest, identity, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.deployment.apply.steps import Create, Keep, Objects, merged, step
from playbooks.deployment.errors import MissingRights
from playbooks.deployment.terminal import documents

_SET_UP = (
    "An administrator lets the admins of a namespace deploy in it (ClusterRole"
    " falco-playbook-deployer, part of the role admin):\n    deploy_playbook -S"
)


def explained(cluster: ClusterObjects, objects: Objects, error: PlaybookError) -> PlaybookError:
    """The error for who lacks rights: all objects that may not be made, before any is touched, and
    what an administrator does. The same error where no object explains it."""
    record = [objects.function, *objects.triggers[:1]]
    if any(_is_refused(cluster, each) for each in record):
        return MissingRights(f"{error}\nnothing was deployed. {_SET_UP}")
    refused = _all_refused(cluster, objects.accessories)
    if not refused:
        return error
    listed = "\n".join(f"  {shown(each)}" for each in refused)
    name = objects.function["metadata"]["name"]
    again = " and then deploy again with --granted" if _outside(objects, refused) else ""
    return MissingRights(
        f"you may not make what {name} needs:\n{listed}\n"
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


def _outside(objects: Objects, refused: List[Manifest]) -> bool:
    namespace = objects.function["metadata"]["namespace"]
    return any(each["metadata"].get("namespace") != namespace for each in refused)


def _is_refused(cluster: ClusterObjects, manifest: Manifest) -> bool:
    try:
        found = {identity(each): each for each in cluster.get([manifest])}
        wanted = step(manifest, found.get(identity(manifest)))
        if isinstance(wanted, Create):
            cluster.create([manifest], dry_run=True)
        elif not isinstance(wanted, Keep):
            cluster.replace([merged(manifest, found[identity(manifest)])], dry_run=True)
    except NotPermitted:
        return True
    except PlaybookError:
        return False  # A binding to a role that is not there yet, or what is said elsewhere.
    return False
