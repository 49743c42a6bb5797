"""A NATS server with JetStream: one replica, users, a bounded store, and a Job for its streams."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import List, Mapping, Sequence

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.manifests import worker_pod
from playbooks.deployment.manifests.crds import LABELS
from playbooks.deployment.manifests.environment import plain
from playbooks.deployment.manifests.secret import secret
from playbooks.deployment.manifests.worker import REVISION, code
from playbooks.deployment.nats.users import ADMIN, User, configuration
from playbooks.engines.worker.function import HEADERS, LARGEST, STREAMS

#: Where workers look for NATS when NATS_URL is not given.
NAME, NAMESPACE = "nats", "nats-io"
PORT, MONITORING_PORT = 4222, 8222
HOST = f"{NAME}.{NAMESPACE}.svc.cluster.local"
URL = f"nats://{HOST}:{PORT}"

IMAGE = "nats:2.11-alpine"

#: The passwords by user, and the server's configuration of them.
USERS_SECRET = "nats-users"
USERS_FILE = "users.conf"

#: What the server takes to store messages; the streams together are bounded to less.
STORAGE = "2Gi"

JOB = "nats-streams"
PROGRAM = "playbooks.engines.worker.operator.create_streams"

# Seconds that the Job may take: images are pulled, packages are installed.
_JOB_WITHIN = 600

_SELECTED = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": NAME}

_CONFIGURATION = f"""\
server_name: $POD_NAME
port: {PORT}
http: {MONITORING_PORT}
max_payload: {LARGEST + HEADERS}
jetstream {{
  store_dir: /data
  max_memory_store: 64MB
  max_file_store: {STORAGE[:-1]}B
}}
include users/{USERS_FILE}
"""


def namespace(name: str) -> Manifest:
    """One that is made where it is missing."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": LABELS}}


def server(users: Sequence[User], *, image: str = IMAGE) -> List[Manifest]:
    """Everything of the server but its namespace, such that each finds what it refers to."""
    passwords = {user.name: user.password for user in users}
    authorization = configuration(users)
    # Keyed with a password, so that nobody who may read pods can guess one.
    hashed = hmac.new(
        passwords[ADMIN].encode(), (authorization + _CONFIGURATION).encode(), hashlib.sha256
    )
    return [
        secret(USERS_SECRET, NAMESPACE, {**passwords, USERS_FILE: authorization}, LABELS),
        {**_object("v1", "ConfigMap", NAME, NAMESPACE), "data": {"nats.conf": _CONFIGURATION}},
        _network_policy(),
        _service(),
        _stateful_set(image, hashed.hexdigest()[:16]),
    ]


