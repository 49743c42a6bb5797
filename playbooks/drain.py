"""Drain the node on which the pod of an alert runs: cordon it, and evict its pods."""

from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.nodes.drain_node import DrainNode


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return DrainNode(
        collaborators.cluster,
        collaborators.ledger,
        Proof.with_settings(collaborators.cluster, collaborators.clock, settings),
        Lifetime(collaborators.clock, settings["DRAIN_TTL"]),
        host=settings["DRAIN_HOST"],
        timeout=settings["DRAIN_TIMEOUT"],
        namespaces=settings["NAMESPACES"],
    )


playbook = Playbook("drain", DrainNode, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
