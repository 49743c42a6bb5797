"""Answer an alert with several playbooks, one after the other."""

from __future__ import annotations

from typing import Optional, Union

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.chain.steps import STEPS
from playbooks.core.cluster import api_object
from playbooks.core.outcome import Outcome
from playbooks.core.reaction import Reaction, Verified


class ChainOfSteps(Reaction):
    """What is declared of a chain whatever its steps are: these have reactions of their own."""

    TARGETS = "pods"
    # A pod that one step changed is no longer as it is remembered.
    VIEW = False
    KINDS = ("Pod", "Node", *(kind.kind for kind in api_object.KINDS))
    SETTINGS = (STEPS,)

    def verify(self, action: Action) -> Optional[Verified]:  # noqa: ARG002
        """Each step looks for itself."""
        return None

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        raise NotImplementedError("a chain is answered by its steps")
