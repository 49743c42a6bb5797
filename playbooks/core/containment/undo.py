"""Releasing what a playbook contained, because a person wants it."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Sequence, Type

from playbooks.core.cluster.api_object import kind_of, named
from playbooks.core.cluster.conflicts import until_written
from playbooks.core.containment.containment import Containment
from playbooks.core.errors import AlreadyExists, NotFound, NotPermitted
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster, Ledger

# Seconds for which the playbook leaves the object alone, so that the next alert does not undo the
# undoing.
LEFT_ALONE = 30 * 60.0

# Reasons of outcomes after which the object is as it was before.
RELEASED = ("undone", "nothing-to-undo")

# Called with the uid and the words for an object, before anything of it is changed.
Exempt = Callable[[str, str], None]


class Undo:
    """Doing it again is no harm. ``ledgers``: of the playbook, which say what it contained.

    ``force``: also undo what somebody changed since, and what no ledger knows, by what stands on
    the object, which whoever may write that can have put there; never at the cost of another
    object.
    """

    def __init__(
        self,
        containment: Type[Containment],
        cluster: Cluster,
        ledgers: Sequence[Ledger],
        exempt: Exempt,
        *,
        force: bool = False,
    ) -> None:
        self._containment = containment
        self._cluster = cluster
        self._ledgers = ledgers
        self._exempt = exempt
        self._force = force

    def undo(self, name: str, *, namespace: str = "", kind: str = "") -> Outcome:
        """``kind``: by default the first that the playbook contains. Raises NotFound, and Conflict
        where others keep writing it."""
        kind = kind or self._containment.KINDS[0]
        if self._containment.REMOVES:
            return self._restored(kind, name, namespace)
        return until_written(lambda: self._once(kind, name, namespace))

    def _once(self, kind: str, name: str, namespace: str) -> Outcome:
        read = self._containment.read(self._cluster, kind, name, namespace)
        target, known = str(read), self._known(read.uid)
        noted = read.annotations if known is None else known
        found = self._containment.of(read, self._cluster, noted)
        if not found.there:
            said = f"nothing to undo: {target} {found.NOTHING}"
            return Outcome.skipped("nothing-to-undo", said, target)
        if known is None and not self._force:
            said = (
                f"{target} is left alone: no ledger knows that a playbook contained it, as with"
                " earlier versions. Whoever may write it can have marked it so (--force goes by"
                f" the marks: {_marks(noted, self._containment)})"
            )
            return Outcome.skipped("not-in-ledger", said, target)
        if found.changes and not self._force:
            what = "; ".join(found.changes)
            said = f"{target} is not changed, because it was modified since: {what}"
            return Outcome.skipped("changed-since", f"{said} (--force undoes it too)", target)
        obstacle = found.obstacle(self._cluster)
        if obstacle:
            return Outcome.skipped("replaced", obstacle, target)
        self._exempt(read.uid, target)
        said = found.release(self._cluster)
        for ledger in self._ledgers:
            ledger.release(read.uid, self._containment.KEYS)
        return Outcome.acted(target, "undone", said, uid=read.uid)

    def _restored(self, kind: str, name: str, namespace: str) -> Outcome:
        """The one of that name that was removed last. It has a new uid, which is exempted as soon
        as the API server has given it."""
        target = named(kind, name, namespace)
        place, found = (kind, namespace, name), None
        for ledger in self._ledgers:
            for known in ledger.contained().values():
                noted = self._containment.of_ledgers([known.notes])
                if noted and (known.kind, known.namespace, known.name) == place:
                    found = known
        try:
            made = self._containment.restored(self._cluster, found) if found else None
        except AlreadyExists:
            said = f"{target} is not created again: there is one of that name by now"
            return Outcome.skipped("replaced", said, target)
        if found is None or made is None:
            said = f"{target} {self._containment.NOTHING}"
            if self._is_there(kind, name, namespace):
                return Outcome.skipped("nothing-to-undo", f"nothing to undo: {said}", target)
            return Outcome.skipped("not-in-ledger", f"{said}: nothing is created", target)
        uid, said = made
        self._exempt(uid, target)
        for ledger in self._ledgers:
            ledger.release(found.uid, self._containment.KEYS)
        return Outcome.acted(target, "undone", said, uid=uid)

    def _is_there(self, kind: str, name: str, namespace: str) -> bool:
        """False also where that may not be read."""
        found = kind_of(kind)
        try:
            return bool(found and self._cluster.object(found, name, namespace=namespace))
        except (NotFound, NotPermitted):
            return False

    def _known(self, uid: str) -> Optional[Dict[str, str]]:
        """What the ledgers say of the object; None where they do not know it."""
        found = (ledger.contained().get(uid) for ledger in self._ledgers)
        return self._containment.of_ledgers([known.notes for known in found if known]) or None


def _marks(notes: Notes, containment: Type[Containment]) -> str:
    found = [f"{key}={notes[key]:.200}" for key in containment.KEYS if key in notes]
    return ", ".join(found) or "no annotation"
