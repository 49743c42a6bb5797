"""What a playbook is wired to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from playbooks.core.ports import Clock, Cluster, Evidence, Home, LedgerStore, Recorder


@dataclass(frozen=True)
class World:
    clock: Clock
    home: Home


@dataclass(frozen=True)
class ClusterWorld(World):
    """For playbooks that act on the cluster. ``recorders`` hear of every final outcome.
    ``evidence`` None: none is kept."""

    cluster: Cluster
    ledger: LedgerStore
    recorders: Tuple[Recorder, ...] = ()
    evidence: Optional[Evidence] = None
