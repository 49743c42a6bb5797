"""What a cluster has on record of the functions that are deployed.

A Function is the record itself; whoever may edit it writes what he likes below its ``spec``, and
what is of no use there is as if it were not there. Functions to which alerts are pushed are no
objects of the cluster that they act on: their record is the binding of their ledger, on which they
have no rights.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import (
    FUNCTION,
    KUBELESS_API,
    LEDGER,
    MANAGED_BY,
    MANAGER,
    Manifest,
    annotation,
    label,
)
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.ledger.limits import ledger_name
from playbooks.core.settings import Setting
from playbooks.deployment.manifests import ledger, rbac
from playbooks.deployment.manifests.crds import TRIGGERS
from playbooks.deployment.manifests.environment import (
    FIELDS,
    REFERENCED,
    plain,
    plain_values,
    unescaped,
)
from playbooks.deployment.manifests.function import is_trigger_of
from playbooks.deployment.request.assignments import Given, Reference, Value
from playbooks.deployment.request.request import Request

# On such a binding: what the function is. The settings are JSON, of those that are no secrets.
PLAYBOOK, ENGINE, SETTINGS = "falco/playbook", "falco/engine", "falco/settings"

# Who the function is, in the form of a Function, which has no such field.
_SUBJECTS = "subjects"


def playbook_of(function: Mapping[str, Any]) -> str:
    """The name of its playbook; empty where it says none."""
    return str(_mapping(function.get("spec")).get("handler") or "").partition(".")[0]


def engine_of(function: Mapping[str, Any]) -> str:
    """The name of the engine of one to which alerts are pushed; empty for a Function, whatever
    annotations that has."""
    return (annotation(function, ENGINE) or "") if _SUBJECTS in function else ""


def environment_of(function: Mapping[str, Any]) -> Dict[str, str]:
    """The plain values that it gives its pods; empty for a variable that has none."""
    return plain_values(_container(function))


def ledger_of(function: Mapping[str, Any]) -> Tuple[str, str]:
    """The namespace and name of its ledger. Raises InvalidSetting."""
    metadata = function["metadata"]
    return ledger.place(environment_of(function), metadata["name"], metadata["namespace"])


def given(function: Mapping[str, Any], settings: Sequence[Setting]) -> List[Given]:
    """What -e and -s gave a Function, as its variables say. A secret text that -e gave is a
    reference to the function's own Secret."""
    name = function["metadata"]["name"]
    names = {setting.file_variable: setting.name for setting in settings if setting.secret}
    own = [Value(field, "") for field in FIELDS] + [Value(ledger.SETTING, ledger_name(name))]
    found = [_given(name, each, names) for each in _container(function).get("env") or ()]
    return [each for each in found if each not in own]


def topics_of(cluster: ClusterObjects, function: str, namespace: str) -> Tuple[str, ...]:
    """Those that the triggers of its namespace subscribe it to, whoever made these."""
    triggers = cluster.list(TRIGGERS, namespace=namespace)
    specs = [_mapping(each.get("spec")) for each in triggers]
    selected = [_mapping(_mapping(s.get("functionSelector")).get("matchLabels")) for s in specs]
    wanted = [spec for spec, by in zip(specs, selected) if by.get(FUNCTION) == function]
    return tuple(sorted({str(spec.get("topic", "")) for spec in wanted}))


def _container(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first one, which Kubeless takes for that of the function, with the variables that have a
    name."""
    found = _mapping(function.get("spec"))
    for part in ("deployment", "spec", "template", "spec"):
        found = _mapping(found.get(part))
    first = _mapping(next(iter(_list(found.get("containers"))), None))
    named = [each for each in map(_mapping, _list(first.get("env"))) if "name" in each]
    return {**first, "env": named}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> List[Any]:
    return value if isinstance(value, list) else []


def _given(function: str, variable: Mapping[str, Any], names: Mapping[str, str]) -> Given:
    """``names``: of secret settings by the variables that hold their files' paths."""
    name, text = str(variable["name"]), unescaped(variable.get("value"))
    key = _mapping(_mapping(variable.get("valueFrom")).get("secretKeyRef"))
    if key:
        return Reference(name, str(key.get("name")), str(key.get("key")))
    path = PurePosixPath(text)
    of_setting = names.get(name) or (name[: -len("_FILE")] if name.endswith("_FILE") else name)
    if str(path.parent) == f"/{function}":
        return Reference(of_setting, function, path.name)
    if str(path.parent.parent) == REFERENCED:
        return Reference(of_setting, path.parent.name, path.name)
    return Value(name, text)


def of_binding(binding: Manifest) -> Optional[Manifest]:
    """What such a binding of a ledger says of its function, in the form of a Function, so that what
    is read of these can be read of it; None for another binding, or of a playbook that is not known
    here. It has the name of its engine as an annotation."""
    metadata = binding["metadata"]
    noted = metadata.get("annotations") or {}
    playbook, function = noted.get(PLAYBOOK), label(binding, FUNCTION)
    ours = label(binding, MANAGED_BY) == MANAGER and ENGINE in noted and function
    if not ours or metadata["name"] != ledger_name(str(function)):
        return None
    if playbook not in catalogue.names():
        return None
    containers = [{"name": function, "env": plain(_settings(noted.get(SETTINGS)))}]
    return {
        "apiVersion": KUBELESS_API,
        "kind": "Function",
        "metadata": {
            "name": function,
            "namespace": metadata["namespace"],
            "annotations": {ENGINE: noted[ENGINE]},
        },
        "spec": {
            "handler": f"{playbook}.handler",
            "deployment": {"spec": {"template": {"spec": {"containers": containers}}}},
        },
        _SUBJECTS: binding.get("subjects") or [],
    }


def _settings(text: Optional[str]) -> Dict[str, str]:
    try:
        found: Dict[str, Any] = json.loads(text or "{}")
        return {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def notes(request: Request, engine: str) -> Dict[str, str]:
    """The annotations of that binding. ``engine``: by name."""
    given = {s.name: request.values[s.name] for s in request.settings if s.name in request.values}
    texts = {name: text for name, text in given.items() if name not in request.secrets}
    return {
        PLAYBOOK: request.playbook.name,
        ENGINE: engine,
        SETTINGS: json.dumps(texts, sort_keys=True, ensure_ascii=False),
    }


def triggers_of(cluster: ClusterObjects, function: str, namespace: str) -> List[Manifest]:
    """Those that deploying made."""
    found = cluster.list(TRIGGERS, namespace=namespace)
    return [trigger for trigger in found if is_trigger_of(function, trigger)]


def find(cluster: ClusterObjects, function: str, namespace: str) -> Optional[Manifest]:
    """Its Function, or what is recorded of one to which alerts are pushed, in the same form."""
    found = cluster.find(KUBELESS_API, "Function", function, namespace)
    return found or find_pushed(cluster, function, namespace)


def find_pushed(cluster: ClusterObjects, function: str, namespace: str) -> Optional[Manifest]:
    """The same of those to which alerts are pushed alone."""
    binding = cluster.find(rbac.API, "RoleBinding", ledger_name(function), namespace)
    return of_binding(binding) if binding else None


def pushed(cluster: ClusterObjects, namespace: str) -> List[Manifest]:
    """All of these, in a namespace or, where it is empty, in all. Raises a PlaybookError where they
    may not be listed."""
    bindings = f"rolebindings.{rbac.GROUP}"
    selector = f"{MANAGED_BY}={MANAGER},{LEDGER}"
    found = cluster.list((bindings,), namespace=namespace, selector=selector)
    return [each for each in map(of_binding, found) if each]
