"""The taints of ours on one node as they stand in the cluster, and how they come off."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from playbooks.core.cluster.node import Node, Taint, shown
from playbooks.core.containment.containment import NodeContainment
from playbooks.core.containment.note import UNREADABLE, Note
from playbooks.core.instant import Instant
from playbooks.core.ledger.contained import Notes
from playbooks.core.ports import Cluster

# JSON: each taint as kubectl writes it, and when, why and until when it was added. One node may
# have several, of playbooks with another key or effect.
TAINTS = "falco/taints"

ByTaint = Mapping[str, Note]


@dataclass(frozen=True)
class Tainting(NodeContainment):
    """``notes``: those of the taints that are looked at, by taint as kubectl writes it; ``kept``:
    those of taints of ours that stay."""

    target: Node
    notes: ByTaint
    kept: ByTaint = field(default_factory=dict)

    KEYS = (TAINTS,)
    NOTHING = "has no taint that a playbook added"
    EXPIRED = "untainted"

    @classmethod
    def is_noted(cls, node: Node) -> bool:
        return TAINTS in node.annotations

    @classmethod
    def is_due(cls, notes: Notes, now: Instant, look: Callable[[], Any]) -> bool:  # noqa: ARG003
        return any(note.is_over(now) for note in by_taint(notes).values())

    @classmethod
    def of(cls, target: Any, cluster: Cluster, notes: Notes) -> Tainting:  # noqa: ARG003
        return cls(target, by_taint(notes))

    @classmethod
    def of_ledgers(cls, notes: Sequence[Notes]) -> Dict[str, str]:
        """Each may have taints of another key or effect."""
        merged = {taint: note for each in notes for taint, note in by_taint(each).items()}
        return to_notes(merged)

    @property
    def there(self) -> bool:
        return bool(self.notes)

    @property
    def left(self) -> Dict[str, str]:
        return to_notes(self.kept)

    @property
    def until(self) -> Optional[Instant]:
        """When the last of them ends."""
        ends = [note.until for note in self.notes.values()]
        return max((end for end in ends if end), default=None) if all(ends) else None

    @property
    def changes(self) -> List[str]:
        found = ((taint, self._changed(taint)) for taint in self.notes)
        return [f"taint {taint} was changed to {shown(now)}" for taint, now in found if now]

    def over(self, now: Instant) -> Tainting:
        """Without those that somebody changed, unless that is all of them."""
        over = {taint: note for taint, note in self.notes.items() if note.is_over(now)}
        same = {taint: note for taint, note in over.items() if not self._changed(taint)}
        chosen = same or over
        kept = {taint: note for taint, note in self.notes.items() if taint not in chosen}
        return replace(self, notes=chosen, kept=kept)

    def release(self, cluster: Cluster) -> str:
        """Also in what somebody made of them."""
        places = {_place(taint) for taint in self.notes}
        removed = [t for t in self.target.taints if _place(shown(t)) in places]
        kept = [taint for taint in self.target.taints if taint not in removed]
        noted = by_taint(self.target.annotations)
        left = {t: note for t, note in noted.items() if t not in self.notes}
        annotations = {TAINTS: None, **to_notes(left)}
        cluster.patch_node(self.target, spec={"taints": kept}, annotations=annotations)
        off = ", ".join(map(shown, removed))
        return f"{self.target}: {f'taint {off} taken off' if off else 'its taint was gone already'}"

    def _changed(self, ours: str) -> Optional[Taint]:
        """What somebody made of a taint of ours: one of its key and effect with another value."""
        if any(shown(taint) == ours for taint in self.target.taints):
            return None
        return next((t for t in self.target.taints if _place(shown(t)) == _place(ours)), None)


def _place(taint: str) -> str:
    """Key and effect: a node has one taint of both."""
    key, _, effect = taint.rpartition(":")
    return f"{key.partition('=')[0]}:{effect}"


def by_taint(notes: Notes) -> Dict[str, Note]:
    """None where the note is missing or says nothing."""
    try:
        found = json.loads(notes.get(TAINTS, "{}"))
        return {str(taint): Note.of_dict(entry) for taint, entry in found.items()}
    except UNREADABLE:
        return {}


def to_notes(notes: ByTaint) -> Dict[str, str]:
    """What is written in the ledger, and on the node as its annotation."""
    written = {taint: note.to_dict() for taint, note in notes.items()}
    return {TAINTS: json.dumps(written, sort_keys=True)} if written else {}
