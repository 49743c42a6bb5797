"""Taint the node on which the pod of an alert runs, and keep its other taints."""

from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.nodes.taint_node import TaintNode


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return TaintNode(
        collaborators.cluster,
        collaborators.ledger,
        Proof.with_settings(collaborators.cluster, collaborators.clock, settings),
        Lifetime(collaborators.clock, settings["TAINT_TTL"]),
        key=settings["TAINT_KEY"],
        value=settings["TAINT_VALUE"],
        effect=settings["TAINT_EFFECT"],
        host=settings["TAINT_HOST"],
    )


playbook = Playbook("taint", TaintNode, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
