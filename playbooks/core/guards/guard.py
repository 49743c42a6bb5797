"""What a guard is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Hashable, Optional, Tuple

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.alert import Alert
from playbooks.core.cluster.changes import Rule
from playbooks.core.instant import Instant
from playbooks.core.ports import ClusterCollaborators, Collaborators
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Setting, Settings


@dataclass(frozen=True)
class Case:
    """One alert on its way. ``now``: the time of asking, for a ``recorded`` alert its own.

    ``released_by``: the person who let a held alert go on. ``dry_run``: nothing may be written.
    ``received``: when the broker stored the alert, None where nobody says.
    """

    alert: Alert
    now: Instant
    released_by: str = ""
    dry_run: bool = False
    received: Optional[Instant] = None
    recorded: bool = False


@dataclass(frozen=True)
class Context:
    """What a guard is made of: the playbook that it belongs to, wired. ``chain``: the name of the
    one whose step it is, or empty."""

    playbook: str
    settings: Settings
    collaborators: Collaborators
    reaction: Reaction
    chain: str = ""

    @property
    def acts(self) -> bool:
        """Whether the playbook acts on the cluster, and so looks its target up there."""
        return isinstance(self.collaborators, ClusterCollaborators)

    @property
    def acting(self) -> ClusterCollaborators:
        """The collaborators of a playbook that acts on the cluster."""
        assert isinstance(self.collaborators, ClusterCollaborators)
        return self.collaborators


class Guard(ABC):
    """One rule that can stop a playbook before it acts: asked of the alert, before any call is
    made, and of the action, once its target is proven. Most have a word in one of the two only.

    Either raises a PlaybookError where it cannot be evaluated: the alert has failed then, and is
    not acted upon.

    ``REASONS``: the codes of its refusals. ``OFF``: how to turn it off, or why that cannot be.
    ``ACTING``: it is asked of playbooks only that act on the cluster.
    ``RULES``: what of it the API server can hold changes in namespaces to as well.
    ``KEEPS_COUNT``: asking it twice of one action may not be the same as asking it once.
    ``HOLDS``: what it refuses of a proven target is held for a person; else it is what the operator
    asked for.
    """

    REASONS: Tuple[str, ...] = ()
    SETTINGS: Tuple[Setting, ...] = ()
    OFF: str = ""
    ACTING: bool = True
    RULES: Tuple[Rule, ...] = ()
    KEEPS_COUNT: bool = False
    HOLDS: bool = True

    def check(self) -> None:
        """Raises the PlaybookError for which it could be asked about no alert at all."""
        return

    @classmethod
    @abstractmethod
    def of(cls, context: Context) -> Guard:
        """The guard of one playbook, with its settings."""

    def of_alert(self, case: Case) -> Answer:
        return PASSED

    def of_action(self, case: Case, action: Action) -> Answer:
        return PASSED

    def seen(self, alert: Alert) -> Hashable:
        """What of the alert, beside its target, the answer about an action depends on: alerts about
        one target that have that in common are answered alike."""
        return None
