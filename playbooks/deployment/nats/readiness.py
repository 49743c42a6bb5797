"""Waiting until a NATS server is ready and its streams are there, or saying why they are not."""

from __future__ import annotations

from functools import partial
from typing import Any, List, Mapping

from playbooks.core.cluster.manifest import Manifest, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.deployment.apply import readiness, rollout
from playbooks.deployment.apply.readiness import NotReady
from playbooks.deployment.apply.waiting import Sleep, looks, when_changed
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.terminal import print_step

# Seconds that the server and its streams may take, and between two looks.
WITHIN, PAUSE = 600.0, 2.0


def wait(cluster: ClusterObjects, objects: List[Manifest], *, sleep: Sleep) -> None:
    """Until the server is ready and its streams are there. Raises DeploymentError with the reason
    as Kubernetes gives it."""
    waited = [m for m in objects if m["kind"] in ("StatefulSet", "Job")]
    tell, line = when_changed(partial(print_step, "waiting")), ""
    for _ in looks(WITHIN, sleep=sleep, pause=PAUSE):
        waits = [m for m in cluster.get(waited) if not _is_done(m)]
        if not waits:
            return
        line = _state(cluster, waits[0])
        tell(line)
        _refuse_failed(cluster, waits)
    raise DeploymentError(f"NATS is not ready after {WITHIN:.0f} s: {line}")


def _is_done(manifest: Manifest) -> bool:
    status: Mapping[str, Any] = manifest.get("status") or {}
    if manifest["kind"] == "Job":
        return bool(status.get("succeeded"))
    observed = status.get("observedGeneration", 0) >= manifest["metadata"].get("generation", 0)
    same = status.get("updateRevision") == status.get("currentRevision")
    return bool(observed and same and status.get("readyReplicas") == manifest["spec"]["replicas"])


def _state(cluster: ClusterObjects, manifest: Manifest) -> str:
    pods = _pods(cluster, manifest)
    found = next((unready for unready in map(readiness.of_pod, pods) if unready), None)
    return f"{shown(manifest)}" + (f": {found.says}" if found else "")


def _refuse_failed(cluster: ClusterObjects, waits: List[Manifest]) -> None:
    for manifest in waits:
        failure = failure_of(manifest)
        found = [s for s in map(readiness.of_pod, _pods(cluster, manifest)) if s]
        final = [s for s in found if s.final]
        if not failure and not final:
            continue
        says = final[0].says if final else failure
        where = f"-n {manifest['metadata']['namespace']}"
        again = "run this command again"
        if manifest["kind"] == "StatefulSet":
            name = manifest["metadata"]["name"]
            again = f"kubectl delete statefulset {name} {where}, and {again}"
        log = _log(cluster, manifest, [*final, *found])
        raise DeploymentError(f"{shown(manifest)} failed: {says}{log}\ntry again: {again}")


def failure_of(job: Manifest) -> str:
    """Why a Job failed, or "": it did not, or is no Job."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if (condition["type"], condition["status"]) == ("Failed", "True"):
            return f"{condition.get('reason')}: {condition.get('message')}"
    return ""


def _log(cluster: ClusterObjects, manifest: Manifest, found: List[NotReady]) -> str:
    """The end of the log of what failed, in lines."""
    logged = next((unready for unready in found if unready.container), None)
    if logged is None:
        return ""
    return "\n" + rollout.end_of_log(cluster, manifest["metadata"]["namespace"], logged)


def _pods(cluster: ClusterObjects, manifest: Manifest) -> List[Manifest]:
    key = "app.kubernetes.io/name"
    selector = f"{key}={manifest['spec']['template']['metadata']['labels'][key]}"
    if manifest["kind"] == "Job":  # Not those of another one, which may have failed.
        selector = f"job-name={manifest['metadata']['name']}"
    return cluster.list(("pods",), namespace=manifest["metadata"]["namespace"], selector=selector)
