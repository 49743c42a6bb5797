"""What a reaction that leaves something on its target has in common with others of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Generic, Mapping, Optional, TypeVar, Union

from playbooks.core.cluster.conflicts import written
from playbooks.core.containment.containment import Target, contained, undo_command
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.containment.note import N
from playbooks.core.instant import Instant
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction

T = TypeVar("T", bound=Target)


@dataclass(frozen=True)
class TargetChange(Generic[T, N]):
    """What is written on a target as it was read. ``note``: about it, ``notes``: with that, what
    the ledger gets. ``reason``: the code of the outcome; ``planned`` and ``done`` say it in words.
    """

    target: T
    note: N
    notes: Notes
    reason: str
    planned: str
    done: str


C = TypeVar("C", bound="TargetChange[Any, Any]")


class ContainTarget(Reaction):
    """Remembers in the ledger what it leaves on its target, before it writes that.

    ``lifetime``: how long it stays there.
    """

    def __init__(self, cluster: Cluster, ledger: Ledger, proof: Proof, lifetime: Lifetime) -> None:
        self._cluster = cluster
        self._ledger = ledger
        self._proof = proof
        self._lifetime = lifetime

    def _notes_of(self, target: Target) -> Notes:
        """What the ledger has about it; nothing where it does not know it."""
        known = self._ledger.contained().get(target.uid)
        return known.notes if known else {}

    def _contain(
        self,
        change: C,
        write: Callable[[C], Optional[str]],
        again: Callable[[], Union[C, Outcome]],
        facts: Callable[[C], Mapping[str, Any]],
    ) -> Outcome:
        """Make the change; after a Conflict that which ``again`` plans then, or its outcome where
        that is none. ``write`` gives what is to be said beside, if anything. ``facts``: details of
        the outcome."""

        def once(found: Union[C, Outcome]) -> Outcome:
            if isinstance(found, Outcome):
                return found
            self._ledger.contain(contained(found.target, found.notes))
            said = found.done + (write(found) or "")
            ends = ending(undo_command(found.target), found.note.until)
            return Outcome.acted(str(found.target), found.reason, said, **facts(found), **ends)

        first: Union[C, Outcome] = change
        return written(first, once, again)


def ending(undo: str, until: Optional[Instant]) -> Dict[str, str]:
    """Details of an outcome: the command that undoes it, and when it ends by itself."""
    return {"undo": undo, **({"until": str(until)} if until else {})}
