"""Delete the pod that an alert is about, once its uid or a container id proves it."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterWorld, Reaction
from playbooks.core.proof import Proof
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.delete_pod import DeletePod


def build(settings: Settings, world: ClusterWorld) -> Reaction:
    return DeletePod(
        world.cluster,
        world.clock,
        Proof.with_settings(world.cluster, world.clock, settings),
        grace_period_seconds=settings["GRACE_PERIOD_SECONDS"],
        evidence=world.evidence,
        evidence_required=settings["EVIDENCE_REQUIRED"],
    )


playbook = Playbook("delete", DeletePod, build, wiring.kubernetes, packages=("kubernetes",))
handler = kubeless.handler(playbook)
