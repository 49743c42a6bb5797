"""Ending what is contained for a time only, once that is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, List, Mapping, Optional, Sequence, Set, Tuple, Type

from playbooks.core.cluster.api_object import replaced
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment.containment import Containment, Target
from playbooks.core.errors import Conflict, NotFound, PlaybookError
from playbooks.core.ledger.contained import Contained
from playbooks.core.outcome import Outcome, Status
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Clock, Cluster, ClusterCollaborators, Collaborators, Ledger
from playbooks.core.settings import matches_any, matching, read


class Expiry:
    """Several may run at the same time, and at any time anew: what is over is over for all.

    Ends nothing that ``ledger`` does not know, whatever stands on an object, and of that what is of
    one of the ``containments``. ``namespaces``: names or globs of those that are looked at; none
    means all. ``protected``: of those in which nothing is ended. ``reaches``: whether what is due
    in a namespace, or where that is empty, in none, can be the playbook's.
    """

    def __init__(
        self,
        containments: Sequence[Type[Containment]],
        cluster: Cluster,
        clock: Clock,
        ledger: Ledger,
        namespaces: Tuple[str, ...] = (),
        protected: Tuple[str, ...] = (),
        *,
        reaches: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._containments = containments
        self._cluster = cluster
        self._clock = clock
        self._ledger = ledger
        self._namespaces = namespaces
        self._protected = protected
        self._reaches = reaches
        self._said: Set[str] = set()

    def once(self) -> List[Outcome]:
        """What was done, what failed, and, once, what is left alone.

        One read of the ledger where nothing is due. Raises a PlaybookError where it cannot look.
        """
        known = self._ledger.contained().values()
        due = [
            (kind, each) for kind in self._containments for each in known if self._due(kind, each)
        ]
        paused = self._ledger.paused() if due else ""
        if paused:
            ended = [Outcome.skipped("paused", f"nothing is ended: {paused}")]
        else:
            ended = [outcome for kind, each in due for outcome in self._ended(kind, each)]
        return [outcome for outcome in ended if not self._was_said(outcome)]

    def _due(self, kind: Type[Containment], known: Contained) -> bool:
        namespace = known.namespace
        within = not namespace or matches_any(namespace, self._namespaces)
        if known.kind not in kind.KINDS or not within:
            return False
        try:
            return kind.is_due(known.notes, self._clock.now(), lambda: self._read(kind, known))
        except NotFound:
            return True

    def _ended(self, kind: Type[Containment], known: Contained) -> List[Outcome]:
        target = str(known)
        if not self._reaches(known.namespace):
            return []
        if matching(known.namespace, self._protected):
            said = f"{target} is due and left alone: its namespace is protected"
            return [Outcome.skipped("protected-namespace", said, target)]
        try:
            outcome = self._end(kind, known)
        except Conflict:
            # Somebody else wrote it meanwhile: the next look sees what is left.
            return []
        except PlaybookError as error:
            outcome = Outcome.failed(error, target)
        return [outcome] if outcome else []

    def _end(self, kind: Type[Containment], known: Contained) -> Optional[Outcome]:
        """None: it is gone, or somebody else was faster.

        The object is read before the ledger: whoever extends it then writes both after, and one of
        the two writers has a conflict.
        """
        try:
            target = self._read(kind, known)
        except NotFound:
            return self._ledger.release(known.uid, kind.KEYS)
        again, now = self._ledger.contained().get(known.uid), self._clock.now()
        if again is None or not kind.is_due(again.notes, now, lambda: target):
            return None
        if isinstance(target, Pod) and target.terminates_at:
            return None
        found = kind.of(target, self._cluster, again.notes).over(now)
        if found.changes:
            return found.left_alone(found.changes)
        try:
            outcome = found.expire(self._cluster)
        except NotFound:
            return None
        if outcome.status is Status.ACTED:
            self._ledger.release(known.uid, [key for key in kind.KEYS if key not in found.left])
            if found.left:
                self._ledger.contain(replace(again, notes=found.left))
        return outcome

    def _read(self, kind: Type[Containment], known: Contained) -> Target:
        """Raises NotFound where it is gone, also where another one has its name."""
        target = kind.read(self._cluster, known.kind, known.name, known.namespace)
        if target.uid != known.uid:
            raise NotFound(replaced(target, known.uid))
        return target

    def _was_said(self, outcome: Outcome) -> bool:
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
    ending = [kind for kind, ttl in playbook.containments if ttl and settings[ttl] is not None]
    if not ending or settings["DRY_RUN"]:
        return None
    collaborators = collaborators or playbook.collaborators(playbook.name, settings)
    assert isinstance(collaborators, ClusterCollaborators)
    beside = (collaborators.cluster, collaborators.clock, collaborators.ledger)
    within = (settings["NAMESPACES"], settings["PROTECTED_NAMESPACES"])
    return Expiry(ending, *beside, *within)
