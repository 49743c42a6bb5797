"""An object that was deleted, as the ledger keeps it, and how it is created again."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any, Callable, ClassVar, Dict, Optional, Sequence, Tuple

from playbooks.core.cluster.api_object import KINDS, ApiObject, ObjectKind, kind_of
from playbooks.core.cluster.manifest import APPLIED
from playbooks.core.containment.containment import Containment, Target
from playbooks.core.errors import NotFound
from playbooks.core.instant import Instant
from playbooks.core.ledger.contained import Contained, Notes
from playbooks.core.ports import Cluster

# The manifest, compressed, in base64.
REVOKED = "falco/revoked"

# Characters of such a note: the ledger is one object of the cluster, and has some hundred.
LONGEST = 2048

# Bytes of a manifest, at most: what is compressed is not trusted to be small.
_LARGEST = 256 * 1024

# What the API server writes into metadata, and what belongs to one object only.
_SERVERS = (
    *("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"),
    *("deletionGracePeriodSeconds", "managedFields", "selfLink"),
)

# Kinds whose values are kept nowhere.
_SECRET = "Secret"


class Revocation(Containment):
    """Of a target that is gone: only the ledger knows it."""

    KINDS = tuple(kind.typed for kind in KINDS)
    KEYS = (REVOKED,)
    NOTHING = "was not revoked by a playbook, or no ledger has its manifest"
    EXPIRED = "revoked"
    REMOVES: ClassVar[bool] = True

    @classmethod
    def read(cls, cluster: Cluster, kind: str, name: str, namespace: str) -> Target:  # noqa: ARG003
        raise NotFound(f"{kind} {name} was deleted")

    @classmethod
    def listed(cls, cluster: Cluster, namespaces: Tuple[str, ...]) -> Sequence[Target]:  # noqa: ARG003
        """None is there, whatever the ledger knows."""
        return ()

    @classmethod
    def is_due(cls, notes: Notes, now: Instant, look: Callable[[], Any]) -> bool:  # noqa: ARG003
        return False

    @classmethod
    def of(cls, target: Target, cluster: Cluster, notes: Notes) -> Containment:
        raise NotImplementedError

    @property
    def there(self) -> bool:
        raise NotImplementedError

    def release(self, cluster: Cluster) -> str:
        raise NotImplementedError

    @classmethod
    def restored(cls, cluster: Cluster, known: Contained) -> Optional[Tuple[str, str]]:
        """Create it again: its new uid, and what was done. None where the note says nothing.
        Raises AlreadyExists."""
        kind = kind_of(known.kind)
        manifest = _manifest(known.notes.get(REVOKED, ""))
        if kind is None or manifest is None:
            return None
        made = cluster.create_object(_again(kind, manifest, known))
        return made.uid, f"{made}: created again"


def note(found: ApiObject) -> str:
    """What the ledger keeps of an object; empty where that is too long, or secret."""
    if found.kind.kind == _SECRET:
        return ""
    metadata = dict(found.manifest["metadata"])
    for key in _SERVERS:
        metadata.pop(key, None)
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != APPLIED}
    kept = {k: v for k, v in {**metadata, "annotations": annotations}.items() if v}
    manifest = {k: v for k, v in found.manifest.items() if k not in ("status", "metadata")}
    text = json.dumps({**manifest, "metadata": kept}, separators=(",", ":"), default=str)
    written = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return written if len(written) <= LONGEST and len(text) <= _LARGEST else ""


def _manifest(written: str) -> Optional[Dict[str, Any]]:
    try:
        packed = zlib.decompressobj()
        text = packed.decompress(base64.b64decode(written, validate=True), _LARGEST)
        found = json.loads(text)
    except (ValueError, binascii.Error, zlib.error, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("metadata"), dict) else None


def _again(kind: ObjectKind, manifest: Dict[str, Any], known: Contained) -> ApiObject:
    """Of the kind, name and namespace that the ledger says, whatever the note does."""
    metadata = {**manifest["metadata"], "name": known.name}
    metadata.pop("namespace", None)
    if known.namespace:
        metadata["namespace"] = known.namespace
    made = {**manifest, "apiVersion": kind.api, "kind": kind.kind, "metadata": metadata}
    return ApiObject(kind, made)
