"""Deploying: look, ask the API server whether it accepts everything, do it, undo it on failure."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Dict, List, Optional, Sequence, Tuple

from playbooks.core.cluster.manifest import (
    FUNCTION,
    FUNCTION_NAMESPACE,
    REMOVING,
    Identity,
    Manifest,
    annotation,
    identity,
    label,
    shown,
    without_zeros,
)
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, PlaybookError
from playbooks.deployment.apply.dry_run import dry_run
from playbooks.deployment.apply.orphaned_roles import roles_of
from playbooks.deployment.apply.steps import Keep, Objects, Remove, Step, step, without_idle
from playbooks.deployment.apply.transaction import Progress, Transaction, silent
from playbooks.deployment.apply.waiting import Check, Sleep, nothing, until_gone
from playbooks.deployment.errors import DeploymentError, RolloutFailed
from playbooks.deployment.manifests.record import triggers_of

# Seconds in which the garbage collector has taken what a deleted Function owned.
COLLECTED_WITHIN = 30.0

_KEPT = (
    "it is kept as it is, beside what ran before as long as that runs: deploying again brings it up"
    " to date, -x removes it"
)

Found = Dict[Identity, Manifest]


class Observer:
    """What an engine does while its function is deployed, and how it has all of it undone.

    Every method may raise a DeploymentError: then nothing is changed, or all of it is undone.
    ``keep_failed``: but for what is stored and does not become ready, which stays.
    """

    keep_failed = False

    def found(self, function: Optional[Manifest]) -> None:
        """The function as it exists in the cluster, before anything is changed."""

    def created(self, function: Manifest) -> None:
        """The function did not exist and does now, without the objects beside it."""

    def stored(self) -> None:
        """Everything is stored."""


def deploy(
    cluster: ClusterObjects,
    objects: Objects,
    *,
    check: Check = nothing,
    sleep: Sleep = time.sleep,
    observer: Optional[Observer] = None,
    progress: Progress = silent,
) -> List[str]:
    """Warnings about what could not be looked at. ``progress`` is called with each step that is
    done.

    Raises DeploymentError, after the function and what lies beside it are as they were before.
    """
    observer = observer or Observer()
    found, warnings = look(cluster, objects)
    found = _without_orphans(cluster, objects, found, check, sleep)
    _refuse(objects, found)
    owner = found.get(identity(objects.function))
    observer.found(owner)
    wanted = objects.owned_by(owner) if owner else objects
    function = step(wanted.function, owner)
    beside, rest = _plan(cluster, wanted, found)
    stale = _stale(objects, found)
    dry_run(cluster, [function, *beside, *rest, *stale])
    _keep(cluster, owner)
    transaction = Transaction(cluster, check=check, sleep=sleep, progress=progress)
    try:
        if owner:
            _do(transaction, beside)
            transaction.do(function)
        else:
            # First, because what lies beside it needs the uid of its owner.
            created = transaction.do(function)
            observer.created(created)
            wanted = objects.owned_by(created)
            beside, rest = _plan(cluster, wanted, found)
            _do(transaction, beside)
        _do(transaction, rest)
        observer.stored()
        # Only now: what ran before may have needed it until what was asked for runs.
        _do(transaction, [*_last(cluster, wanted), *stale])
        check()
        if _is_removed(cluster, owner or created):
            raise DeploymentError(f"{shown(objects.function)} was removed meanwhile")
    except BaseException as error:
        if observer.keep_failed and isinstance(error, RolloutFailed):
            error.args = (f"{error}\n{_KEPT}",)
            raise
        _undo(cluster, transaction, error, owner)
        raise
    return warnings


def _is_removed(cluster: ClusterObjects, function: Manifest) -> bool:
    """By somebody else, since it was looked at; or that has begun."""
    return not any(
        each["metadata"]["uid"] == function["metadata"]["uid"]
        and "deletionTimestamp" not in each["metadata"]
        and annotation(each, REMOVING) is None
        for each in cluster.get([function])
    )


def _keep(cluster: ClusterObjects, function: Optional[Manifest]) -> None:
    """A removal that did not end left its mark, by which workers delete what they read from."""
    if function and annotation(function, REMOVING) is not None:
        cluster.patch(function, {"metadata": {"annotations": {REMOVING: None}}})


def planned(cluster: ClusterObjects, objects: Objects) -> List[Step]:
    """From what there is to what there is once everything is deployed. Changes nothing."""
    try:
        found, _ = look(cluster, objects)
    except NotFound:
        found = {}  # The cluster does not serve Functions yet.
    _refuse(objects, found)
    owner = found.get(identity(objects.function))
    wanted = objects.owned_by(owner) if owner else objects
    last = {identity(m): m for m in (*wanted.in_order, *wanted.afterwards)}
    there = {**found, **{identity(m): m for m in cluster.get(wanted.afterwards)}}
    steps = [step(manifest, there.get(key)) for key, manifest in last.items()]
    stale = [s for s in _stale(objects, found) if identity(s.previous) not in last]
    return [*without_idle(cluster, steps), *stale]


def _plan(cluster: ClusterObjects, objects: Objects, found: Found) -> Tuple[List[Step], List[Step]]:
    """What lies beside the function, and its triggers."""
    beside = [step(m, found.get(identity(m))) for m in objects.accessories]
    return without_idle(cluster, beside), _trigger_steps(objects, found)


def _last(cluster: ClusterObjects, objects: Objects) -> List[Step]:
    there = {identity(manifest): manifest for manifest in cluster.get(objects.afterwards)}
    steps = [step(m, there.get(identity(m))) for m in objects.afterwards]
    return [each for each in steps if not isinstance(each, Keep)]


def look(cluster: ClusterObjects, objects: Objects) -> Tuple[Found, List[str]]:
    """Everything that is there of this function, by identity, but for roles that are not needed and
    are being deleted."""
    possible = [objects.function, *objects.accessories, *objects.earlier]
    wanted = {identity(manifest): manifest for manifest in possible}
    found = cluster.get(list(wanted.values()))
    found += triggers_of(cluster, objects.name, objects.namespace)
    roles, warnings = roles_of(cluster, objects.name, objects.namespace)
    # Others may label a role of theirs as one of ours, and keep it from going.
    kept = [r for r in roles if identity(r) in wanted or "deletionTimestamp" not in r["metadata"]]
    return {identity(manifest): manifest for manifest in (*found, *kept)}, warnings


def _without_orphans(
    cluster: ClusterObjects, objects: Objects, found: Found, check: Check, sleep: Sleep
) -> Found:
    """Wait for what the garbage collector is about to take, lest it takes what we deploy."""
    function = found.get(identity(objects.function))
    uid = function["metadata"]["uid"] if function else ""
    orphans = [m for m in found.values() if not _owned_by_nobody_else(m, uid)]
    left = until_gone(cluster, orphans, check=check, sleep=sleep, seconds=COLLECTED_WITHIN)
    gone = {identity(m) for m in orphans} - {identity(m) for m in left}
    return {key: manifest for key, manifest in found.items() if key not in gone}


def _owned_by_nobody_else(manifest: Manifest, uid: str) -> bool:
    owners = manifest["metadata"].get("ownerReferences") or []
    return all(owner["uid"] == uid for owner in owners if owner["kind"] == "Function")


def _refuse(objects: Objects, found: Found) -> None:
    """What is in the way, named at once."""
    kubeless_kinds = ("Function", "NATSTrigger")
    problems = [
        f"{shown(m)} is being deleted: deploy again when it is gone"
        for m in found.values()
        if "deletionTimestamp" in m["metadata"]
    ]
    problems += [
        f"{shown(m)} is there and is not ours (it has no label {FUNCTION}={objects.name})"
        for m in map(found.get, map(identity, objects.accessories))
        if m and m["kind"] not in kubeless_kinds and not _is_ours(m, objects)
    ]
    if problems:
        raise DeploymentError("\n".join(problems))


def _is_ours(manifest: Manifest, objects: Objects) -> bool:
    here = manifest["metadata"].get("namespace") == objects.namespace
    ours = label(manifest, FUNCTION) == objects.name
    return ours and (here or label(manifest, FUNCTION_NAMESPACE) == objects.namespace)


def _trigger_steps(objects: Objects, found: Found) -> List[Step]:
    """A trigger of another topic is made anew: Kubeless never ends its old subscription."""
    steps: List[Step] = []
    for wanted in objects.triggers:
        previous = found.get(identity(wanted))
        if previous and without_zeros(previous.get("spec")) != wanted["spec"]:
            steps.append(Remove(previous, waits=True))
            previous = None
        steps.append(step(wanted, previous))
    return steps


def _stale(objects: Objects, found: Found) -> List[Remove]:
    """What an earlier deployment of the same function needed, and this one does not."""
    wanted = {identity(manifest) for manifest in objects.in_order}
    return [
        Remove(manifest)
        for key, manifest in found.items()
        if key not in wanted and (manifest["kind"] == "NATSTrigger" or _is_ours(manifest, objects))
    ]


def _do(transaction: Transaction, steps: Sequence[Step]) -> None:
    for each in steps:
        transaction.do(each)


def _undo(
    cluster: ClusterObjects,
    transaction: Transaction,
    error: BaseException,
    owner: Optional[Manifest],
) -> None:
    """Undo what was done until then, and let the error say what became of it. ``owner``: the
    function as it was before."""
    removed = False
    if owner:
        with suppress(PlaybookError):
            removed = _is_removed(cluster, owner)
    failed = transaction.undo(restore=not removed)
    if not isinstance(error, PlaybookError):
        return
    if not transaction.changed:
        said = "nothing was changed"
    elif failed:
        said = "the rollback failed in part; look at these:\n" + "\n".join(failed)
    elif owner is None:
        said = "rolled back: nothing of the function is left; what -S sets up stays"
    elif removed:
        said = f"somebody else removed {shown(owner)}: nothing is put back"
    else:
        said = "rolled back: the function is as it was before; what -S sets up stays"
    error.args = (f"{error}\n{said}",)
