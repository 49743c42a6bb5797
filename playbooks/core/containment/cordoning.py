"""The cordon of ours on one node as it stands in the cluster, and how it comes off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, ClassVar, Tuple

from playbooks.core.cluster.node import Node
from playbooks.core.containment.containment import NodeContainment, NotedContainment
from playbooks.core.containment.note import Note
from playbooks.core.instant import Instant
from playbooks.core.ledger.contained import Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster

# JSON: when, why and until when a playbook cordoned the node.
CORDONED = "falco/cordoned"


@dataclass(frozen=True)
class Cordoning(NodeContainment, NotedContainment[Note]):
    """Without a note of ours, a node was cordoned by somebody else.

    A node that somebody uncordoned is ours no longer: expiry takes the note off as soon as it
    looks, before somebody cordons the node again for reasons of their own.
    """

    target: Node

    KEYS: ClassVar[Tuple[str, ...]] = (CORDONED,)
    NOTHING = "was not cordoned by a playbook"
    EXPIRED = "uncordoned"

    @classmethod
    def is_noted(cls, node: Node) -> bool:
        return node.unschedulable and cls.KEYS[0] in node.annotations

    @classmethod
    def is_due(cls, notes: Notes, now: Instant, look: Callable[[], Any]) -> bool:
        found = cls.noted(notes)
        return found is not None and (found.is_over(now) or not look().unschedulable)

    def release(self, cluster: Cluster) -> str:
        cluster.patch_node(
            self.target, spec={"unschedulable": None}, annotations=dict.fromkeys(self.KEYS)
        )
        done = "uncordoned" if self.target.unschedulable else "it was uncordoned already"
        return f"{self.target}: {done}"

    def expire(self, cluster: Cluster) -> Outcome:
        if self.target.unschedulable:
            return super().expire(cluster)
        return self.expired(self.release(cluster), self.EXPIRED)
