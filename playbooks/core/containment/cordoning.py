"""The cordon of ours on one node as it stands in the cluster, and how it comes off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable, ClassVar, Dict, Optional, Tuple

from playbooks.core.cluster.node import Node
from playbooks.core.containment.containment import NodeContainment
from playbooks.core.containment.note import Note
from playbooks.core.instant import Instant
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster

# JSON: when, why and until when a playbook cordoned the node.
CORDONED = "falco/cordoned"


@dataclass(frozen=True)
class Cordoning(NodeContainment):
    """Without a note of ours, a node was cordoned by somebody else.

    A node that somebody uncordoned is ours no longer: expiry takes the note off as soon as it
    looks, before somebody cordons the node again for reasons of their own.
    """

    node: Node
    note: Optional[Note]

    KEYS: ClassVar[Tuple[str, ...]] = (CORDONED,)
    NOTHING = "was not cordoned by a playbook"
    EXPIRED = "uncordoned"

    @property
    def target(self) -> Node:
        return self.node

    @classmethod
    def is_noted(cls, node: Node) -> bool:
        return node.unschedulable and cls.KEYS[0] in node.annotations

    @classmethod
    def is_due(cls, notes: Notes, now: Instant, look: Callable[[], Any]) -> bool:
        found = cls.noted(notes)
        return found is not None and (found.is_over(now) or not look().unschedulable)

    @classmethod
    def of(cls, target: Any, cluster: Cluster, notes: Notes) -> Cordoning:  # noqa: ARG003
        return cls(target, cls.noted(notes))

    @property
    def there(self) -> bool:
        return self.note is not None

    @property
    def until(self) -> Optional[Instant]:
        return self.note.until if self.note else None

    def release(self, cluster: Cluster) -> str:
        cluster.patch_node(
            self.node, spec={"unschedulable": None}, annotations=dict.fromkeys(self.KEYS)
        )
        done = "uncordoned" if self.node.unschedulable else "it was uncordoned already"
        return f"{self.node}: {done}"

    def expire(self, cluster: Cluster) -> Outcome:
        if self.node.unschedulable:
            return super().expire(cluster)
        return self.expired(self.release(cluster), self.EXPIRED)

    @classmethod
    def noted(cls, notes: Notes) -> Optional[Note]:
        """None where there is none, or it says nothing."""
        try:
            return Note.of_dict(json.loads(notes[cls.KEYS[0]]))
        except (KeyError, ValueError, AttributeError, TypeError):
            return None

    @classmethod
    def annotation(cls, note: Note) -> Dict[str, str]:
        """What is written on the node, and in the ledger."""
        return {cls.KEYS[0]: json.dumps(note.to_dict(), sort_keys=True)}
