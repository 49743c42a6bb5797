"""Cordon the node on which the pod of an alert runs, so that it takes no new pods."""

from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.nodes.cordon_node import CordonNode


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return CordonNode(
        collaborators.cluster,
        collaborators.ledger,
        Proof.with_settings(collaborators.cluster, collaborators.clock, settings),
        Lifetime(collaborators.clock, settings["CORDON_TTL"]),
        host=settings["CORDON_HOST"],
    )


playbook = Playbook("cordon", CordonNode, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
