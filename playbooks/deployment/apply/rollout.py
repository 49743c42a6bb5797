"""Waiting for a Deployment's pods, with progress, and with their own words when they fail."""

from __future__ import annotations

import json
import time
from typing import Callable, List, Optional, Tuple

from playbooks.core.cluster.manifest import FUNCTION, Manifest, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.deployment.apply.symptoms import Symptom, is_rolled_out, of_deployment, of_pod
from playbooks.deployment.apply.waiting import Check, Sleep, nothing
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests.worker import REVISION

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


def wait(
    cluster: ClusterObjects,
    deployment: Manifest,
    *,
    progress: Callable[[str], None],
    check: Check = nothing,
    sleep: Sleep = time.sleep,
) -> None:
    """Until it is rolled out; ``progress`` takes a line for every change.

    Raises DeploymentError with the reason as Kubernetes gives it.
    """
    last, unready, final = "", 0.0, 0
    symptom: Optional[Symptom] = None
    for _ in range(int(WITHIN / PAUSE)):
        done, line, symptom = _look(cluster, deployment)
        if done:
            return
        if line != last:
            progress(line)
            last = line
        stalled = symptom and symptom.container and not symptom.busy
        unready = unready + PAUSE if stalled else 0.0
        final = final + 1 if symptom and symptom.final else 0
        looks = 1 if symptom and symptom.pod else FINAL_LOOKS
        if final >= looks or unready >= NOT_READY_WITHIN:
            break
        check()
        sleep(PAUSE)
    raise DeploymentError(_failure(cluster, deployment, symptom))


def warnings(cluster: ClusterObjects, deployment: Manifest) -> List[str]:
    """What one of its workers warns of in its log, each once."""
    try:
        pods = [pod for pod in _pods(cluster, deployment) if of_pod(pod) is None]
        names = [pod["metadata"]["name"] for pod in pods]
        logs = [_log(cluster, deployment, name, lines=100) for name in names[:1]]
    except PlaybookError:
        return []
    found = [_warning(line) for log in logs for line in log.splitlines()]
    return [f"the worker says: {said}" for said in dict.fromkeys(found) if said]


def _look(cluster: ClusterObjects, deployment: Manifest) -> Tuple[bool, str, Optional[Symptom]]:
    """Whether it is done, its progress in words, and what is wrong."""
    there = cluster.get([deployment])
    if not there:
        raise DeploymentError(f"{shown(deployment)} is gone: somebody else removed it")
    stored = there[0]
    if is_rolled_out(stored):
        return True, "", None
    pods = _pods(cluster, stored)
    symptoms = [s for s in map(of_pod, pods) if s]
    failed = of_deployment(stored)
    symptom = next((s for s in symptoms if s.final), failed or next(iter(symptoms), None))
    return False, _progress(stored, len(pods) - len(symptoms), symptom), symptom


def _progress(deployment: Manifest, ready: int, symptom: Optional[Symptom]) -> str:
    wanted = deployment["spec"].get("replicas", 1)
    if symptom is None and ready >= wanted:
        return f"{ready} of {wanted} ready; the ones before end"
    return f"{ready} of {wanted} ready" + (f"; {symptom.says}" if symptom else "")


def _pods(cluster: ClusterObjects, deployment: Manifest) -> List[Manifest]:
    """Those of its present template."""
    metadata = deployment["metadata"]
    wanted = deployment["spec"]["template"]["metadata"]["annotations"][REVISION]
    selector = f"{FUNCTION}={metadata['name']}"
    pods = cluster.list(("pods",), namespace=metadata["namespace"], selector=selector)
    return [
        pod
        for pod in pods
        if (pod["metadata"].get("annotations") or {}).get(REVISION) == wanted
        and "deletionTimestamp" not in pod["metadata"]
    ]


def _failure(cluster: ClusterObjects, deployment: Manifest, symptom: Optional[Symptom]) -> str:
    if symptom is None:
        return f"{shown(deployment)} made no pods, and does not say why"
    where = f"Pod {deployment['metadata']['namespace']}/{symptom.pod}" if symptom.pod else ""
    said = f"{where or shown(deployment)} did not become ready: {symptom.says}"
    if not symptom.container:
        return said
    try:
        log = _log(cluster, deployment, symptom.pod, symptom.container, previous=symptom.crashed)
    except PlaybookError as error:
        return f"{said}\nits log cannot be read: {error}"
    lines = "\n".join(f"  | {_plain(line)}" for line in log.strip().splitlines())
    return f"{said}\nits log ends with\n{lines}" if lines else f"{said}\nits log is empty"


def _log(
    cluster: ClusterObjects,
    deployment: Manifest,
    pod: str,
    container: str = "",
    *,
    lines: int = LOG_LINES,
    previous: bool = False,
) -> str:
    metadata = deployment["metadata"]
    name = container or metadata["name"]
    return cluster.logs(metadata["namespace"], pod, name, lines=lines, previous=previous)


def _plain(line: str) -> str:
    """What a JSON line of the worker says, or the line itself."""
    said = _parsed(line)
    return f"{said['level']}: {said['message']}" if said else line


def _warning(line: str) -> str:
    said = _parsed(line)
    return str(said["message"]) if said and said["level"] == "warning" else ""


def _parsed(line: str) -> Manifest:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and {"level", "message"} <= set(said) else {}
