"""The one way by which an operator releases what a playbook contained, which goes on record:
``falco-playbook undo``, and ``deploy_playbook -x --release``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, List, Sequence, Tuple, Type

from playbooks.core.cluster import api_object
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.workload import kind_of
from playbooks.core.containment.containment import Containment
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.deployment.removal.client import Client, FunctionLedger
from playbooks.deployment.removal.on_record import put_on_record


@dataclass(frozen=True)
class Release:
    """Of one object. ``ledgers``: those that know it, and that exempt it from then on; of their
    functions it goes on record, or of ``playbook`` alone where there are none. ``by``: who releases
    it; ``why``, as words that follow these.
    """

    cluster: ClusterObjects
    client: Client
    containment: Type[Containment]
    target: TargetRef
    ledgers: Sequence[FunctionLedger]
    playbook: str
    by: str
    why: str = ""

    def run(
        self, told: Callable[[Outcome], None], *, force: bool = False
    ) -> Tuple[Outcome, List[str]]:
        """The outcome, of which ``told`` hears before it is put on record; and what could not be
        put on record, in words: what is released stays released. ``force``: as for Undo. Raises a
        PlaybookError where the object stays contained."""
        places = [each.place for each in self.ledgers]
        undo = self.client.undo(self.containment, places, self.by, force=force)
        target = self.target
        outcome = undo.undo(target.name, namespace=target.namespace, kind=target.kind.lower())
        told(outcome)
        if outcome.reason != "undone":
            return outcome, []
        problems = []
        for each in self.ledgers or [FunctionLedger(("", ""), "", self.playbook)]:
            problems += put_on_record(
                self.cluster,
                namespace=each.place[0],
                function=each.function,
                playbook=each.playbook,
                target_ref=replace(target, uid=outcome.details["uid"]),
                message=f"{outcome.message}; by {self.by}{self.why}",
                by=self.by,
            )
        return outcome, [f"not recorded: {problem}" for problem in problems]


def target_ref(kind: str, name: str, namespace: str) -> TargetRef:
    """``kind``: as people type it."""
    found = api_object.kind_of(kind)
    named, api = (found.kind, found.api) if found else (kind_of(kind), "")
    return TargetRef("undo", named, name, namespace, "", api)
