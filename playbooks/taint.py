"""Taint the node on which the pod of an alert runs, and keep its other taints."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Reaction
from playbooks.core.proof import Proof
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure.clock import SystemClock
from playbooks.infrastructure.kubernetes_cluster import KubernetesCluster
from playbooks.reactions.taint_node import TaintNode


def build(settings: Settings) -> Reaction:
    cluster = KubernetesCluster()
    return TaintNode(
        cluster,
        Proof.with_settings(cluster, SystemClock(), settings),
        key=settings["TAINT_KEY"],
        value=settings["TAINT_VALUE"],
        effect=settings["TAINT_EFFECT"],
        taint_host=settings["TAINT_HOST"],
        dry_run=settings["DRY_RUN"],
    )


playbook = Playbook("taint", TaintNode, build, packages=("kubernetes",))
handler = kubeless.handler(playbook)
