"""How settings reach a function: variables, and files of mounted Secrets."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from playbooks.core.cluster.manifest import Manifest, labels
from playbooks.core.ledger.limits import ledger_name
from playbooks.deployment.manifests import ledger
from playbooks.deployment.manifests.secret import secret
from playbooks.deployment.request.request import Request
from playbooks.infrastructure import this_pod

# Where keys of Secrets that existed before are mounted.
REFERENCED = "/falco-secrets"

# Variables that hold fields of the pod itself.
# Source: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
FIELDS = {
    this_pod.NAMESPACE_VARIABLE: "metadata.namespace",
    this_pod.NODE_VARIABLE: "spec.nodeName",
}


def variables(
    request: Request, own: Optional[Mapping[str, str]] = None, *, fields: Mapping[str, str] = FIELDS
) -> List[Manifest]:
    """The container's env, by name. A secret setting is the path of its file. ``own``: what the
    engine sets beside. ``fields``: those of the pod."""
    found: Dict[str, Manifest] = {
        name: {"valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()
    }
    found.update({name: {"value": escaped(text)} for name, text in (own or {}).items()})
    if request.playbook.acts:
        found[ledger.SETTING] = {"value": ledger_name(request.function)}
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


def volumes(request: Request) -> List[Manifest]:
    """Our own Secret as the kubeless CLI mounts one, and keys of those that existed."""
    found: List[Manifest] = []
    if request.secrets:
        name = request.function
        found.append({"name": f"{name}-vol", "secret": {"secretName": name}})
    for index, (name, keys) in enumerate(_mounted(request).items()):
        items = [{"key": key, "path": key} for key in keys]
        volume = {"secretName": name, "items": items}
        found.append({"name": f"secret-{index}", "secret": volume})
    return found


def mounts(request: Request) -> List[Manifest]:
    """Where the volumes are in the container."""
    found: List[Manifest] = []
    if request.secrets:
        found.append({"name": f"{request.function}-vol", "mountPath": _own_path(request)})
    for index, name in enumerate(_mounted(request)):
        found.append({"name": f"secret-{index}", "mountPath": f"{REFERENCED}/{name}"})
    return found


def escaped(text: str) -> str:
    """The text such that it arrives unchanged: the kubelet expands $(NAME), and reads $$ as $.

    Source: k8s.io/kubernetes, third_party/forked/golang/expansion/expand.go.
    """
    return text.replace("$", "$$")


def plain(values: Mapping[str, str]) -> List[Manifest]:
    """Variables of a container, each of which arrives with this text."""
    return [{"name": name, "value": escaped(text)} for name, text in values.items()]


def unescaped(text: Optional[str]) -> str:
    """The text as it arrives; empty for none."""
    return str(text or "").replace("$$", "$")


def plain_values(container: Mapping[str, Any]) -> Dict[str, str]:
    """The variables of a container that is there, as they arrive; empty for one whose text comes
    from elsewhere."""
    return {str(v["name"]): unescaped(v.get("value")) for v in container.get("env") or ()}


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
    texts = {name: request.values[name] for name in request.secrets}
    return [secret(request.function, namespace, texts, labels(request.function))]
