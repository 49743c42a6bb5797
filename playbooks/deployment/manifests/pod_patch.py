"""``-P FILE``: what users set on a pod beside what deploy_playbook sets, laid over its template.

The file holds a part of a pod template, ``metadata`` and ``spec``, as YAML or JSON::

    spec:
      priorityClassName: system-cluster-critical
      nodeSelector: {pool: security}
      tolerations: [{key: dedicated, operator: Exists}]
      imagePullSecrets: [{name: registry}]
      containers:
      - env: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
        resources: {limits: {memory: 1Gi}}

Objects are merged key by key, and null removes a key. Lists whose items have a key are merged by
it: ``mountPath`` for volumeMounts, ``topologyKey`` for topologySpreadConstraints, ``containerPort``
for ports, else ``name`` (containers, env, volumes, imagePullSecrets, ...). Every other list, such
as tolerations, is replaced. A container without a name is each of those there are.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Union

import yaml

from playbooks.core.cluster.manifest import annotation, labels
from playbooks.deployment.errors import DeploymentError, UsageError

_KEYS = {
    "containers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_CONTAINERS = ("containers", "initContainers")


#: On a pod template: the patch in it, as JSON.
PATCHED = "falco/patch"


def of_option(given: Union[str, Mapping[str, Any], None]) -> Mapping[str, Any]:
    """Of a file, or as it stands in a file of playbooks. Raises UsageError."""
    if isinstance(given, str):
        return read(given)
    return checked(given, "the patch") if given else {}


def laid_over(template: Dict[str, Any], patch: Mapping[str, Any], function: str) -> Dict[str, Any]:
    """The template of a worker's pods, with the patch and a note of it. What the Deployment's
    selector selects stays as it is, whatever a patch says."""
    made = patched(template, patch)
    if patch:
        made["metadata"].setdefault("annotations", {})[PATCHED] = json.dumps(patch, sort_keys=True)
    made["metadata"]["labels"] = {**(made["metadata"].get("labels") or {}), **labels(function)}
    return made


def deployed(template: Mapping[str, Any]) -> Dict[str, Any]:
    """The patch in a template that is there. Raises DeploymentError."""
    try:
        found = json.loads(annotation(template, PATCHED) or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DeploymentError(f"annotation {PATCHED} of its pods is no JSON object")
    return found


# Once: it may be a pipe.
@lru_cache(maxsize=1)
def read(path: str) -> Mapping[str, Any]:
    """Raises UsageError."""
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise UsageError([f"-P: cannot read {path!r}: {error.strerror}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError([f"-P: {path!r} is neither YAML nor JSON: {error}"]) from None
    return checked(found, repr(path))


def checked(patch: Any, where: str) -> Mapping[str, Any]:
    """The patch. ``where``: what messages call it. Raises UsageError."""
    if not isinstance(patch, dict) or not set(patch) <= {"metadata", "spec"}:
        raise UsageError(
            [f"-P: {where} is no part of a pod template: at its top are metadata and spec"]
        )
    odd = [name for name, part in patch.items() if not isinstance(part, dict)]
    problems = [f"-P: {name} in {where} is no object" for name in odd]
    problems += _list_problems(where, patch.get("spec") or {})
    if problems:
        raise UsageError(problems)
    return patch


def patched(template: Mapping[str, Any], patch: Mapping[str, Any]) -> Dict[str, Any]:
    """The template, or an object in it, with the patch laid over it."""
    merged = {**template, **{k: _merged(k, template.get(k), part) for k, part in patch.items()}}
    return {key: part for key, part in merged.items() if part is not None}


def _list_problems(where: str, spec: Any, at: str = "spec") -> List[str]:
    """Lists that are merged and hold something else than objects."""
    found: List[str] = []
    for key, part in spec.items() if isinstance(spec, dict) else ():
        if key not in _KEYS or part is None:
            continue
        if not isinstance(part, list) or not all(isinstance(item, dict) for item in part):
            found.append(f"-P: {at}.{key} in {where} is no list of objects")
            continue
        for item in part:
            if _KEYS[key] not in item and key not in _CONTAINERS:
                found.append(f"-P: an item of {at}.{key} in {where} has no {_KEYS[key]}")
            found += _list_problems(where, item, f"{at}.{key}")
    return found


def _merged(key: str, old: Any, new: Any) -> Any:
    if isinstance(new, Mapping):
        return patched(old if isinstance(old, Mapping) else {}, new)
    if isinstance(new, list) and key in _KEYS:
        return _merged_list(key, old or [], new)
    return new


def _merged_list(key: str, old: List[Any], new: List[Any]) -> List[Any]:
    by = _KEYS[key]
    merged = list(old)
    for item in new:
        name: Optional[Any] = item.get(by)
        same = [i for i, there in enumerate(merged) if name in (None, there.get(by))]
        for index in same:
            merged[index] = patched(merged[index], item)
        if not same and name is not None:
            merged.append(patched({}, item))
    return merged
