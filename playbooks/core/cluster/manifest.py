"""What every object of ours has: an identity, our labels, and mostly the Function as its owner."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from playbooks.core.cluster.api_object import named

Manifest = Dict[str, Any]
Identity = Tuple[str, str, str]

# Labels, annotations and taints of ours begin with this.
PREFIX = "falco/"

CREATED_BY = "created-by"
FUNCTION = "function"

# On roles and bindings: the namespace of the Function they serve, which cannot own them elsewhere.
FUNCTION_NAMESPACE = "falco/function-namespace"

# On a Function that is being removed: its workers then delete what they keep elsewhere as they end.
REMOVING = "falco/removing"

# On what belongs to a function that is no Function of the cluster, instead of ``labels``.
MANAGED_BY, MANAGER = "app.kubernetes.io/managed-by", "falco-playbooks"

# On every ledger, so that all of them can be found, and no other ConfigMap is taken for one.
LEDGER = "falco/ledger"

# Holds the whole manifest of an object once more, as text.
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

KUBELESS_API = "kubeless.io/v1beta1"

# What the names of our functions begin with.
_FUNCTION_PREFIX = "falco-"


def function_name(name: str) -> str:
    """The function that ``-N NAME`` deploys."""
    return f"{_FUNCTION_PREFIX}{name}"


def is_function_name(text: str) -> bool:
    return text.startswith(_FUNCTION_PREFIX)


def name_of(function: str) -> str:
    """What ``-N`` takes for a function."""
    return function[len(_FUNCTION_PREFIX) :]


def labels(function: str) -> Dict[str, str]:
    """Those that the kubeless CLI gives a function."""
    return {CREATED_BY: "kubeless", FUNCTION: function}


def metadata(function: str, namespace: str, name: str = "") -> Dict[str, Any]:
    """Of an object of a function's, which has its name unless it is given another."""
    return {"name": name or function, "namespace": namespace, "labels": labels(function)}


def identity(manifest: Mapping[str, Any]) -> Identity:
    """Kind, namespace (empty where it has none) and name."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def shown(manifest: Mapping[str, Any]) -> str:
    kind, namespace, name = identity(manifest)
    return named(kind, name, namespace)


def reference(api: str, kind: str, name: str, namespace: str = "") -> Manifest:
    """Enough of an object to ask for it."""
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def label(manifest: Mapping[str, Any], key: str) -> Optional[str]:
    return _noted(manifest, "labels", key)


def annotation(manifest: Mapping[str, Any], key: str) -> Optional[str]:
    return _noted(manifest, "annotations", key)


def _noted(manifest: Mapping[str, Any], part: str, key: str) -> Optional[str]:
    found = (manifest["metadata"].get(part) or {}).get(key)
    return str(found) if found is not None else None


def without_zeros(value: Any) -> Any:
    """Without keys whose value means the same as none: null, empty, 0; but not false.

    Kubeless' controllers write such keys into every Function when they put their finalizer on it.
    """
    if isinstance(value, dict):
        kept = {key: without_zeros(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part or part is False}
    if isinstance(value, list):
        return [without_zeros(part) for part in value]
    return value


def owned_by(function: Mapping[str, Any], manifest: Manifest) -> Manifest:
    """The same object with the Function as its owner, where an owner can be: in its namespace."""
    if manifest["metadata"].get("namespace") != function["metadata"]["namespace"]:
        return manifest
    owner = {
        "apiVersion": function["apiVersion"],
        "kind": function["kind"],
        "name": function["metadata"]["name"],
        "uid": function["metadata"]["uid"],
    }
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [owner]}}
