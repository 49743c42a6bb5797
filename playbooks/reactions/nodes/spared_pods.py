"""Pods that a reaction on a node leaves: those that the guards would not let be deleted."""

from __future__ import annotations

from typing import Sequence

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.pod import Pod
from playbooks.core.guards.exempt import Exemptions
from playbooks.core.guards.guard import Case, Guard
from playbooks.core.guards.own import OwnPods
from playbooks.core.guards.protected import ProtectedNamespaces, ProtectedOwners
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, ClusterCollaborators
from playbooks.core.settings import Settings


class SparedPods:
    """The guards of the playbook were asked of the alert's own pod only."""

    def __init__(self, guards: Sequence[Guard], clock: Clock) -> None:
        self._guards = guards
        self._clock = clock

    @classmethod
    def of(
        cls, playbook: str, settings: Settings, collaborators: ClusterCollaborators
    ) -> SparedPods:
        cluster = collaborators.cluster
        guards = (
            OwnPods(collaborators.own_pod, cluster),
            ProtectedNamespaces(settings["PROTECTED_NAMESPACES"], cluster),
            ProtectedOwners(settings["ALLOW_OWNERS"], settings["PROTECTED_OWNERS_IN"], cluster),
            Exemptions(playbook, cluster, settings["EXEMPT_PODS"]),
        )
        return cls(guards, collaborators.clock)

    def why(self, alert: Alert, pod: Pod) -> str:
        """Why the pod stays, in words, or empty. Raises a PlaybookError."""
        case = Case(alert, self._clock.now())
        action = Action("evict", str(pod), f"evict {pod}", _not_carried_out, pod=pod)
        answers = (guard.of_action(case, action) for guard in self._guards)
        return next((answer.words for answer in answers if answer.reason), "")


def _not_carried_out() -> Outcome:
    raise NotImplementedError("guards are asked about it, and nothing else")
