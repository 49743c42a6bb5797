"""Keep evidence of the pod that an alert is about, and leave it running."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.keep_evidence import KeepEvidence


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return KeepEvidence(
        collaborators.ledger,
        collaborators.clock,
        Proof.with_settings(collaborators.cluster, collaborators.clock, settings),
        collaborators.evidence,
    )


playbook = Playbook("evidence", KeepEvidence, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
