"""The guard of the nodes without which a cluster stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, List

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.cluster.node import Node
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.ports import Cluster


@dataclass(frozen=True)
class LastNodes(Guard):
    """Never a control-plane node, never the last one that takes pods."""

    cluster: Cluster

    REASONS = ("control-plane-node", "last-node")
    OFF = "always on"

    @classmethod
    def of(cls, context: Context) -> LastNodes:
        return cls(context.acting.cluster)

    def of_action(self, case: Case, action: Action) -> Answer:
        node = action.node
        if node is None:
            return PASSED
        if node.control_plane:
            return Answer.refused("control-plane-node", f"{node} is of the control plane")
        others = others_that_take_pods(node, self.cluster.nodes())
        if not others:
            return Answer.refused("last-node", f"no other node than {node.name} takes pods")
        number = f"{len(others)} other node{'s' * (len(others) > 1)}"
        return Answer(f"{node} is of no control plane, and {number} can take pods")


def others_that_take_pods(node: Node, nodes: Iterable[Node]) -> List[Node]:
    return [n for n in nodes if n.name != node.name and n.schedulable and n.ready]
