"""The real world of a playbook that acts on the cluster."""

from __future__ import annotations

from playbooks.core.settings import Settings
from playbooks.core.world import ClusterWorld
from playbooks.infrastructure.clock import SystemClock
from playbooks.infrastructure.config_map_ledger import ConfigMapLedger
from playbooks.infrastructure.home import ThisPod
from playbooks.infrastructure.kubernetes_api import KubernetesApi
from playbooks.infrastructure.kubernetes_cluster import KubernetesCluster


def kubernetes(playbook: str, settings: Settings) -> ClusterWorld:
    """The cluster of the pod, or that of the kubeconfig. Nothing is connected yet."""
    api, home = KubernetesApi(), ThisPod()
    function = "" if settings["LEDGER"] else f"falco-{playbook}"
    namespace, name = settings["LEDGER"] or ("", f"{function}-ledger")
    ledger = ConfigMapLedger(
        api, namespace=namespace or home.namespace, name=name, function=function
    )
    return ClusterWorld(SystemClock(), home, KubernetesCluster(api), ledger)
