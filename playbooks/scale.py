"""Scale the workload that owns the pod of an alert, to none of its pods unless told otherwise."""

from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.scale_workload import ScaleWorkload


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return ScaleWorkload(
        collaborators.cluster,
        collaborators.ledger,
        Proof.with_settings(collaborators.cluster, collaborators.clock, settings),
        Lifetime(collaborators.clock, settings["SCALE_TTL"]),
        to=settings["SCALE_TO"],
    )


playbook = Playbook("scale", ScaleWorkload, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
