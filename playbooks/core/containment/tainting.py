"""The taints of ours on one node as they stand in the cluster, and how they come off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional

from playbooks.core.cluster.node import Node, Taint, shown
from playbooks.core.containment import taint_marks
from playbooks.core.containment.taint_marks import TAINTS, TaintMark
from playbooks.core.ports import Cluster


@dataclass(frozen=True)
class Tainting:
    node: Node

    @property
    def marks(self) -> Dict[str, TaintMark]:
        return taint_marks.marks(self.node)

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
        cluster.set_taints(self.node, taints=kept, annotations=taint_marks.annotation(left))
        return [shown(taint) for taint in removed]


def _place(taint: str) -> str:
    """Key and effect: a node has one taint of both."""
    key, _, effect = taint.rpartition(":")
    return f"{key.partition('=')[0]}:{effect}"
