"""The kinds of objects that the stand-in knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List


@dataclass(frozen=True)
class Kind:
    name: str
    plural: str
    short: str = ""
    group: str = ""
    namespaced: bool = True

    @property
    def short_names(self) -> List[str]:
        return [self.short] if self.short else []

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def resource(self) -> str:
        """As the API's messages write it: ``networkpolicies.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


KINDS = (
    Kind("Pod", "pods", "po"),
    # What playbooks write about what they did, and what kubelets write about pods.
    Kind("Event", "events", group="events.k8s.io"),
    Kind("Event", "events", "ev"),
    Kind("Node", "nodes", "no", namespaced=False),
    Kind("Namespace", "namespaces", "ns", namespaced=False),
    Kind("ConfigMap", "configmaps", "cm"),
    Kind("Service", "services", "svc"),
    Kind("PersistentVolumeClaim", "persistentvolumeclaims", "pvc"),
    Kind("ReplicationController", "replicationcontrollers", "rc"),
    Kind("ReplicaSet", "replicasets", "rs", group="apps"),
    Kind("StatefulSet", "statefulsets", "sts", group="apps"),
    Kind("DaemonSet", "daemonsets", "ds", group="apps"),
    Kind("Job", "jobs", group="batch"),
    Kind("NetworkPolicy", "networkpolicies", "netpol", group="networking.k8s.io"),
)
BY_NAME = {kind.name: kind for kind in KINDS}
BY_RESOURCE = {(kind.group, kind.plural): kind for kind in KINDS}
