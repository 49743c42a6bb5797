"""Releasing what a playbook contained, because a person wants it."""

from __future__ import annotations

from typing import Callable, Type

from playbooks.core.cluster.conflicts import until_written
from playbooks.core.containment.containment import Containment
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster

# Called with the uid and the words for an object, before anything of it is changed.
Exempt = Callable[[str, str], None]


class Undo:
    """Doing it again is no harm. ``force``: also undo what somebody changed since; never at the
    cost of another object."""

    def __init__(
        self,
        containment: Type[Containment],
        cluster: Cluster,
        exempt: Exempt,
        *,
        force: bool = False,
    ) -> None:
        self._containment = containment
        self._cluster = cluster
        self._exempt = exempt
        self._force = force

    def undo(self, name: str, *, namespace: str = "") -> Outcome:
        """Raises NotFound, and Conflict where others keep writing it."""
        return until_written(lambda: self._once(name, namespace))

    def _once(self, name: str, namespace: str) -> Outcome:
        read = self._containment.read(self._cluster, name, namespace)
        found, target = self._containment.of(read, self._cluster), str(read)
        if not found.there:
            said = f"nothing to undo: {target} {found.NOTHING}"
            return Outcome.skipped("nothing-to-undo", said, target)
        if found.changes and not self._force:
            what = "; ".join(found.changes)
            said = f"{target} is left alone, somebody changed it since: {what}"
            return Outcome.skipped("changed-since", f"{said} (--force undoes it too)", target)
        obstacle = found.obstacle(self._cluster)
        if obstacle:
            return Outcome.skipped("replaced", obstacle, target)
        self._exempt(read.uid, target)
        return Outcome.acted(target, "undone", found.release(self._cluster), uid=read.uid)
