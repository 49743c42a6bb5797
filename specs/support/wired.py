"""A clock that an example moves on, and what a playbook does in memory without its guards."""

from __future__ import annotations

from typing import Any, Optional

from playbooks.core.alert import Alert
from playbooks.core.instant import Instant, after
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Clock, Cluster
from playbooks.core.settings import read
from playbooks.testing import NOW, an_alert, some_collaborators


class MovingClock(Clock):
    """``seconds``: that have passed since NOW."""

    seconds = 0.0

    def now(self) -> Instant:
        return after(NOW, self.seconds)


def reacted(
    playbook: Playbook,
    cluster: Cluster,
    alert: Optional[Alert] = None,
    *,
    wired: Optional[Any] = None,
    **settings: str,
) -> Outcome:
    """``wired``: other collaborators than ``some_collaborators(cluster)``."""
    collaborators = wired or some_collaborators(cluster)
    reaction = playbook.build(read(playbook.settings, settings), collaborators)
    return reaction.run(alert or an_alert())
