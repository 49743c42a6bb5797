"""The taints of ours on one node as they stand in the cluster, and how they come off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional

from playbooks.core.cluster.node import Node, Taint, shown
from playbooks.core.containment.isolation import LONGEST_RULE, instant
from playbooks.core.instant import Instant
from playbooks.core.ports import Cluster

# JSON: each taint as kubectl writes it, and when, why and until when it was added. One node may
# have several, of playbooks with another key or effect.
TAINTS = "falco/taints"


@dataclass(frozen=True)
class Tainting:
    node: Node

    @property
    def marks(self) -> Dict[str, TaintMark]:
        return marks(self.node)

    @property
    def there(self) -> bool:
        return TAINTS in self.node.annotations

    def changed(self, mark: str) -> Optional[Taint]:
        """What somebody made of a taint of ours: one of its key and effect with another value."""
        if any(shown(taint) == mark for taint in self.node.taints):
            return None
        return next(
            (taint for taint in self.node.taints if _place(shown(taint)) == _place(mark)), None
        )

    def changes(self, marks: Iterable[str]) -> List[str]:
        """The same in words."""
        found = ((mark, self.changed(mark)) for mark in marks)
        return [f"taint {mark} was changed to {shown(taint)}" for mark, taint in found if taint]

    def end(self, marks: Iterable[str], cluster: Cluster) -> List[str]:
        """Take these taints of ours off, also in what somebody made of them, and nothing else.
        The answer has those that were still there.

        Raises NotFound, or Conflict where the node was written since it was read.
        """
        over = set(marks)
        places = {_place(mark) for mark in over}
        removed = [t for t in self.node.taints if _place(shown(t)) in places]
        kept = [taint for taint in self.node.taints if taint not in removed]
        left = {mark: entry for mark, entry in self.marks.items() if mark not in over}
        cluster.patch_node(self.node, spec={"taints": kept}, annotations=annotation(left))
        return [shown(taint) for taint in removed]


def _place(taint: str) -> str:
    """Key and effect: a node has one taint of both."""
    key, _, effect = taint.rpartition(":")
    return f"{key.partition('=')[0]}:{effect}"


@dataclass(frozen=True)
class TaintMark:
    """``until``: when the taint comes off by itself, None where it does not."""

    at: str = ""
    rule: str = ""
    reason: str = ""
    until: Optional[Instant] = None

    def to_dict(self) -> Dict[str, str]:
        written = {
            "at": self.at,
            "rule": self.rule[:LONGEST_RULE],
            "reason": self.reason,
            "until": str(self.until) if self.until else "",
        }
        return {key: value for key, value in written.items() if value}


Marks = Mapping[str, TaintMark]


def marks(node: Node) -> Dict[str, TaintMark]:
    """By taint; none where the annotation is missing or says nothing."""
    try:
        found = json.loads(node.annotations.get(TAINTS, "{}"))
        return {str(taint): _mark(entry) for taint, entry in found.items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def annotation(marks: Marks) -> Dict[str, Optional[str]]:
    """The annotation to set, or to take off where there are none."""
    written = {taint: mark.to_dict() for taint, mark in marks.items()}
    return {TAINTS: json.dumps(written, sort_keys=True) if written else None}


def _mark(entry: Mapping[str, Any]) -> TaintMark:
    at, rule, reason = (str(entry.get(key, "")) for key in ("at", "rule", "reason"))
    return TaintMark(at, rule, reason, instant(str(entry.get("until", ""))))
