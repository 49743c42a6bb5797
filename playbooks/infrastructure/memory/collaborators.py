"""The collaborators of a playbook that acts on a cluster in memory."""

from __future__ import annotations

from playbooks.core.ports import ClusterCollaborators
from playbooks.core.settings import Settings
from playbooks.infrastructure import wiring
from playbooks.infrastructure.conditions import cel
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.memory.cluster import MemoryCluster, MemoryLedger
from playbooks.infrastructure.this_pod import SystemClock, ThisPod


def in_memory(cluster: MemoryCluster, playbook: str, settings: Settings) -> ClusterCollaborators:
    """Beside cluster and ledger those of a real cluster: who is told, and kept evidence."""
    clock, ledger = SystemClock(), StoredLedger(MemoryLedger())
    return ClusterCollaborators(
        clock,
        ThisPod(),
        cluster,
        ledger,
        wiring.recorders(playbook, settings, ledger, clock),
        wiring.evidence_of(settings, cluster, clock),
        cel.condition,
    )
