"""The Function, as ``kubeless function deploy`` makes it."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any, Dict, List, Mapping, Sequence

from playbooks.core.cluster.manifest import KUBELESS_API, Manifest, labels, metadata
from playbooks.deployment.manifests import environment
from playbooks.deployment.packaging.archive import archive
from playbooks.deployment.packaging.dependencies import requirements
from playbooks.deployment.request.options import DEFAULT_RUNTIME
from playbooks.deployment.request.request import Request

# Seconds; the kubeless CLI's default.
TIMEOUT = "180"
PORT = 8080


def function(request: Request, namespace: str, *, code: bool = True) -> Manifest:
    """Without the zero values that the CLI also writes, which mean the same. ``code``: whether the
    archive is in it, which nobody needs whose image has everything."""
    name = request.playbook.name
    made = _content(request) if code else {}
    return {
        "apiVersion": KUBELESS_API,
        "kind": "Function",
        "metadata": metadata(request.function, namespace),
        "spec": {
            **made,
            "deployment": _deployment(request),
            "handler": f"{name}.handler",
            "runtime": request.runtime,
            "service": service_spec(request.function),
            "timeout": TIMEOUT,
        },
    }


def service_spec(function: str) -> Dict[str, Any]:
    port = {"name": "http-function-port", "port": PORT, "protocol": "TCP", "targetPort": PORT}
    return {"ports": [port], "selector": labels(function), "type": "ClusterIP"}


def packed(request: Request) -> bytes:
    """Its code. Raises TooLarge."""
    return archive(request.playbook.name, runs=request.playbook.runs(request.values))


def _content(request: Request) -> Dict[str, Any]:
    code = packed(request)
    return {
        "checksum": f"sha256:{hashlib.sha256(code).hexdigest()}",
        "deps": requirements(request.playbook.installs(request.values)),
        "function": base64.b64encode(code).decode("ascii"),
        "function-content-type": "base64+zip",
    }


def _deployment(request: Request) -> Dict[str, Any]:
    """Kubeless rolls out no change of the runtime alone, but one of the Deployment's template."""
    made: Dict[str, Any] = {"spec": {"template": {"spec": _pod(request)}}}
    if request.runtime != DEFAULT_RUNTIME:
        made["metadata"] = {"annotations": {"falco/runtime": request.runtime}}
    return made


def _pod(request: Request) -> Dict[str, Any]:
    container: Dict[str, Any] = {
        "env": environment.variables(request),
        "imagePullPolicy": "IfNotPresent",
        "name": "",
        "resources": {},
        "volumeMounts": environment.mounts(request),
    }
    pod: Dict[str, Any] = {
        "containers": [{key: part for key, part in container.items() if part != []}],
        "serviceAccountName": request.function,
        "volumes": environment.volumes(request),
    }
    return {key: part for key, part in pod.items() if part != []}


def triggers(function: str, namespace: str, topics: Sequence[str]) -> List[Manifest]:
    return [
        {
            "apiVersion": KUBELESS_API,
            "kind": "NATSTrigger",
            "metadata": metadata(function, namespace, f"{function}-trigger-{index}"),
            "spec": {"functionSelector": {"matchLabels": labels(function)}, "topic": topic},
        }
        for index, topic in enumerate(topics)
    ]


def is_trigger_of(function: str, manifest: Mapping[str, Any]) -> bool:
    """By its name: the kubeless CLI gives a trigger no label with its function."""
    name = manifest["metadata"]["name"]
    return bool(re.fullmatch(re.escape(function) + "-trigger-[0-9]+", name))
