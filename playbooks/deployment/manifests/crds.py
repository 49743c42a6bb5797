"""The resource definitions of Function and NATSTrigger, for Kubernetes 1.16 and later.

They take everything that the kubeless CLI and its controllers write, which is more than makes
sense (empty Deployments, null selectors), and refuse what nobody could serve.
"""

from __future__ import annotations

from typing import Any, Dict, List

from playbooks.core.cluster.manifest import MANAGED_BY, Manifest

GROUP = "kubeless.io"
VERSION = "v1beta1"

#: The two resources, by name, and as one lists each.
RESOURCES = ("functions", "natstriggers")
FUNCTIONS, TRIGGERS = ((f"{resource}.{GROUP}",) for resource in RESOURCES)

#: On what is there once for all playbooks.
LABELS = {MANAGED_BY: "deploy_playbook"}

# Tokens of a NATS subject: "*" and ">" are tokens of their own, ">" only the last one.
_TOPIC = r"^((\*|[^\s.*>]+)\.)*(\*|>|[^\s.*>]+)$"
_CONTENT_TYPE = r"^((text|base64|url)(\+zip|\+compressedtar)?(\+deps)?)?$"

Schema = Dict[str, Any]


def definitions() -> List[Manifest]:
    return [
        _definition("Function", _function(), _columns(Handler="handler", Runtime="runtime")),
        _definition(
            "NATSTrigger",
            _trigger(),
            _columns(Topic="topic", Function="functionSelector.matchLabels.function"),
        ),
    ]


def _definition(kind: str, spec: Schema, columns: List[Dict[str, str]]) -> Manifest:
    singular = kind.lower()
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": spec}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{GROUP}", "labels": LABELS},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": f"{singular}s",
                "singular": singular,
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": columns,
                }
            ],
        },
    }


def _columns(**paths: str) -> List[Dict[str, str]]:
    columns = [
        {"name": name, "type": "string", "jsonPath": f".spec.{path}"}
        for name, path in paths.items()
    ]
    return [*columns, {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]


def _function() -> Schema:
    """Deployment, service and autoscaler are Kubernetes' own types of several versions."""
    kept = {"type": "object", "nullable": True, "x-kubernetes-preserve-unknown-fields": True}
    return _object(
        {
            "checksum": _text(r"^((sha256:)?[0-9a-f]{64})?$"),
            "deployment": kept,
            "deps": _text(),
            "function": _text(),
            "function-content-type": _text(_CONTENT_TYPE),
            "handler": _text(r"^\S*$"),
            "horizontalPodAutoscaler": kept,
            "runtime": _text(r"^\S*$"),
            "service": kept,
            "timeout": _text(r"^[0-9]*$"),
        }
    )


def _trigger() -> Schema:
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    expression = _object(
        {
            "key": _text(),
            "operator": {"type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
            "values": {"type": "array", "items": {"type": "string"}},
        },
        required=["key", "operator"],
    )
    selector = _object(
        {"matchLabels": texts, "matchExpressions": {"type": "array", "items": expression}}
    )
    return _object(
        {"functionSelector": selector, "topic": _text(_TOPIC)},
        required=["functionSelector", "topic"],
    )


def _text(pattern: str = "") -> Schema:
    return {"type": "string", "pattern": pattern} if pattern else {"type": "string"}


def _object(properties: Schema, required: Any = ()) -> Schema:
    made: Schema = {"type": "object", "properties": properties}
    return {**made, "required": list(required)} if required else made
