"""The cluster as people act on it by the playbooks' own means, with preconditions that kubectl has
no words for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Tuple

from playbooks.core.ports import Clock, Cluster, LedgerStore
from playbooks.deployment.manifests.ledger import SUFFIX
from playbooks.infrastructure.kubernetes import connect
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger
from playbooks.infrastructure.this_pod import SystemClock

# Namespace and name of a ConfigMap.
Place = Tuple[str, str]


@dataclass(frozen=True)
class Reach:
    """``ledger``: the store in a ConfigMap."""

    clock: Clock
    cluster: Cluster
    ledger: Callable[[Place], LedgerStore]


def reach(context: str, kubeconfig: str = "") -> Reach:
    """The cluster that kubectl would take; in a pod without a kubeconfig, the pod's own.

    ``context``: of the kubeconfig, empty for the current one. Nothing is connected yet.
    """
    api = KubernetesApi(connect=lambda: connect.of_context(context, kubeconfig).connect())

    def ledger(place: Place) -> LedgerStore:
        namespace, name = place
        function = name[: -len(SUFFIX)] if name.endswith(SUFFIX) else ""
        return ConfigMapLedger(api, namespace=namespace, name=name, function=function)

    return Reach(SystemClock(), KubernetesCluster(api), ledger)
