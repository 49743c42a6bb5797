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
        unready = [_not_ready(cluster, manifest) for manifest in waits]
        line = shown(waits[0]) + (f": {unready[0][0].says}" if unready[0] else "")
        tell(line)
        for manifest, found in zip(waits, unready):
            _refuse_failed(cluster, manifest, found)
    raise DeploymentError(f"NATS is not ready after {WITHIN:.0f} s: {line}")


def _is_done(manifest: Manifest) -> bool:
    status: Mapping[str, Any] = manifest.get("status") or {}
    if manifest["kind"] == "Job":
        return bool(status.get("succeeded"))
    observed = status.get("observedGeneration", 0) >= manifest["metadata"].get("generation", 0)
    same = status.get("updateRevision") == status.get("currentRevision")
    return bool(observed and same and status.get("readyReplicas") == manifest["spec"]["replicas"])


def _not_ready(cluster: ClusterObjects, manifest: Manifest) -> List[NotReady]:
    """What is wrong with its pods."""
    key = "app.kubernetes.io/name"
    selector = f"{key}={manifest['spec']['template']['metadata']['labels'][key]}"
    if manifest["kind"] == "Job":  # Not those of another one, which may have failed.
        selector = f"job-name={manifest['metadata']['name']}"
    pods = cluster.list(("pods",), namespace=manifest["metadata"]["namespace"], selector=selector)
    return [unready for unready in map(readiness.of_pod, pods) if unready]


def _refuse_failed(cluster: ClusterObjects, manifest: Manifest, found: List[NotReady]) -> None:
    failure, final = failure_of(manifest), [unready for unready in found if unready.final]
    if not failure and not final:
        return
    says = final[0].says if final else failure
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    logged = next((unready for unready in [*final, *found] if unready.container), None)
    log = "\n" + rollout.end_of_log(cluster, namespace, logged) if logged else ""
    again = "run this command again"
    if manifest["kind"] == "StatefulSet":
        again = f"kubectl delete statefulset {name} -n {namespace}, and {again}"
    raise DeploymentError(f"{shown(manifest)} failed: {says}{log}\ntry again: {again}")


def failure_of(job: Manifest) -> str:
    """Why a Job failed, or "": it did not, or is no Job."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if (condition["type"], condition["status"]) == ("Failed", "True"):
            return f"{condition.get('reason')}: {condition.get('message')}"
    return ""
