"""Where this process runs: what a pod is told of itself."""

from __future__ import annotations

import os
import time
from typing import Mapping

from playbooks.core.instant import Instant
from playbooks.core.ports import Clock, Collaborators, OwnPod, WithoutCluster
from playbooks.core.settings import Settings
from playbooks.infrastructure.conditions import cel

# Set by the deployment from the pod's own fields.
# Source: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
NAMESPACE_VARIABLE, NODE_VARIABLE = "POD_NAMESPACE", "NODE_NAME"
VARIABLES = (NAMESPACE_VARIABLE, NODE_VARIABLE)


class ThisPod(OwnPod):
    """Outside of a pod: the namespace ``default``, unless the variable says another."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    @property
    def namespace(self) -> str:
        return self._environ.get(NAMESPACE_VARIABLE) or "default"

    @property
    def pod(self) -> str:
        return self._environ.get("HOSTNAME", "") if self.in_cluster else ""

    @property
    def node(self) -> str:
        return self._environ.get(NODE_VARIABLE, "")

    @property
    def in_cluster(self) -> bool:
        """Source: https://kubernetes.io/docs/tutorials/services/connect-applications-service/"""
        return "KUBERNETES_SERVICE_HOST" in self._environ


class SystemClock(Clock):
    def now(self) -> Instant:
        return Instant(time.time_ns())


def without_cluster(_playbook: str, _settings: Settings) -> Collaborators:
    """Of a playbook that does not act on the cluster."""
    return WithoutCluster(SystemClock(), ThisPod(), cel.condition)
