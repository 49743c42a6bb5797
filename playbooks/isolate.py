"""Cut the pod of an alert off the network, and keep it for forensics."""

from playbooks.core.cluster.network_policy import Reachable
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.proof import Proof
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.isolate_pod import IsolatePod


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return IsolatePod(
        collaborators.cluster,
        collaborators.ledger,
        Proof.with_settings(collaborators.cluster, collaborators.clock, settings),
        Lifetime(collaborators.clock, settings["ISOLATE_TTL"]),
        direction=settings["ISOLATE_DIRECTION"],
        reachable=Reachable(
            settings["ISOLATE_ALLOW_CIDRS"],
            settings["ISOLATE_ALLOW_NAMESPACES"],
            settings["ISOLATE_ALLOW_DNS"],
        ),
        detach=settings["ISOLATE_DETACH"],
        policy=settings["ISOLATE_POLICY"],
        confirm=settings["ISOLATE_CONFIRM"],
    )


playbook = Playbook("isolate", IsolatePod, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
