"""The guard of the nodes without which a cluster stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, List

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.cluster.node import Node
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.ports import Cluster
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Setting, yes_or_no


@dataclass(frozen=True)
class LastNodes(Guard):
    """Never a control-plane node, never the last one that takes the pods it takes. What keeps no
    pod away, such as the taint `PreferNoSchedule`, passes.

    A node is of the control plane by its labels, or where an API server runs on it: where one of
    its addresses is an endpoint of the Service ``kubernetes``.
    """

    cluster: Cluster
    reaction: Reaction
    allow_last_node: bool = False
    allow_control_plane: bool = False

    REASONS = ("control-plane-node", "last-node")
    SETTINGS = (
        Setting(
            "ALLOW_LAST_NODE",
            yes_or_no,
            "false",
            "Also keep pods away from a node where no other node takes its pods, as on a cluster"
            " of one node. New pods then stay pending",
        ),
        Setting(
            "ALLOW_CONTROL_PLANE",
            yes_or_no,
            "false",
            "Also keep pods away from a node of the control plane",
        ),
    )
    OFF = "`ALLOW_LAST_NODE=true`, `ALLOW_CONTROL_PLANE=true`"

    @classmethod
    def of(cls, context: Context) -> LastNodes:
        allowed = (context.settings[setting.name] for setting in cls.SETTINGS)
        return cls(context.acting.cluster, context.reaction, *allowed)

    def of_action(self, case: Case, action: Action) -> Answer:
        return self.of_node(action.node) if action.node else PASSED

    def of_node(self, node: Node) -> Answer:
        if not self.reaction.keeps_pods_away:
            return Answer(f"no pod is kept away from {node}")
        if not self.allow_control_plane:
            why = control_plane(node, self.cluster)
            if why:
                return Answer.refused("control-plane-node", f"{why} (ALLOW_CONTROL_PLANE=true)")
        others = others_that_take_pods(node, self.cluster.nodes(), self.reaction)
        if not others and not self.allow_last_node:
            return Answer.refused(
                "last-node",
                f"no other node takes the pods that {node.name} takes (ALLOW_LAST_NODE=true)",
            )
        number = f"{len(others)} other node{'s' * (len(others) != 1)}"
        role = "may be" if self.allow_control_plane else "is not"
        return Answer(f"{node} {role} of the control plane, and {number} can take its pods")


def control_plane(node: Node, cluster: Cluster) -> str:
    """How it is known that the node is of the control plane, or empty."""
    if node.control_plane:
        return f"{node} is of the control plane"
    served = sorted(set(node.addresses) & set(cluster.api_servers()))
    return f"{node} runs an API server, at {served[0]}" if served else ""


def others_that_take_pods(node: Node, nodes: Iterable[Node], reaction: Reaction) -> List[Node]:
    """The nodes that take the pods of ``node``, but for those that the reaction contained."""
    return [
        n for n in nodes if n.name != node.name and n.takes_pods_of(node) and not reaction.counts(n)
    ]
