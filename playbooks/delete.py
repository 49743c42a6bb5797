"""Delete the pod that an alert is about, once its uid or a container id proves it."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Reaction
from playbooks.core.proof import Proof
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure.clock import SystemClock
from playbooks.infrastructure.kubernetes_cluster import KubernetesCluster
from playbooks.reactions.delete_pod import DeletePod


def build(settings: Settings) -> Reaction:
    cluster, clock = KubernetesCluster(), SystemClock()
    return DeletePod(
        cluster,
        clock,
        Proof.with_settings(cluster, clock, settings),
        grace_period_seconds=settings["GRACE_PERIOD_SECONDS"],
        dry_run=settings["DRY_RUN"],
    )


playbook = Playbook("delete", DeletePod, build, packages=("kubernetes",))
handler = kubeless.handler(playbook)
