"""How settings reach a function: variables, and files of mounted Secrets."""

from __future__ import annotations

import base64
from pathlib import PurePosixPath
from typing import Any, Dict, List, Mapping, Sequence, Union

from playbooks.core.cluster.manifest import Manifest, labels
from playbooks.core.settings import Setting
from playbooks.deployment.manifests import ledger
from playbooks.deployment.request.assignments import Reference, Value
from playbooks.deployment.request.request import Request
from playbooks.infrastructure import this_pod

# Where keys of Secrets that existed before are mounted.
REFERENCED = "/falco-secrets"

# Variables that hold fields of the pod itself.
# Source: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
_FIELDS = {
    this_pod.NAMESPACE_VARIABLE: "metadata.namespace",
    this_pod.NODE_VARIABLE: "spec.nodeName",
}


def variables(request: Request) -> List[Manifest]:
    """The container's env, by name. A secret setting is the path of its file."""
    found: Dict[str, Manifest] = {name: _field(path) for name, path in _FIELDS.items()}
    if request.playbook.acts:
        found[ledger.SETTING] = {"value": ledger.name(request.function)}
    for name, text in request.values.items():
        setting = request.setting(name)
        if setting and name in request.secrets:
            found[setting.file_variable] = {"value": f"{_own_path(request)}/{name}"}
        else:
            found[name] = {"value": escaped(text)}
    for reference in request.references:
        setting = request.setting(reference.name)
        if setting and setting.secret:
            path = f"{REFERENCED}/{reference.secret}/{reference.key}"
            found[setting.file_variable] = {"value": path}
        else:
            key = {"name": reference.secret, "key": reference.key}
            found[reference.name] = {"valueFrom": {"secretKeyRef": key}}
    return [{"name": name, **found[name]} for name in sorted(found)]


def _field(path: str) -> Manifest:
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


def volumes(request: Request) -> List[Manifest]:
    """Our own Secret as the kubeless CLI mounts one, and keys of those that existed."""
    found: List[Manifest] = []
    if request.secrets:
        name = request.function
        found.append({"name": f"{name}-vol", "secret": {"secretName": name}})
    for index, (secret, keys) in enumerate(_mounted(request).items()):
        items = [{"key": key, "path": key} for key in keys]
        volume = {"secretName": secret, "items": items}
        found.append({"name": f"secret-{index}", "secret": volume})
    return found


def mounts(request: Request) -> List[Manifest]:
    """Where the volumes are in the container."""
    found: List[Manifest] = []
    if request.secrets:
        found.append({"name": f"{request.function}-vol", "mountPath": _own_path(request)})
    for index, secret in enumerate(_mounted(request)):
        found.append({"name": f"secret-{index}", "mountPath": f"{REFERENCED}/{secret}"})
    return found


def escaped(text: str) -> str:
    """The text such that it arrives unchanged: the kubelet expands $(NAME), and reads $$ as $.

    Source: k8s.io/kubernetes, third_party/forked/golang/expansion/expand.go.
    """
    return text.replace("$", "$$")


def _own_path(request: Request) -> str:
    return f"/{request.function}"


def _mounted(request: Request) -> Dict[str, List[str]]:
    """The keys to mount of each Secret that existed, both sorted."""
    found: Dict[str, Any] = {}
    for reference in sorted(request.references, key=lambda r: (r.secret, r.key)):
        setting = request.setting(reference.name)
        if setting and setting.secret:
            keys = found.setdefault(reference.secret, [])
            if reference.key not in keys:
                keys.append(reference.key)
    return found


def secrets(request: Request, namespace: str) -> List[Manifest]:
    """One, or none where no secret setting was given a value."""
    if not request.secrets:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": request.function,
                "namespace": namespace,
                "labels": labels(request.function),
            },
            "type": "Opaque",
            "data": {
                name: base64.b64encode(request.values[name].encode("utf-8")).decode("ascii")
                for name in request.secrets
            },
        }
    ]


def given(function: Manifest, settings: Sequence[Setting]) -> List[Union[Value, Reference]]:
    """What -e and -s gave a Function, as its variables say. A secret text that -e gave is a
    reference to the function's own Secret."""
    name = function["metadata"]["name"]
    names = {setting.file_variable: setting.name for setting in settings if setting.secret}
    own = [Value(field, "") for field in _FIELDS] + [Value(ledger.SETTING, ledger.name(name))]
    container = function["spec"]["deployment"]["spec"]["template"]["spec"]["containers"][0]
    found = [_given(name, variable, names) for variable in container.get("env") or ()]
    return [each for each in found if each not in own]


def _given(
    function: str, variable: Mapping[str, Any], names: Mapping[str, str]
) -> Union[Value, Reference]:
    """``names``: of secret settings by the variables that hold their files' paths."""
    name, text = str(variable["name"]), str(variable.get("value") or "").replace("$$", "$")
    key = (variable.get("valueFrom") or {}).get("secretKeyRef")
    if key:
        return Reference(name, key["name"], key["key"])
    path = PurePosixPath(text)
    of_setting = names.get(name) or (name[: -len("_FILE")] if name.endswith("_FILE") else name)
    if str(path.parent) == f"/{function}":
        return Reference(of_setting, function, path.name)
    if str(path.parent.parent) == REFERENCED:
        return Reference(of_setting, path.parent.name, path.name)
    return Value(name, text)
