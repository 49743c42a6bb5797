"""Puts on record what a person undid: an Event on the object, and a message in the stream."""

from __future__ import annotations

import json
import socket
import time
from typing import List

from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.notifications import kinds
from playbooks.core.notifications.event import event
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.workers import in_pod
from playbooks.deployment.workers.deployed_function import find
from playbooks.engines.outcome_log import line
from playbooks.engines.worker.operator.protocol import NOTE


def put_on_record(
    cluster: ClusterObjects,
    *,
    namespace: str,
    function: str,
    playbook: str,
    target_ref: TargetRef,
    message: str,
    by: str,
) -> List[str]:
    """An Event on the object, and a message in the stream of ``function`` (in ``namespace``; empty
    where it is not known) where it has a worker. ``target_ref.verb`` is ``undo``, ``message`` says
    what was undone.

    Never raises: returns what could not be recorded, in words.
    """
    outcome = kinds.undone(target_ref, message, by)
    problems = []
    try:
        _make_event(cluster, outcome, namespace, function, playbook)
    except PlaybookError as error:
        problems.append(f"there is no Event about it: {error}")
    if not function:
        return problems
    try:
        why = _note(cluster, outcome, namespace, function, playbook)
    except PlaybookError as error:
        why = str(error)
    return [*problems, *([f"it is not in the stream: {why}"] if why else [])]


def _note(
    cluster: ClusterObjects, outcome: Outcome, namespace: str, function: str, playbook: str
) -> str:
    """Why it is not in the stream; empty where it is, or where there is none. Raises a
    PlaybookError."""
    try:
        deployed = find(cluster, namespace, function)
    except DeploymentError:
        # Without a worker there is no stream.
        return ""
    document = json.dumps(line(playbook, None, outcome))
    return in_pod.run(deployed, NOTE, "--uid", deployed.uid, "--document", document).why


def _make_event(
    cluster: ClusterObjects, outcome: Outcome, namespace: str, function: str, playbook: str
) -> None:
    made = event(
        outcome,
        Instant(time.time_ns()),
        playbook=playbook,
        function=function,
        home=namespace,
        instance=socket.gethostname() or "unknown",
    )
    if made is not None:
        cluster.create([made])
