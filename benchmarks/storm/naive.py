"""The naive way, as responders of 2018 went it: list every pod of the cluster with the client's
typed calls, look for the name, delete what has it."""

from __future__ import annotations

import time
from typing import List, Sequence

from kubernetes import client, config

from benchmarks.storm.ground import Ground, Manifest


def reactions(ground: Ground, pods: Sequence[Manifest], patience: float) -> List[float]:
    """Seconds from each alert to its pod's end, one after the other, as they were answered."""
    config.load_kube_config()
    api, taken = client.CoreV1Api(), []
    for pod in pods:
        began = time.monotonic()
        _delete(api, pod["metadata"]["name"])
        taken += [moment - began for moment in ground.gone.wait([pod], patience)]
    return taken


def _delete(api: client.CoreV1Api, name: str) -> None:
    for pod in api.list_pod_for_all_namespaces(watch=False).items:
        if pod.metadata.name == name:
            api.delete_namespaced_pod(name, pod.metadata.namespace, body=client.V1DeleteOptions())
