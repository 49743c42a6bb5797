"""Answer an alert with several playbooks, one after the other: `STEPS=label,isolate,slack`."""

from playbooks.core.chain.playbook import Chain, ChainOfSteps
from playbooks.core.ports import Collaborators
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Settings
from playbooks.engines import kubeless
from playbooks.infrastructure import wiring


def build(_settings: Settings, _collaborators: Collaborators) -> Reaction:
    return ChainOfSteps()


playbook = Chain("chain", ChainOfSteps, build, wiring.kubernetes, packages=wiring.PACKAGES)
handler = kubeless.handler(playbook)
