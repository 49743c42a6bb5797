"""The cordon of ours on one node as it stands in the cluster, and how it comes off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Optional

from playbooks.core.cluster.node import Node
from playbooks.core.containment.containment import NodeContainment
from playbooks.core.containment.note import Note
from playbooks.core.instant import Instant
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

    NOTHING = "was not cordoned by a playbook"
    EXPIRED = "uncordoned"

    @property
    def target(self) -> Node:
        return self.node

    @classmethod
    def is_noted(cls, node: Node) -> bool:
        return node.unschedulable and CORDONED in node.annotations

    @classmethod
    def is_due(cls, target: Any, now: Instant) -> bool:
        found = note(target)
        return found is not None and (found.is_over(now) or not target.unschedulable)

    @classmethod
    def of(cls, target: Any, cluster: Cluster) -> Cordoning:  # noqa: ARG003
        return cls(target)

    @property
    def there(self) -> bool:
        return CORDONED in self.node.annotations

    @property
    def until(self) -> Optional[Instant]:
        found = note(self.node)
        return found.until if found else None

    def release(self, cluster: Cluster) -> str:
        cluster.patch_node(self.node, spec={"unschedulable": None}, annotations=annotation(None))
        done = "uncordoned" if self.node.unschedulable else "it was uncordoned already"
        return f"{self.node}: {done}"

    def expire(self, cluster: Cluster) -> Outcome:
        if self.node.unschedulable:
            return super().expire(cluster)
        return self.expired(self.release(cluster), self.EXPIRED)


def note(node: Node) -> Optional[Note]:
    """None where there is none, or it says nothing."""
    try:
        return Note.of_dict(json.loads(node.annotations[CORDONED]))
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


def annotation(note: Optional[Note]) -> Dict[str, Optional[str]]:
    """The annotation to set, or to take off."""
    return {CORDONED: json.dumps(note.to_dict(), sort_keys=True) if note else None}
