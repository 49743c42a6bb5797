"""The guard of the nodes without which a cluster stands still."""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.core.action import Action
from playbooks.core.answer import PASSED, Answer
from playbooks.core.guards.guard import Case, Guard
from playbooks.core.node import Node
from playbooks.core.ports import Cluster


@dataclass(frozen=True)
class LastNodes(Guard):
    """Never a control-plane node, never the last one that takes pods."""

    cluster: Cluster

    REASONS = ("control-plane-node", "last-node")
    OFF = "always on"

    def of_action(self, case: Case, action: Action) -> Answer:
        node = action.node
        if node is None:
            return PASSED
        if node.control_plane:
            return Answer.refused("control-plane-node", f"{node} is of the control plane")
        others = [other for other in self.cluster.nodes() if _takes_pods(other, node)]
        if not others:
            return Answer.refused("last-node", f"no other node than {node.name} takes pods")
        number = f"{len(others)} other node{'s' * (len(others) > 1)}"
        return Answer(f"{node} is of no control plane, and {number} can take pods")


def _takes_pods(other: Node, node: Node) -> bool:
    return other.name != node.name and other.schedulable and other.ready
