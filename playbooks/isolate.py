"""Cut the pod of an alert off the network, and keep it for forensics."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Reaction
from playbooks.core.proof import Proof
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure.clock import SystemClock
from playbooks.infrastructure.kubernetes_cluster import KubernetesCluster
from playbooks.reactions.isolate_pod import IsolatePod


def build(settings: Settings) -> Reaction:
    cluster = KubernetesCluster()
    return IsolatePod(
        cluster,
        Proof.with_settings(cluster, SystemClock(), settings),
        direction=settings["ISOLATE_DIRECTION"],
        allow_cidrs=settings["ISOLATE_ALLOW_CIDRS"],
        detach=settings["ISOLATE_DETACH"],
        dry_run=settings["DRY_RUN"],
    )


playbook = Playbook("isolate", IsolatePod, build, packages=("kubernetes",))
handler = kubeless.handler(playbook)
