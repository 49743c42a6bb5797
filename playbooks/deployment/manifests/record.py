"""What a Function that is deployed says of itself: it is the record of what is deployed."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple, Union

from playbooks.core.ledger.limits import ledger_name
from playbooks.core.settings import Setting
from playbooks.deployment.manifests import ledger
from playbooks.deployment.manifests.environment import (
    FIELDS,
    REFERENCED,
    plain_values,
    unescaped,
)
from playbooks.deployment.request.assignments import Reference, Value


def playbook_of(function: Mapping[str, Any]) -> str:
    """The name of its playbook; empty where it says none."""
    return str((function.get("spec") or {}).get("handler") or "").partition(".")[0]


def environment_of(function: Mapping[str, Any]) -> Dict[str, str]:
    """The plain values that it gives its pods; empty for a variable that has none."""
    return plain_values(_container(function))


def ledger_of(function: Mapping[str, Any]) -> Tuple[str, str]:
    """The namespace and name of its ledger. Raises InvalidSetting."""
    metadata = function["metadata"]
    return ledger.place(environment_of(function), metadata["namespace"], metadata["name"])


def given(
    function: Mapping[str, Any], settings: Sequence[Setting]
) -> List[Union[Value, Reference]]:
    """What -e and -s gave a Function, as its variables say. A secret text that -e gave is a
    reference to the function's own Secret."""
    name = function["metadata"]["name"]
    names = {setting.file_variable: setting.name for setting in settings if setting.secret}
    own = [Value(field, "") for field in FIELDS] + [Value(ledger.SETTING, ledger_name(name))]
    found = [_given(name, each, names) for each in _container(function).get("env") or ()]
    return [each for each in found if each not in own]


def topics_of(function: str, triggers: Iterable[Mapping[str, Any]]) -> Tuple[str, ...]:
    """Those that the triggers of its namespace subscribe it to, whoever made these."""
    specs: List[Mapping[str, Any]] = [each.get("spec") or {} for each in triggers]
    wanted = [spec for spec in specs if _selected(spec).get("function") == function]
    return tuple(sorted({str(spec.get("topic", "")) for spec in wanted}))


def _selected(spec: Mapping[str, Any]) -> Mapping[str, str]:
    return (spec.get("functionSelector") or {}).get("matchLabels") or {}


def _container(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first one, which Kubeless takes for that of the function."""
    found: Mapping[str, Any] = function.get("spec") or {}
    for part in ("deployment", "spec", "template", "spec"):
        found = found.get(part) or {}
    return next(iter(found.get("containers") or ()), {})


def _given(
    function: str, variable: Mapping[str, Any], names: Mapping[str, str]
) -> Union[Value, Reference]:
    """``names``: of secret settings by the variables that hold their files' paths."""
    name, text = str(variable["name"]), unescaped(variable.get("value"))
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
