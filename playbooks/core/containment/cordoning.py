"""The cordon of ours on one node as it stands in the cluster, and how it comes off: alone, or of a
drain, which evicts the pods there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, ClassVar, Dict, Optional, Tuple

from playbooks.core.alert import Alert
from playbooks.core.cluster.node import Node
from playbooks.core.containment.containment import NodeContainment, NotedContainment
from playbooks.core.containment.note import Note
from playbooks.core.instant import Instant, instant_or_none
from playbooks.core.ledger.contained import Notes
from playbooks.core.ledger.counts import mark
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster

# JSON: when, why and until when a playbook cordoned the node.
CORDONED = "falco/cordoned"

# JSON: when, why and until when a playbook drained the node. In the ledger alone: how many pods it
# evicted so far; and while it is not done, for which alert and since when.
DRAINED, EVICTED, BEGUN = "falco/drained", "falco/evicted", "falco/drain-begun"

# The reason in the note of a node that somebody else had cordoned before.
FOUND_CORDONED = "found-cordoned"


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


@dataclass(frozen=True)
class Draining(Cordoning):
    """Pods that were evicted do not come back. A node that somebody else cordoned before stays
    cordoned."""

    KEYS = (DRAINED, EVICTED, BEGUN)
    NOTHING = "was not drained by a playbook"
    EXPIRED = "uncordoned"

    @property
    def theirs(self) -> bool:
        """Whether the cordon is somebody else's."""
        return self.note is not None and self.note.reason == FOUND_CORDONED

    def release(self, cluster: Cluster) -> str:
        if not self.theirs:
            return super().release(cluster)
        cluster.patch_node(self.target, spec={}, annotations=dict.fromkeys(self.KEYS))
        return f"{self.target}: it stays cordoned, as it was before"


@dataclass(frozen=True)
class Begun:
    """A drain that is not done. ``alert``: a mark of the one that it is for, by which the drain
    goes on once the alert's own pod is evicted."""

    alert: str
    at: Instant

    @classmethod
    def of(cls, notes: Notes) -> Optional[Begun]:
        alert, _, text = notes.get(BEGUN, "").partition(" ")
        at = instant_or_none(text)
        return cls(alert, at) if at else None

    def to_notes(self) -> Dict[str, str]:
        return {BEGUN: f"{self.alert} {self.at}"}

    @staticmethod
    def mark(alert: Alert) -> str:
        """Of the alert, however often it is delivered."""
        claim = alert.claim
        of_pod = (claim.namespace, claim.pod, claim.uid, claim.container_id, claim.node)
        return mark("/".join((str(alert.time), alert.rule, *of_pod)))


def evicted(notes: Notes) -> int:
    text: Optional[str] = notes.get(EVICTED)
    return int(text) if text and text.isdigit() else 0
