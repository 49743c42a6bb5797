"""Which nodes the guards let a playbook change."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence

from playbooks.commands.checks.finding import FAILED, MOST, OK, WARNING, Finding, listed
from playbooks.commands.checks.serving import Checked
from playbooks.core.cluster.manifest import reference
from playbooks.core.cluster.node import Node
from playbooks.core.guards.guard import Context
from playbooks.core.guards.nodes import LastNodes
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.settings import read
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.memory.cluster import MemoryCluster, MemoryLedger
from playbooks.infrastructure.this_pod import SystemClock, ThisPod

NODES = "nodes"


def look(checked: Checked) -> List[Finding]:
    """Nothing for a playbook that changes none. Raises PlaybookError."""
    cluster, playbook, own = checked.cluster, checked.playbook, checked.served.deployed
    if playbook.reaction.TARGETS != NODES:
        return []
    nodes = [Node(manifest) for manifest in cluster.list((NODES,))]
    endpoints = cluster.get([reference("v1", "Endpoints", "kubernetes", "default")])
    context = _context(playbook, checked.environment, nodes, endpoints)
    guard = LastNodes.of(context)
    answers = {node.name: guard.of_node(node) for node in nodes}
    refused = {name: answer.words for name, answer in answers.items() if answer.reason}
    if own and context.reaction.evicts:
        only = own.nodes()
        if len(only) == 1 and only[0] not in refused:
            refused[only[0]] = f"node {only[0]} runs all workers of the playbook, which spares it"
    return [_changeable(playbook, nodes, refused), *_full(context, nodes)]


def _changeable(playbook: Playbook, nodes: Sequence[Node], refused: Mapping[str, str]) -> Finding:
    number = f"{len(nodes) - len(refused)} of {len(nodes)} nodes"
    if len(refused) < len(nodes):
        return Finding(NODES, OK, f"{playbook.name} may change {number}{_but(refused)}")
    return Finding(
        NODES,
        FAILED,
        f"{playbook.name} may change none of {len(nodes)} nodes, and can never act{_but(refused)}",
        "deploy it with the setting in brackets, if you accept that, or add nodes",
    )


def _full(context: Context, nodes: Sequence[Node]) -> List[Finding]:
    """Where MAX_NODES is reached, no other node is changed until one of these is released."""
    most = context.settings["MAX_NODES"]
    contained = sorted(node.name for node in nodes if context.reaction.counts(node))
    if most is None or len(contained) < most:
        return []
    said = f"{', '.join(contained[:MOST])} contained already, and MAX_NODES is {most}"
    undo = f"falco-playbook undo node/{contained[0]} -A"
    return [Finding(NODES, WARNING, f"{said}: alerts about other nodes are held", undo)]


def _context(
    playbook: Playbook,
    environment: Mapping[str, str],
    nodes: List[Node],
    endpoints: List[Dict[str, object]],
) -> Context:
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
    return Context(playbook.name, settings, collaborators, reaction)


def _but(refused: Mapping[str, str]) -> str:
    return f": {listed(list(refused.values()))}" if refused else ""
