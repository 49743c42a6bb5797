"""Delete the object that an audit alert reports as just created, such as a RoleBinding."""

from playbooks.core.playbook import Playbook
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring
from playbooks.reactions.revoke_object import RevokeObject


def build(settings: Settings, collaborators: ClusterCollaborators) -> Reaction:
    return RevokeObject(
        collaborators.cluster,
        collaborators.ledger,
        kinds=settings["REVOKE_KINDS"],
        own=collaborators.own_pod.namespace,
    )


playbook = Playbook("revoke", RevokeObject, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