def streams(
    image: str, archive: bytes, requirements: str, variables: Mapping[str, str]
) -> List[Manifest]:
    """A Job that creates the streams that are missing, in ``image``, or in a stock Python image
    that installs what it needs. ``variables``: of the installation (proxies, pip's own)."""
    config_map = {**_object("v1", "ConfigMap", JOB, NAMESPACE), **code(archive, requirements)}
    made = [] if image else [config_map]
    pod = _streams_pod(image, variables)
    whole = json.dumps([pod, made, [vars(each) for each in STREAMS]], sort_keys=True)
    name = f"{JOB}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    labels = {**LABELS, "app.kubernetes.io/name": JOB}
    job = {
        **_object("batch/v1", "Job", name, NAMESPACE),
        "spec": {
            "activeDeadlineSeconds": _JOB_WITHIN,
            "backoffLimit": 2,
            "ttlSecondsAfterFinished": 3600,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return [*made, job]


def _stateful_set(image: str, revision: str) -> Manifest:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": STORAGE}}},
    }
    return {
        **_object("apps/v1", "StatefulSet", NAME, NAMESPACE),
        "spec": {
            "replicas": 1,
            "serviceName": NAME,
            "selector": {"matchLabels": _SELECTED},
            "template": {
                "metadata": {
                    "annotations": {REVISION: revision},
                    "labels": {**LABELS, **_SELECTED},
                },
                "spec": _server_pod(image),
            },
            "volumeClaimTemplates": [claim],
        },
    }


def _server_pod(image: str) -> Manifest:
    healthy = {"path": "/healthz?js-enabled-only=true", "port": MONITORING_PORT}
    return {
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": NAME,
                **worker_pod.common(image),
                "command": ["nats-server", "-c", "/etc/nats/nats.conf"],
                "env": [
                    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
                ],
                "ports": [{"containerPort": PORT, "name": "client", "protocol": "TCP"}],
                "startupProbe": {
                    "httpGet": healthy,
                    "periodSeconds": 2,
                    "timeoutSeconds": 3,
                    "failureThreshold": 60,
                },
                "readinessProbe": {
                    "httpGet": healthy,
                    "periodSeconds": 5,
                    "timeoutSeconds": 3,
                    "failureThreshold": 3,
                },
                "livenessProbe": {
                    # The process answers; whether JetStream has caught up is not asked.
                    "httpGet": {"path": "/healthz?js-server-only=true", "port": MONITORING_PORT},
                    "periodSeconds": 15,
                    "timeoutSeconds": 5,
                    "failureThreshold": 4,
                },
                "resources": worker_pod.resources("512Mi"),
                "volumeMounts": [
                    {"name": "config", "mountPath": "/etc/nats", "readOnly": True},
                    {"name": "users", "mountPath": "/etc/nats/users", "readOnly": True},
                    {"name": "data", "mountPath": "/data"},
                ],
            }
        ],
        "enableServiceLinks": False,
        "securityContext": worker_pod.SECURITY,
        "terminationGracePeriodSeconds": 30,
        "volumes": [
            {"name": "config", "configMap": {"name": NAME}},
            {
                "name": "users",
                "secret": {
                    "secretName": USERS_SECRET,
                    "items": [{"key": USERS_FILE, "path": USERS_FILE}],
                },
            },
        ],
    }


def _streams_pod(image: str, variables: Mapping[str, str]) -> Manifest:
    password = {"name": USERS_SECRET, "key": ADMIN}
    env: List[Manifest] = [
        {"name": "NATS_URL", "value": URL},
        {"name": "NATS_USER", "value": ADMIN},
        {"name": "NATS_PASSWORD", "valueFrom": {"secretKeyRef": password}},
    ]
    code = worker_pod.Code(image, JOB, variables)
    return {
        **code.installation,
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": "create-streams",
                **worker_pod.common(image),
                "command": ["python3", "-m", PROGRAM],
                "env": [*env, *plain(code.environment)],
                "resources": worker_pod.resources("256Mi"),
                "volumeMounts": [worker_pod.TMP, *code.mounts],
            }
        ],
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": worker_pod.SECURITY,
        "volumes": [worker_pod.TMP_VOLUME, *code.volumes],
    }


def _service() -> Manifest:
    port = {"name": "client", "port": PORT, "protocol": "TCP", "targetPort": PORT}
    return {
        **_object("v1", "Service", NAME, NAMESPACE),
        "spec": {"ports": [port], "selector": _SELECTED, "type": "ClusterIP"},
    }


def _network_policy() -> Manifest:
    """In from the cluster's pods, which have to log in; monitoring has no password, and is for the
    kubelet, which always reaches the pods of its node. Out to nowhere."""
    ports = [{"protocol": "TCP", "port": PORT}]
    return {
        **_object("networking.k8s.io/v1", "NetworkPolicy", NAME, NAMESPACE),
        "spec": {
            "podSelector": {"matchLabels": _SELECTED},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"namespaceSelector": {}}], "ports": ports}],
            "egress": [],
        },
    }


def _object(api: str, kind: str, name: str, place: str) -> Manifest:
    metadata = {"name": name, "namespace": place, "labels": LABELS}
    return {"apiVersion": api, "kind": kind, "metadata": metadata}
