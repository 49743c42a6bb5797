"""Objects in memory, with the rules of the Kubernetes API that playbooks rely on."""

from __future__ import annotations

import copy
import threading
import uuid
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from playbooks.engines.local.standin import status
from playbooks.engines.local.standin.kinds import BY_NAME, Kind

Manifest = Dict[str, Any]
Key = Tuple[str, str, str]


class Objects:
    """Every write gives an object a new ``resourceVersion``; a write that names an old one is
    refused, and so is one that names another uid.

    No controller and no kubelet is behind it: a deleted pod is gone at once, unless it has
    finalizers, and nothing replaces it.
    """

    def __init__(self) -> None:
        self._stored: Dict[Key, Manifest] = {}
        self._known: Set[Key] = set()
        self._left_out: Set[Key] = set()
        self._version = 0
        self._lock = threading.RLock()

    @property
    def version(self) -> str:
        return str(self._version)

    def put(self, manifest: Mapping[str, Any]) -> bool:
        """Add an object as given, unless one of its kind, namespace and name was ever there."""
        kind, metadata = BY_NAME[manifest["kind"]], manifest["metadata"]
        key = _key(kind, metadata.get("namespace") or "", metadata["name"])
        with self._lock:
            if key in self._known or key in self._left_out:
                return False
            self._keep(kind, key, copy.deepcopy(dict(manifest)))
            return True

    def leave_out(self, manifest: Mapping[str, Any]) -> None:
        """Remember an object as gone, so that nobody puts it."""
        kind, metadata = BY_NAME[manifest["kind"]], manifest["metadata"]
        self._left_out.add(_key(kind, metadata.get("namespace") or "", metadata["name"]))

    def ever(self, kind: Kind) -> List[Tuple[str, str]]:
        """Namespace and name of all that were ever there, sorted."""
        with self._lock:
            return sorted(key[1:] for key in self._known if key[0] == kind.resource)

    def read(self, kind: Kind, namespace: str, name: str) -> Manifest:
        with self._lock:
            return copy.deepcopy(self._found(kind, namespace, name))

    def all(self, kind: Kind, namespace: str = "", field_selector: str = "") -> List[Manifest]:
        """``namespace``: empty for all of them. ``field_selector``: ``path=value``, by commas."""
        wanted = [_equation(part) for part in field_selector.split(",") if part]
        with self._lock:
            return [
                copy.deepcopy(manifest)
                for (resource, where, _), manifest in sorted(self._stored.items())
                if resource == kind.resource
                and namespace in ("", where)
                and all(_at(manifest, path) == value for path, value in wanted)
            ]

    def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> Manifest:
        metadata = body.get("metadata") or {}
        name = metadata.get("name") or ""
        if not name:
            raise status.invalid(kind.name, "", "metadata.name", "Required value")
        if metadata.get("namespace", namespace) != namespace:
            raise status.bad_request("the namespace of the object is not that of the request")
        key = _key(kind, namespace, name)
        with self._lock:
            if key in self._stored:
                raise status.already_exists(kind.resource, name)
            made = copy.deepcopy(dict(body))
            made["metadata"] = {**metadata, "uid": "", "creationTimestamp": ""}
            if namespace:
                made["metadata"]["namespace"] = namespace
            return copy.deepcopy(self._keep(kind, key, made))

    def replace(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any]) -> Manifest:
        with self._lock:
            stored = self._found(kind, namespace, name)["metadata"]
            given = body.get("metadata") or {}
            metadata = {
                **given,
                "uid": given.get("uid") or stored["uid"],
                "creationTimestamp": stored["creationTimestamp"],
                "resourceVersion": given.get("resourceVersion") or stored["resourceVersion"],
            }
            return self._write(kind, namespace, name, {**body, "metadata": metadata})

    def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any]) -> Manifest:
        """A JSON merge patch."""
        with self._lock:
            return self._write(
                kind, namespace, name, merged(self._found(kind, namespace, name), body)
            )

    def delete(self, kind: Kind, namespace: str, name: str, options: Mapping[str, Any]) -> Manifest:
        """``options``: DeleteOptions with their preconditions and grace period."""
        with self._lock:
            stored = self._found(kind, namespace, name)
            metadata, conditions = stored["metadata"], options.get("preconditions") or {}
            wanted = conditions.get("uid")
            if wanted and wanted != metadata["uid"]:
                raise status.other_uid(kind.resource, name, wanted, metadata["uid"])
            version = conditions.get("resourceVersion")
            if version and version != metadata["resourceVersion"]:
                raise status.modified(kind.resource, name)
            if metadata.get("finalizers"):
                metadata.setdefault("deletionTimestamp", _now())
                return copy.deepcopy(stored)
            return self._stored.pop(_key(kind, namespace, name))

    def _write(self, kind: Kind, namespace: str, name: str, changed: Manifest) -> Manifest:
        stored = self._found(kind, namespace, name)
        if changed["metadata"].get("resourceVersion") != stored["metadata"]["resourceVersion"]:
            raise status.modified(kind.resource, name)
        for field in ("uid", "name"):
            if changed["metadata"].get(field) != stored["metadata"][field]:
                raise status.invalid(
                    kind.name, name, f"metadata.{field}", "Invalid value: field is immutable"
                )
        if changed == stored:
            return copy.deepcopy(stored)
        kept = self._keep(kind, _key(kind, namespace, name), copy.deepcopy(changed))
        return copy.deepcopy(kept)

    def _keep(self, kind: Kind, key: Key, manifest: Manifest) -> Manifest:
        self._version += 1
        metadata = dict(manifest["metadata"])
        metadata["uid"] = metadata.get("uid") or str(uuid.uuid4())
        metadata["creationTimestamp"] = metadata.get("creationTimestamp") or _now()
        metadata["resourceVersion"] = str(self._version)
        kept = {**manifest, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
        self._stored[key] = kept
        self._known.add(key)
        return kept

    def _found(self, kind: Kind, namespace: str, name: str) -> Manifest:
        try:
            return self._stored[_key(kind, namespace, name)]
        except KeyError:
            raise status.not_found(kind.resource, name) from None


def merged(target: Any, patch: Any) -> Any:
    """Source: RFC 7386, JSON Merge Patch, section 2."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _key(kind: Kind, namespace: str, name: str) -> Key:
    return kind.resource, namespace if kind.namespaced else "", name


def _equation(part: str) -> Tuple[str, str]:
    path, sign, value = part.partition("=")
    if not sign or path.endswith("!"):
        raise status.bad_request(f"field selector {part!r}: the stand-in knows path=value only")
    return path, value.lstrip("=")


def _at(manifest: Mapping[str, Any], path: str) -> Optional[str]:
    found: Any = manifest
    for step in path.split("."):
        found = found.get(step, "") if isinstance(found, Mapping) else ""
    return str(found)


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
