"""The cluster as undo and sweep act on it: by the API, with the preconditions that kubectl has no
words for. It is the one that kubectl would take; in a pod without a kubeconfig, the pod's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Tuple

from playbooks.core.ports import Clock, Cluster, LedgerStore
from playbooks.infrastructure.kubernetes.api import KubernetesApi, connect_as_kubectl
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger
from playbooks.infrastructure.this_pod import SystemClock

# Namespace and name of a ConfigMap.
Place = Tuple[str, str]


@dataclass(frozen=True)
class Reach:
    clock: Clock
    cluster: Cluster
    ledger: Callable[[Place], LedgerStore]


def reach() -> Reach:
    """Nothing is connected yet."""
    api = KubernetesApi(connect=connect_as_kubectl)

    def ledger(place: Place) -> LedgerStore:
        return ConfigMapLedger(api, namespace=place[0], name=place[1])

    return Reach(SystemClock(), KubernetesCluster(api), ledger)
