"""Undoing what isolate or taint did to one object, because a person wants it."""

from __future__ import annotations

from typing import Callable

from playbooks.core.containment.isolation import Isolation
from playbooks.core.containment.tainting import Tainting
from playbooks.core.errors import Conflict
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster

# Called with the uid and the words for an object, before anything of it is changed.
Exempt = Callable[[str, str], None]

# How often an object is read again because somebody else wrote it first.
ATTEMPTS = 5


class Undo:
    """Doing it again is no harm. ``force``: also undo what somebody changed since; never at the
    cost of another pod."""

    def __init__(self, cluster: Cluster, exempt: Exempt, *, force: bool = False) -> None:
        self._cluster = cluster
        self._exempt = exempt
        self._force = force

    def pod(self, name: str, *, namespace: str) -> Outcome:
        """Raises NotFound, and Conflict where others keep writing it."""
        return _again(lambda: self._pod(name, namespace))

    def node(self, name: str) -> Outcome:
        """Raises NotFound, and Conflict where others keep writing it."""
        return _again(lambda: self._node(name))

    def _pod(self, name: str, namespace: str) -> Outcome:
        pod = self._cluster.pod(name, namespace=namespace)
        isolation = Isolation.of(pod, self._cluster)
        target = str(pod)
        if not isolation.there:
            return _nothing(target, f"{target} is not isolated")
        if isolation.changes and not self._force:
            return _changed(target, "; ".join(isolation.changes))
        rivals = isolation.displacing(self._cluster)
        if rivals:
            owners = ", ".join(str(rival.owner) for rival in rivals)
            return Outcome.skipped(
                "replaced",
                f"{target} was detached, and {owners} has replaced it: with its labels back, one"
                f" pod too many would be killed. Delete it (kubectl delete pod {name} -n"
                f" {namespace}), or keep it isolated; nothing was changed",
                target,
            )
        self._exempt(pod.uid, target)
        isolation.end(self._cluster)
        return Outcome.acted(target, "undone", _said(isolation), uid=pod.uid)

    def _node(self, name: str) -> Outcome:
        node = self._cluster.node(name)
        tainting, target = Tainting(node), str(node)
        if not tainting.there:
            return _nothing(target, f"{target} has no taint that taint added")
        changes = tainting.changes(tainting.marks)
        if changes and not self._force:
            return _changed(target, "; ".join(changes))
        self._exempt(node.uid, target)
        removed = tainting.end(tainting.marks, self._cluster)
        said = f"taint {', '.join(removed)} taken off" if removed else "its taint was gone already"
        return Outcome.acted(target, "undone", f"{target}: {said}", uid=node.uid)


def _again(attempt: Callable[[], Outcome]) -> Outcome:
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except Conflict:
            continue
    return attempt()


def _said(isolation: Isolation) -> str:
    done = [f"{isolation.pod} is released"]
    if isolation.policy is not None:
        done.append(f"NetworkPolicy {isolation.policy['metadata']['name']} deleted")
    if isolation.labels_to_put_back:
        done.append(f"labels {', '.join(isolation.labels_to_put_back)} put back")
    return "; ".join(done)


def _nothing(target: str, why: str) -> Outcome:
    return Outcome.skipped("nothing-to-undo", f"nothing to undo: {why}", target)


def _changed(target: str, what: str) -> Outcome:
    said = f"{target} is left alone, somebody changed it since: {what} (--force undoes it too)"
    return Outcome.skipped("changed-since", said, target)
