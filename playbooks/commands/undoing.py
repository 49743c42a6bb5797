"""Puts on record that a person took an action back."""

from __future__ import annotations

import json
import socket
import time
from typing import List

from playbooks.commands import desk
from playbooks.commands.cluster import Cluster
from playbooks.commands.deployed import find
from playbooks.core.instant import Instant
from playbooks.core.notifications import kinds
from playbooks.core.notifications.event import event
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.deployment.errors import DeploymentError
from playbooks.engines.outcome_log import line
from playbooks.engines.worker.operator.protocol import NOTE


def put_on_record(
    cluster: Cluster,
    *,
    namespace: str,
    function: str,
    playbook: str,
    target_ref: TargetRef,
    message: str,
    by: str,
) -> List[str]:
    """An Event on the object, and a message in the stream of ``function`` (in ``namespace``) where
    it has a worker. ``target_ref.verb`` is ``undo``, ``message`` says what was put back.

    Never raises: what could not be put on record is returned, in words.
    """
    outcome = kinds.undone(target_ref, message, by)
    problems = []
    try:
        _make_event(cluster, outcome, namespace, function, playbook)
    except DeploymentError as error:
        problems.append(f"there is no Event about it: {error}")
    try:
        deployed = find(cluster, namespace, function)
    except DeploymentError:
        # Without a worker there is no stream.
        return problems
    document = json.dumps(line(playbook, None, outcome))
    words = ("--uid", deployed.uid, "--document", document)
    try:
        why = desk.run(cluster, deployed, NOTE, *words).why
    except DeploymentError as error:
        why = str(error)
    return [*problems, *([f"it is not in the stream: {why}"] if why else [])]


def _make_event(
    cluster: Cluster, outcome: Outcome, namespace: str, function: str, playbook: str
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
