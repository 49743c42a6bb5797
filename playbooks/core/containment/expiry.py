"""Ending what is contained for a time only, once that is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, List, Mapping, Optional, Set, Tuple, Type

from playbooks.core.containment.containment import Containment, Target, read_again
from playbooks.core.errors import Conflict, NotFound, PlaybookError
from playbooks.core.outcome import Outcome, Status
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Clock, Cluster, ClusterCollaborators, Collaborators
from playbooks.core.settings import read

Paused = Callable[[], str]


class Expiry:
    """Several may run at the same time, and at any time anew: what is over is over for all.

    ``paused`` says who paused the playbook, or nothing; asked only when something is due.
    ``namespaces``: names or globs of those that are looked at; none means all.
    """

    def __init__(
        self,
        containment: Type[Containment],
        cluster: Cluster,
        clock: Clock,
        paused: Paused,
        namespaces: Tuple[str, ...] = (),
    ) -> None:
        self._containment = containment
        self._cluster = cluster
        self._clock = clock
        self._paused = paused
        self._namespaces = namespaces
        self._said: Set[str] = set()

    def once(self) -> List[Outcome]:
        """What was done, what failed, and, once, what is left alone.

        One call where nothing is due. Raises a PlaybookError where it cannot look.
        """
        listed = self._containment.listed(self._cluster, self._namespaces)
        now = self._clock.now()
        due = [target for target in listed if self._containment.is_due(target, now)]
        paused = self._paused() if due else ""
        if paused:
            ended = [Outcome.skipped("paused", f"nothing is ended: {paused}")]
        else:
            ended = [outcome for target in due for outcome in self._ended(target)]
        return [outcome for outcome in ended if not self._known(outcome)]

    def _ended(self, target: Target) -> List[Outcome]:
        try:
            outcome = self._end(target)
        except (Conflict, NotFound):
            # Somebody else wrote it meanwhile: the next look sees what is left.
            return []
        except PlaybookError as error:
            outcome = replace(Outcome.failed(error), target=str(target))
        return [outcome] if outcome else []

    def _end(self, listed: Target) -> Optional[Outcome]:
        """None: somebody else was faster. What was listed may be some seconds old."""
        target = read_again(self._containment, listed, self._cluster)
        now = self._clock.now()
        if not self._containment.is_due(target, now):
            return None
        found = self._containment.of(target, self._cluster).over(now)
        return found.left_alone(found.changes) if found.changes else found.expire(self._cluster)

    def _known(self, outcome: Outcome) -> bool:
        if outcome.status is not Status.SKIPPED:
            return False
        known = outcome.message in self._said
        self._said.add(outcome.message)
        return known


def expiry(
    playbook: Playbook, environ: Mapping[str, str], collaborators: Optional[Collaborators] = None
) -> Optional[Expiry]:
    """None where nothing that the playbook contains ends by itself, and in a dry run.

    Raises InvalidSetting.
    """
    settings = read(playbook.settings, environ)
    ttl, containment = playbook.reaction.TTL, playbook.reaction.CONTAINMENT
    if containment is None or not ttl or settings[ttl] is None or settings["DRY_RUN"]:
        return None
    collaborators = collaborators or playbook.collaborators(playbook.name, settings)
    assert isinstance(collaborators, ClusterCollaborators)
    return Expiry(
        containment,
        collaborators.cluster,
        collaborators.clock,
        collaborators.ledger.paused,
        settings["NAMESPACES"],
    )
