"""The Deployment of a worker and what belongs to it, named so that the kubeless CLI finds them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Dict, List, Mapping

from playbooks.core.cluster.manifest import Manifest, labels, metadata
from playbooks.deployment.manifests.function import service_spec
from playbooks.deployment.manifests.worker_pod import METRICS_PORT, REQUIREMENTS, ZIP

#: On the pod template: another value is another rollout.
REVISION = "falco/revision"


def is_worker(deployment: Mapping[str, Any]) -> bool:
    """Whether deploy_playbook made it, and not Kubeless."""
    metadata = ((deployment.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return REVISION in (metadata.get("annotations") or {})


def deployment(
    function: str, namespace: str, template: Mapping[str, Any], replicas: int
) -> Manifest:
    """While it rolls, never fewer workers than asked for."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(function, namespace),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": labels(function)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": dict(template),
        },
    }


def template(
    function: str, pod: Mapping[str, Any], contents: Mapping[str, Any], hash_key: str
) -> Dict[str, Any]:
    """A pod template with a hash of ``contents``, which lie outside of it.

    Keyed, because everybody who may read pods sees it, and plain hashes let passwords be guessed.
    """
    whole = json.dumps([pod, contents], sort_keys=True)
    revision = hmac.new(hash_key.encode(), whole.encode(), hashlib.sha256).hexdigest()[:16]
    annotations = {
        "prometheus.io/path": "/metrics",
        "prometheus.io/port": str(METRICS_PORT),
        "prometheus.io/scrape": "true",
        REVISION: revision,
    }
    return {"metadata": {"annotations": annotations, "labels": labels(function)}, "spec": dict(pod)}


def service(function: str, namespace: str) -> Manifest:
    """As Kubeless makes one."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(function, namespace),
        "spec": service_spec(function),
    }


def disruption_budget(function: str, namespace: str, replicas: int) -> List[Manifest]:
    """None for a single worker: it would keep its node from being drained."""
    if replicas < 2:
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(function, namespace),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels(function)}},
        }
    ]


def config_map_name(function: str) -> str:
    """Not the function's own name: Kubeless' controller writes a ConfigMap of that."""
    return f"{function}-worker"


def config_map(function: str, namespace: str, archive: bytes, requirements: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(function, namespace, config_map_name(function)),
        **code(archive, requirements),
    }


def code(archive: bytes, requirements: str) -> Manifest:
    """What of a ConfigMap a container installs."""
    return {
        "binaryData": {ZIP: base64.b64encode(archive).decode("ascii")},
        "data": {REQUIREMENTS: requirements},
    }
