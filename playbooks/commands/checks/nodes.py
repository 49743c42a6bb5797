"""Which nodes the guards let a playbook change."""

from __future__ import annotations

from typing import Dict, List, Mapping

from playbooks.commands.checks.finding import FAILED, OK, Finding
from playbooks.core.cluster.manifest import reference
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.guards.guard import Context
from playbooks.core.guards.nodes import LastNodes
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.settings import read
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.memory.cluster import MemoryCluster
from playbooks.infrastructure.memory.ledger import MemoryLedger
from playbooks.infrastructure.this_pod import SystemClock, ThisPod

NODES = "nodes"

# Nodes that are named, at most.
MOST = 5


def look(
    cluster: ClusterObjects, playbook: Playbook, environment: Mapping[str, str]
) -> List[Finding]:
    """``environment``: of the function; what is not set has its default. Raises PlaybookError."""
    nodes = [Node(manifest) for manifest in cluster.list((NODES,))]
    endpoints = cluster.get([reference("v1", "Endpoints", "kubernetes", "default")])
    guard = _guard(playbook, environment, nodes, endpoints)
    answers = {node.name: guard.of_node(node) for node in nodes}
    refused = {name: answer.words for name, answer in answers.items() if answer.reason}
    number = f"{len(nodes) - len(refused)} of {len(nodes)} nodes"
    if len(refused) < len(nodes):
        return [Finding(NODES, OK, f"{playbook.name} may change {number}{_but(refused)}")]
    return [
        Finding(
            NODES,
            FAILED,
            f"{playbook.name} may change none of {len(nodes)} nodes{_but(refused)}",
            "deploy it with the setting in brackets, if you accept that",
        )
    ]


def _guard(
    playbook: Playbook,
    environment: Mapping[str, str],
    nodes: List[Node],
    endpoints: List[Dict[str, object]],
) -> LastNodes:
    known = {setting.name for setting in playbook.settings}
    given = {name: value for name, value in environment.items() if name in known and value}
    settings = read(playbook.settings, given)
    memory = MemoryCluster()
    for node in nodes:
        memory.put(node.manifest, "Node")
    for each in endpoints:
        memory.put(each, "Endpoints")
    collaborators = ClusterCollaborators(
        SystemClock(), ThisPod({}), memory, StoredLedger(MemoryLedger())
    )
    reaction = playbook.build(settings, collaborators)
    return LastNodes.of(Context(playbook.name, settings, collaborators, reaction))


def _but(refused: Mapping[str, str]) -> str:
    named = list(refused.values())[:MOST]
    more = f"; and {len(refused) - MOST} more" * (len(refused) > MOST)
    return f": {'; '.join(named)}{more}" if named else ""
