"""Label and annotate the pod that an alert is about, or its node."""

from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.label_target import LabelTarget


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return LabelTarget(
        collaborators.cluster,
        collaborators.ledger,
        Proof.with_settings(collaborators.cluster, collaborators.clock, settings),
        Lifetime(collaborators.clock, settings["LABEL_TTL"]),
        labels=settings["LABELS"],
        annotations=settings["ANNOTATIONS"],
        target=settings["LABEL_TARGET"],
    )


playbook = Playbook("label", LabelTarget, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
