"""What is kept of an object: the fields that a proof, a guard or an action on it looks at.

A shape is a dict of the fields of an object, a list of one shape, or a type. ``OURS`` keeps of a
map what has the prefix of our own names, and what tells a static pod.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from playbooks.core.cluster.manifest import PREFIX
from playbooks.core.cluster.pod import HASH_ANNOTATION, MIRROR_ANNOTATION

OURS = "ours"

Shape = Any

_KEPT = (MIRROR_ANNOTATION, HASH_ANNOTATION)

_OWNERS = [{"apiVersion": str, "kind": str, "name": str, "uid": str, "controller": bool}]
_NAMES = [{"name": str}]
_ENDED = {"containerID": str, "startedAt": str}
_STATUSES = [
    {
        "name": str,
        "containerID": str,
        "restartCount": int,
        "state": {"running": {"startedAt": str}, "terminated": _ENDED},
        "lastState": {"terminated": _ENDED},
    }
]

POD: Dict[str, Shape] = {
    "metadata": {
        "name": str,
        "namespace": str,
        "uid": str,
        "resourceVersion": str,
        "creationTimestamp": str,
        "deletionTimestamp": str,
        "labels": dict,
        "annotations": OURS,
        "ownerReferences": _OWNERS,
    },
    "spec": {
        "nodeName": str,
        "serviceAccountName": str,
        "hostNetwork": bool,
        "initContainers": _NAMES,
        "containers": _NAMES,
        "ephemeralContainers": _NAMES,
        "volumes": [{"persistentVolumeClaim": {"claimName": str}}],
    },
    "status": {
        "phase": str,
        "initContainerStatuses": _STATUSES,
        "containerStatuses": _STATUSES,
        "ephemeralContainerStatuses": _STATUSES,
    },
}

NAMESPACE: Dict[str, Shape] = {
    "metadata": {"name": str, "uid": str, "resourceVersion": str, "annotations": OURS}
}

WORKLOAD: Dict[str, Shape] = {
    "metadata": {
        "name": str,
        "namespace": str,
        "uid": str,
        "resourceVersion": str,
        "ownerReferences": _OWNERS,
    },
    "spec": {"replicas": int, "parallelism": int, "selector": dict},
    "status": {"desiredNumberScheduled": int},
}


def ours(found: Optional[Mapping[str, str]]) -> Optional[Dict[str, str]]:
    """What is kept of annotations."""
    kept = {
        key: value for key, value in (found or {}).items() if key.startswith(PREFIX) or key in _KEPT
    }
    return kept or None


def trimmed(found: Any, shape: Shape) -> Any:
    """The same, and nothing beside what the shape has; what is null is left out."""
    if found is None:
        return None
    if shape is OURS:
        return ours(found)
    if isinstance(shape, dict):
        parts = {key: trimmed(found.get(key), part) for key, part in shape.items()}
        return {key: part for key, part in parts.items() if part is not None}
    if isinstance(shape, list):
        return [trimmed(each, shape[0]) for each in found]
    return found
