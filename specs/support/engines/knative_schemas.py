"""Knative's own resource definitions, where somebody fetched them: a directory with its
config/core/300-resources/service.yaml (knative/serving) and config/core/resources/trigger.yaml
(knative/eventing), which KNATIVE_CRDS names."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List

import yaml

from specs.support.conditions import Condition

DIRECTORY = os.environ.get("KNATIVE_CRDS", "")

KNATIVE_CRDS = Condition(
    bool(DIRECTORY) and find_spec("jsonschema") is not None,
    "Knative's resource definitions are not there: KNATIVE_CRDS names their directory",
)


def problems(manifest: Dict[str, Any]) -> List[str]:
    """What the definition of its kind says against a manifest, misspelt fields among it."""
    from jsonschema import Draft202012Validator  # takes longer than all else that specs import

    name = f"{manifest['kind'].lower()}.yaml"
    document = yaml.safe_load(Path(DIRECTORY, name).read_text())
    version = next(v for v in document["spec"]["versions"] if v["name"] == "v1")
    schema = _strict(version["schema"]["openAPIV3Schema"])
    # Every object has them, whether its definition says so or not.
    schema["properties"] = {"apiVersion": {}, "kind": {}, "metadata": {}, **schema["properties"]}
    found = Draft202012Validator(schema).iter_errors(manifest)
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in found]


def _strict(schema: Any) -> Any:
    """No other fields than those that it has: read as JSON Schema it takes them all."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    # Properties by the name of a keyword are no keywords.
    fields = schema.get("properties")
    if isinstance(fields, dict) and schema.get("type") == "object":
        found["properties"] = {name: _strict(value) for name, value in fields.items()}
        open_ended = schema.get("x-kubernetes-preserve-unknown-fields")
        if not open_ended and "additionalProperties" not in schema:
            found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
        found["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return found
