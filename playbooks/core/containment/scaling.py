"""What a playbook scaled one workload to, and how it is scaled back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple

from playbooks.core.cluster.pod import Owner
from playbooks.core.cluster.scalable import SCALABLE, Scalable
from playbooks.core.containment.containment import Containment
from playbooks.core.containment.note import Note
from playbooks.core.errors import NotFound
from playbooks.core.instant import Instant
from playbooks.core.ledger.contained import Notes
from playbooks.core.ports import Cluster

# JSON, in the ledger alone: the account may not write the workload itself. When, why and until when
# it was scaled, from how many pods to how many.
SCALED = "falco/scaled"


@dataclass(frozen=True)
class ScaleNote:
    """``before`` and ``now``: how many pods the workload wanted, and was told to want."""

    before: int
    now: int
    note: Note = field(default_factory=Note)

    @classmethod
    def of(cls, notes: Notes) -> Optional[ScaleNote]:
        """None where there is none, or it says nothing."""
        try:
            found = json.loads(notes[SCALED])
            return cls(int(found["before"]), int(found["now"]), Note.of_dict(found))
        except (KeyError, ValueError, AttributeError, TypeError):
            return None

    def to_notes(self) -> Dict[str, str]:
        written = {**self.note.to_dict(), "before": self.before, "now": self.now}
        return {SCALED: json.dumps(written, sort_keys=True)}


@dataclass(frozen=True)
class Scaling(Containment):
    workload: Scalable
    note: Optional[ScaleNote]

    KINDS = tuple(kind.lower() for kind in SCALABLE)
    KEYS = (SCALED,)
    NOTHING = "was not scaled by a playbook"
    EXPIRED = "scaled-back"
    IN_LEDGER_ONLY = True

    @property
    def target(self) -> Scalable:
        return self.workload

    @classmethod
    def read(cls, cluster: Cluster, kind: str, name: str, namespace: str) -> Scalable:
        known = {each.lower(): each for each in SCALABLE}
        if kind not in known:
            raise NotFound(f"{kind} {namespace}/{name} has no scale")
        manifest = cluster.owner(Owner(known[kind], name), namespace=namespace)
        return Scalable(known[kind], manifest)

    @classmethod
    def listed(cls, cluster: Cluster, namespaces: Tuple[str, ...]) -> List[Scalable]:  # noqa: ARG003
        return []

    @classmethod
    def is_due(cls, notes: Notes, now: Instant, look: Callable[[], Any]) -> bool:  # noqa: ARG003
        found = ScaleNote.of(notes)
        return found is not None and found.note.is_over(now)

    @classmethod
    def of(cls, target: Any, cluster: Cluster, notes: Notes) -> Scaling:  # noqa: ARG003
        return cls(target, ScaleNote.of(notes))

    @property
    def there(self) -> bool:
        return self.note is not None

    @property
    def until(self) -> Optional[Instant]:
        return self.note.note.until if self.note else None

    @property
    def changes(self) -> List[str]:
        there = self.workload.replicas
        if self.note is None or there == self.note.now:
            return []
        return [f"it was scaled to {there}"]

    def release(self, cluster: Cluster) -> str:
        if self.note is None:
            return f"{self.workload}: nothing of it was left"
        cluster.scale(self.workload, self.note.before)
        return f"{self.workload}: scaled back to {self.note.before}"
