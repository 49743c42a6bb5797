"""Waiting for a Deployment's pods, with progress, and with their own words when they fail."""

from __future__ import annotations

import json
import time
from typing import Callable, Dict, List, Optional, Tuple

from playbooks.core.cluster.manifest import FUNCTION, Manifest, annotation, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.deployment.apply.readiness import NotReady, is_rolled_out, of_deployment, of_pod
from playbooks.deployment.apply.waiting import Check, Sleep, looks, nothing, when_changed
from playbooks.deployment.errors import DeploymentError, RolloutFailed
from playbooks.deployment.manifests.worker import REVISION
from playbooks.deployment.terminal import without_fraction
from playbooks.engines.worker.function import UNAUTHORIZED

# Seconds between two looks.
PAUSE = 1.0

# Seconds that pods have to become ready: images are pulled, packages are installed.
WITHIN = 300.0

# Looks in a row that find that a Deployment fails: it also reports the failure of its earlier
# ReplicaSet, until that one has no pods to create any more.
FINAL_LOOKS = 3

# Seconds that a container may run without being ready, and with a failure that may pass.
NOT_READY_WITHIN = 60.0

LOG_LINES = 15

# Lines of a worker's log that are read each time for what it says last.
SAID_LINES = 40

# Reasons of a worker's warnings that no waiting ends, and the seconds for which they may stand all
# the same: rights are in force a moment after they were given, and Secrets are mounted later.
HOPELESS = {UNAUTHORIZED: 3.0, NotPermitted.reason: 12.0}


def wait(
    cluster: ClusterObjects,
    deployment: Manifest,
    *,
    progress: Callable[[str], None],
    check: Check = nothing,
    sleep: Sleep = time.sleep,
    seconds: Optional[float] = None,
) -> None:
    """Until it is rolled out; ``progress`` takes a line for every change. ``seconds``: to wait in
    all, also for a container that runs and is not ready; None for WITHIN and NOT_READY_WITHIN.

    Raises RolloutFailed with the reason as Kubernetes gives it, or as the worker says it.
    """
    tell = when_changed(progress)
    within, not_ready_within = (seconds, seconds) if seconds else (WITHIN, NOT_READY_WITHIN)
    stalled_for, final, hopeless = 0.0, 0, 0.0
    unready: Optional[NotReady] = None
    for _ in looks(within, check=check, sleep=sleep, pause=PAUSE):
        done, line, unready = _look(cluster, deployment)
        if done:
            return
        said, reason = _said(cluster, deployment, unready)
        line += f"; the worker says: {said}" if said else ""
        hopeless = hopeless + PAUSE if reason else 0.0
        tell(line)
        stalled = unready and unready.container and not unready.busy
        stalled_for = stalled_for + PAUSE if stalled else 0.0
        final = final + 1 if unready and unready.final else 0
        enough = 1 if unready and unready.pod else FINAL_LOOKS
        if final >= enough or stalled_for >= not_ready_within:
            break
        if reason and hopeless > HOPELESS[reason]:
            break
    raise RolloutFailed(_failure(cluster, deployment, unready))


def warnings(cluster: ClusterObjects, deployment: Manifest) -> List[str]:
    """What one of its workers warns of in its log, each once."""
    try:
        pods = [pod for pod in _pods(cluster, deployment) if of_pod(pod) is None]
        names = [pod["metadata"]["name"] for pod in pods]
        logs = [_log(cluster, deployment, name, lines=100) for name in names[:1]]
    except PlaybookError as error:
        return [f"what the worker warns of cannot be read: {error}"]
    found = [_parsed(line) for text in logs for line in text.splitlines()]
    times = {str(said["message"]): said for said in found if said.get("level") == "warning"}
    return [f"the worker says: {said}{_since(line)}" for said, line in times.items()]


