"""The pod of a worker: passes the Pod Security profile ``restricted``, and its probes mean it.

Without an image that has everything, an init container unpacks the archive and installs what it
needs, as Kubeless does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

from playbooks.core.cluster.manifest import Manifest, labels
from playbooks.deployment.manifests import environment
from playbooks.deployment.manifests.environment import plain
from playbooks.deployment.manifests.function import PORT
from playbooks.deployment.request import worker_settings
from playbooks.deployment.request.request import Request

#: Has Python and pip, and nothing of ours.
STOCK_IMAGE = "python:3.13-slim"

COMMAND = ["python3", "-m", "playbooks.engines.worker"]
USER = 1000

#: Of every pod of ours: it passes the Pod Security profile ``restricted``.
SECURITY = {
    "fsGroup": USER,
    "runAsGroup": USER,
    "runAsNonRoot": True,
    "runAsUser": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}

#: The same of every container.
CONFINED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}

CODE, PACKAGES, ARCHIVE = "/falco/code", "/falco/packages", "/falco/archive"
PYTHONPATH = f"{CODE}:{PACKAGES}"
ZIP, REQUIREMENTS = "worker.zip", "requirements.txt"

#: Of the probes alone, so that no sender of alerts keeps the kubelet waiting. The Service does not
#: publish it and the NetworkPolicy lets no pod reach it: the kubelet of the node always can.
PROBE_PORT = 8081

#: Of the metrics alone: others may reach it than may post alerts.
METRICS_PORT = 8082

# The setting that says how many seconds the worker takes to finish.
SHUTDOWN = "SHUTDOWN_SECONDS"

# Seconds from SIGTERM to SIGKILL beyond those that the worker takes to finish.
SPARE = 10

#: Of every container with our code.
VARIABLES = {"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
assert set(VARIABLES) < set(worker_settings.ITS_OWN)

TMP, TMP_VOLUME = {"name": "tmp", "mountPath": "/tmp"}, {"name": "tmp", "emptyDir": {}}

#: Where the container that installs the code writes and reads it.
INSTALLING = (
    {"name": "code", "mountPath": "/falco"},
    {"name": "archive", "mountPath": ARCHIVE, "readOnly": True},
)

# What installs the code where no image has it.
INSTALL = f"""\
set -e
python3 -m zipfile -e {ARCHIVE}/{ZIP} {CODE}
python3 -m pip install --no-cache-dir --disable-pip-version-check --quiet \
--target {PACKAGES} -r {ARCHIVE}/{REQUIREMENTS}"""


@dataclass(frozen=True)
class Code:
    """Where a pod has our code from: ``image``, or, where that is empty, an init container that
    installs it from ``config_map`` for a stock Python image. ``variables``: those of the
    installation that are no settings of ours, such as proxies, and pip's own."""

    image: str
    config_map: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> Dict[str, str]:
        """By which Python finds it."""
        return {} if self.image else {"PYTHONPATH": PYTHONPATH}

    @property
    def mounts(self) -> List[Manifest]:
        """Of the container that runs it."""
        return [] if self.image else [{"name": "code", "mountPath": "/falco", "readOnly": True}]

    @property
    def volumes(self) -> List[Manifest]:
        if self.image:
            return []
        archive = {"name": "archive", "configMap": {"name": self.config_map}}
        return [{"name": "code", "emptyDir": {}}, archive]

    @property
    def installation(self) -> Dict[str, Any]:
        """What a pod's spec has of it beside."""
        return {} if self.image else {"initContainers": [self._install()]}

    def _install(self) -> Manifest:
        return {
            "name": "install",
            **common(""),
            "command": ["sh", "-c", INSTALL],
            "env": sorted(plain({**self.variables, **VARIABLES}), key=_name),
            "resources": resources("512Mi"),
            "volumeMounts": [TMP, *INSTALLING],
        }


def pod(request: Request, namespace: str, *, image: str, config_map: str) -> Dict[str, Any]:
    """A pod's spec. ``image`` empty: the stock one, with the archive of ``config_map``."""
    others = {k: v for k, v in request.values.items() if request.setting(k) is None}
    code = Code(image, config_map, others)
    return {
        **code.installation,
        "automountServiceAccountToken": True,
        "containers": [_worker(request, namespace, code)],
        "enableServiceLinks": False,
        "securityContext": SECURITY,
        "serviceAccountName": request.function,
        "terminationGracePeriodSeconds": _shutdown(request) + SPARE,
        "topologySpreadConstraints": [
            {
                "labelSelector": {"matchLabels": labels(request.function)},
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
        "volumes": [TMP_VOLUME, *environment.volumes(request), *code.volumes],
    }


def _worker(request: Request, namespace: str, code: Code) -> Manifest:
    own = {
        "PLAYBOOK": request.playbook.name,
        "FUNCTION_NAME": request.function,
        "FUNCTION_NAMESPACE": namespace,
        **VARIABLES,
        **code.environment,
    }
    return {
        "name": request.function,
        **common(code.image),
        "command": COMMAND,
        "env": sorted([*environment.variables(request, own), _release_key(request)], key=_name),
        "ports": [
            {"containerPort": PORT, "name": "http", "protocol": "TCP"},
            {"containerPort": METRICS_PORT, "name": "metrics", "protocol": "TCP"},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": PROBE_PORT},
            "initialDelaySeconds": 5,
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": PROBE_PORT},
            "periodSeconds": 3,
            "timeoutSeconds": 3,
            "failureThreshold": 2,
        },
        "resources": resources("512Mi"),
        "volumeMounts": [TMP, *code.mounts, *environment.mounts(request)],
    }


def _release_key(request: Request) -> Manifest:
    """Not there where somebody keeps the Secret of an earlier version: nothing can be released."""
    name = worker_settings.RELEASE_KEY.name
    key = {"name": request.function, "key": name, "optional": True}
    return {"name": name, "valueFrom": {"secretKeyRef": key}}


def common(image: str) -> Dict[str, Any]:
    return {
        "image": image or STOCK_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": dict(CONFINED),
    }


def resources(memory: str) -> Manifest:
    """Of every container of ours. ``memory``: its limit."""
    return {
        "limits": {"cpu": "1", "memory": memory},
        "requests": {"cpu": "100m", "memory": "128Mi"},
    }


def _name(variable: Manifest) -> str:
    return str(variable["name"])


def _shutdown(request: Request) -> int:
    setting = request.setting(SHUTDOWN)
    assert setting is not None and setting.default is not None
    return int(request.values.get(setting.name, setting.default))
