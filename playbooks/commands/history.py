"""``falco-playbook history``: what a playbook did, from its stream or from the cluster's Events."""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List, Optional

from playbooks.commands import desk, past, tell
from playbooks.commands.cluster import Cluster
from playbooks.commands.command_line import Options
from playbooks.commands.deployed import Deployed, find
from playbooks.commands.history_table import table
from playbooks.core.cluster.manifest import KUBELESS_API, reference
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.notifications import event
from playbooks.deployment.errors import DeploymentError
from playbooks.engines.worker.operator.protocol import HISTORY

SHORT = "the Events of the cluster, which keeps them for an hour unless told otherwise"


def history(options: Options, cluster: Cluster, namespace: str) -> int:
    """The exit code. Raises DeploymentError."""
    deployed, why = _worker(cluster, namespace, options.function)
    found = None
    if deployed:
        found, why = _from_stream(cluster, deployed, options.since or 0)
    if found is None:
        tell("", [f"{why}: this is from {SHORT}"])
        found = _from_events(cluster, namespace, options)
    found = [e for e in past.marked(found) if options.skips or e["what"] != past.SKIPPED]
    if options.json:
        print(json.dumps(found, indent=2))
    elif found:
        print(table(found), end="")
    else:
        tell("", [f"nothing is on record of {namespace}/{options.function} in this time"])
    return 0


def _worker(cluster: Cluster, namespace: str, function: str) -> Any:
    """What is deployed, or None and why nothing of it can be asked. Raises DeploymentError."""
    try:
        return find(cluster, namespace, function), ""
    except DeploymentError:
        if not cluster.get([reference(KUBELESS_API, "Function", function, namespace)]):
            raise
        return None, f"{namespace}/{function} has no worker, and so no stream"


def _from_stream(cluster: Cluster, deployed: Deployed, since: float) -> Any:
    """None, and why, where there is no stream, or nobody who reads it."""
    words = ("--uid", deployed.uid, "--since", str(int(since)))
    try:
        answer = desk.run(cluster, deployed, HISTORY, *words)
    except DeploymentError as error:
        return None, str(error)
    if answer.why:
        return None, answer.why
    return [past.of_line(line) for line in answer.lines], ""


def _from_events(cluster: Cluster, namespace: str, options: Options) -> List[Dict[str, Any]]:
    selector = f"{event.FUNCTION}={options.function},{event.HOME}={namespace}"
    items = cluster.list(("events.events.k8s.io",), selector=selector)
    oldest = Instant(time.time_ns() - int(options.since or 0) * NANOSECONDS)
    found = sorted((past.of_event(item) for item in items), key=lambda entry: str(entry["time"]))
    return [entry for entry in found if _after(entry["time"], oldest)]


def _after(moment: str, oldest: Instant) -> bool:
    read: Optional[Instant]
    try:
        read = Instant.parse(moment)
    except ValueError:
        read = None
    return read is None or not read < oldest