def _said(
    cluster: ClusterObjects, deployment: Manifest, unready: Optional[NotReady]
) -> Tuple[str, str]:
    """What a worker that runs and is not ready warned of last, and the reason of it that no waiting
    ends."""
    name = deployment["metadata"]["name"]
    if unready is None or unready.container != name or unready.crashed:
        return "", ""
    try:
        text = _log(cluster, deployment, unready.pod, lines=SAID_LINES)
    except PlaybookError:
        return "", ""
    words = ""
    reasons: Dict[str, str] = {}
    for line in map(_parsed, text.splitlines()):
        if not line:
            continue
        if line["level"] in ("warning", "error"):
            words = str(line["message"])
        reason = str(line.get("reason"))
        if reason in HOPELESS:
            reasons[reason] = words
        reasons.pop(str(line.get("over")), None)
    return next(((said, reason) for reason, said in reasons.items()), (words, ""))


def _look(cluster: ClusterObjects, deployment: Manifest) -> Tuple[bool, str, Optional[NotReady]]:
    """Whether it is done, its progress in words, and what is wrong."""
    stored = next(iter(cluster.get([deployment])), None)
    if stored is None:
        raise DeploymentError(f"{shown(deployment)} is gone: somebody else removed it")
    if is_rolled_out(stored):
        return True, "", None
    pods = _pods(cluster, stored)
    not_ready = [s for s in map(of_pod, pods) if s]
    failed = of_deployment(stored)
    unready = next((s for s in not_ready if s.final), failed or next(iter(not_ready), None))
    return False, _progress(stored, len(pods) - len(not_ready), unready), unready


def _progress(deployment: Manifest, ready: int, unready: Optional[NotReady]) -> str:
    wanted = deployment["spec"].get("replicas", 1)
    if unready is None and ready >= wanted:
        return f"{ready} of {wanted} ready; the ones before end"
    return f"{ready} of {wanted} ready" + (f"; {unready.says}" if unready else "")


def _pods(cluster: ClusterObjects, deployment: Manifest) -> List[Manifest]:
    """Those of its present template."""
    metadata = deployment["metadata"]
    wanted = deployment["spec"]["template"]["metadata"]["annotations"][REVISION]
    selector = f"{FUNCTION}={metadata['name']}"
    pods = cluster.list(("pods",), namespace=metadata["namespace"], selector=selector)
    return [
        pod
        for pod in pods
        if annotation(pod, REVISION) == wanted and "deletionTimestamp" not in pod["metadata"]
    ]


def _failure(cluster: ClusterObjects, deployment: Manifest, unready: Optional[NotReady]) -> str:
    if unready is None:
        return f"{shown(deployment)} made no pods, and does not say why"
    where = f"Pod {deployment['metadata']['namespace']}/{unready.pod}" if unready.pod else ""
    said = f"{where or shown(deployment)} did not become ready: {unready.says}"
    if not unready.container:
        return said
    return f"{said}\n{end_of_log(cluster, deployment['metadata']['namespace'], unready)}"


def end_of_log(cluster: ClusterObjects, namespace: str, unready: NotReady) -> str:
    """Of the container that ``unready`` names, in lines."""
    pod, container, previous = unready.pod, unready.container, unready.crashed
    try:
        text = cluster.logs(namespace, pod, container, lines=LOG_LINES, previous=previous)
    except PlaybookError as error:
        return f"its log cannot be read: {error}"
    lines = "\n".join(f"  | {_plain(line)}" for line in text.strip().splitlines())
    return f"its log ends with\n{lines}" if lines else "its log is empty"


def _log(cluster: ClusterObjects, deployment: Manifest, pod: str, *, lines: int) -> str:
    metadata = deployment["metadata"]
    return cluster.logs(metadata["namespace"], pod, metadata["name"], lines=lines)


def _plain(line: str) -> str:
    """What a JSON line of the worker says, or the line itself."""
    said = _parsed(line)
    return f"{said['level']}: {said['message']}" if said else line


def _since(line: Manifest) -> str:
    """When it was said: a worker that was there before may have said it long ago."""
    when = without_fraction(str(line.get("time", "")))
    return f" ({when})" if when else ""


def _parsed(line: str) -> Manifest:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and {"level", "message"} <= set(said) else {}
