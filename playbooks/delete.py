"""Delete the pod that an alert is about, once its uid or a container id proves it."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.delete_pod import DeletePod


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return DeletePod(
        collaborators.cluster,
        collaborators.clock,
        Proof.with_settings(collaborators.cluster, collaborators.clock, settings),
        grace_period_seconds=settings["GRACE_PERIOD_SECONDS"],
        evidence=collaborators.evidence,
        evidence_required=settings["EVIDENCE_REQUIRED"],
    )


playbook = Playbook("delete", DeletePod, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
