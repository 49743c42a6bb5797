"""The one way by which an operator releases what a playbook contained, which goes on record:
``falco-playbook undo``, and ``deploy_playbook -x --release``."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, replace
from typing import Callable, List, Sequence, Tuple, Type

from playbooks.core.cluster import api_object
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.cluster.workload import kind_of
from playbooks.core.containment.containment import Containment
from playbooks.core.errors import PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.notifications import kinds
from playbooks.core.notifications.event import event
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.removal.client import Client, FunctionLedger
from playbooks.deployment.workers import in_pod
from playbooks.deployment.workers.deployed_function import find
from playbooks.engines.outcome_log import line
from playbooks.engines.worker.operator.protocol import NOTE


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
        about = replace(target, uid=outcome.details["uid"])
        undone = kinds.undone(about, f"{outcome.message}; by {self.by}{self.why}", self.by)
        known = self.ledgers or [FunctionLedger(("", ""), "", self.playbook)]
        problems = [each for one in known for each in put_on_record(self.cluster, one, undone)]
        return outcome, [f"not recorded: {problem}" for problem in problems]


def put_on_record(cluster: ClusterObjects, known: FunctionLedger, undone: Outcome) -> List[str]:
    """What a person undid: an Event on the object, and a message in the stream of the function
    where it has a worker.

    Never raises: returns what could not be recorded, in words.
    """
    problems = []
    try:
        _make_event(cluster, known, undone)
    except PlaybookError as error:
        problems.append(f"there is no Event about it: {error}")
    try:
        why = _note(cluster, known, undone) if known.function else ""
    except PlaybookError as error:
        why = str(error)
    return [*problems, *([f"it is not in the stream: {why}"] if why else [])]


def _make_event(cluster: ClusterObjects, known: FunctionLedger, undone: Outcome) -> None:
    made = event(
        undone,
        Instant(time.time_ns()),
        playbook=known.playbook,
        function=known.function,
        home=known.place[0],
        instance=socket.gethostname() or "unknown",
    )
    if made is not None:
        cluster.create([made])


def _note(cluster: ClusterObjects, known: FunctionLedger, undone: Outcome) -> str:
    """Why it is not in the stream; empty where it is, or where there is none. Raises a
    PlaybookError."""
    try:
        deployed = find(cluster, known.function, known.place[0])
    except DeploymentError:
        # Without a worker there is no stream.
        return ""
    document = json.dumps(line(known.playbook, None, undone))
    words = ("--uid", deployed.uid, "--document", document)
    return in_pod.run(deployed, NOTE, *words, within=in_pod.WITHIN).why


def target_ref(kind: str, name: str, namespace: str) -> TargetRef:
    """``kind``: as people type it."""
    found = api_object.kind_of(kind)
    named, api = (found.kind, found.api) if found else (kind_of(kind), "")
    return TargetRef("undo", named, name, namespace, "", api)
