"""What a playbook is wired to."""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.core.ports import Clock, Cluster, Home, LedgerStore


@dataclass(frozen=True)
class World:
    clock: Clock
    home: Home


@dataclass(frozen=True)
class ClusterWorld(World):
    """For playbooks that act on the cluster."""

    cluster: Cluster
    ledger: LedgerStore
