"""What is wrong with a pod or a Deployment, in Kubernetes' own words. Asks no cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Optional

from playbooks.core.cluster.manifest import Manifest

# The exit code of a worker whose settings no restart corrects.
MISCONFIGURED = 2

# Reasons to wait that only another deployment can remove.
_FINAL = (
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
)


@dataclass(frozen=True)
class NotReady:
    """``final``: waiting will not help. ``container``: the one whose log may say more; the log from
    before its restart where ``crashed``. ``busy``: it is working, as an init container does."""

    says: str
    final: bool = False
    pod: str = ""
    container: str = ""
    crashed: bool = False
    busy: bool = False


def of_pod(pod: Manifest) -> Optional[NotReady]:
    """None for a pod that is ready."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    if conditions.get("Ready", {}).get("status") == "True":
        return None
    found = next(_of_containers(name, status), None)
    if found:
        return found
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return NotReady(f"{scheduled.get('reason')}: {scheduled.get('message')}", pod=name)
    return NotReady(str(status.get("phase") or "it is starting"), pod=name)


def of_deployment(deployment: Manifest) -> Optional[NotReady]:
    """Such as pods that may not be created. None while its status is about an earlier template."""
    if not _is_observed(deployment):
        return None
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        failed = condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        if failed:
            return NotReady(f"{condition.get('reason')}: {condition.get('message')}", final=True)
    return None


def is_rolled_out(deployment: Manifest) -> bool:
    """Every replica is of the present template and ready, and none of another is left."""
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status") or {}
    counts: List[Any] = [status.get(k, 0) for k in ("updatedReplicas", "readyReplicas", "replicas")]
    return _is_observed(deployment) and counts == [wanted] * len(counts)


def _is_observed(deployment: Manifest) -> bool:
    """Whether the Deployment's controller has seen its present template."""
    observed: int = (deployment.get("status") or {}).get("observedGeneration", 0)
    return observed >= int(deployment["metadata"].get("generation", 0))


def _of_containers(pod: str, status: Mapping[str, Any]) -> Iterator[NotReady]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            unready = _of_container(pod, container, init=kind.startswith("init"))
            if unready:
                yield unready


def _of_container(pod: str, container: Mapping[str, Any], *, init: bool) -> Optional[NotReady]:
    state, name = container.get("state") or {}, container["name"]
    waiting, terminated = state.get("waiting"), state.get("terminated")
    if waiting:
        reason, message = str(waiting.get("reason")), waiting.get("message")
        says = f"container {name}: {reason}" + (f": {message}" if message else "")
        last = (container.get("lastState") or {}).get("terminated")
        final = reason in _FINAL or (not init and _is_misconfigured(last))
        return NotReady(says, final, pod, name if last else "", bool(last))
    if terminated and terminated.get("exitCode"):
        says = f"container {name}: {terminated.get('reason')}, exit code {terminated['exitCode']}"
        return NotReady(says, not init and _is_misconfigured(terminated), pod, name)
    if "running" in state and init:
        return NotReady(f"container {name} runs", False, pod, name, busy=True)
    if "running" in state and not container.get("ready"):
        return NotReady(f"container {name} runs and is not ready", False, pod, name)
    return None


def _is_misconfigured(terminated: Optional[Mapping[str, Any]]) -> bool:
    return bool(terminated) and (terminated or {}).get("exitCode") == MISCONFIGURED
