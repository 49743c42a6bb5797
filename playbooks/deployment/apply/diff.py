"""What deploying would change, as ``kubectl diff`` shows it."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from difflib import unified_diff
from typing import Any, List, Optional, Tuple

from playbooks.core.cluster.manifest import Manifest, identity
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.core.notifications.plain_text import plain
from playbooks.deployment.apply.confirmation import without_password
from playbooks.deployment.apply.steps import Create, Keep, Remove, Step, compared, merged
from playbooks.deployment.terminal import documents

# Longer words, such as archives, are shown by their hash.
_LONGEST_WORD = 256


def difference(cluster: ClusterObjects, steps: List[Step]) -> str:
    """A unified diff of the objects' YAML; empty where nothing would change.

    Values of Secrets and passwords in URLs are hidden.
    """
    return "".join(
        _difference(*_both(cluster, step)) for step in steps if not isinstance(step, Keep)
    )


def _both(cluster: ClusterObjects, step: Step) -> Tuple[Optional[Manifest], Optional[Manifest]]:
    if isinstance(step, Create):
        return None, step.wanted
    if isinstance(step, Remove):
        return step.previous, None
    assert not isinstance(step, Keep)
    wanted = merged(step.wanted, step.previous)
    # With the API server's defaults; where it refuses, deploying says why.
    with suppress(PlaybookError):
        wanted = (cluster.replace([wanted], dry_run=True) or [wanted])[0]
    return step.previous, wanted


def _difference(before: Optional[Manifest], after: Optional[Manifest]) -> str:
    name = _name(before or after or {})
    live, wanted = _hidden(before, after, "before"), _hidden(after, before, "after")
    lines = unified_diff(_lines(live), _lines(wanted), f"live/{name}", f"merged/{name}", n=3)
    return "".join(without_password(plain(line.rstrip())) + "\n" for line in lines)


def _name(manifest: Manifest) -> str:
    kind, namespace, name = identity(manifest)
    api = str(manifest["apiVersion"]).replace("/", ".")
    return ".".join(part for part in (api, kind, namespace, name) if part)


def _lines(manifest: Optional[Manifest]) -> List[str]:
    return documents([_shortened(compared(manifest))]).splitlines(True) if manifest else []


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shortened(part) for part in value]
    if isinstance(value, str) and len(value) > _LONGEST_WORD and " " not in value:
        digest = hashlib.sha256(value.encode("utf-8")).hexdigest()
        return f"({len(value)} characters, sha256 {digest[:16]})"
    return value


def _hidden(
    manifest: Optional[Manifest], other: Optional[Manifest], note: str
) -> Optional[Manifest]:
    """With stars for the values of a Secret, which say as kubectl's whether the other's differ."""
    if manifest is None or manifest["kind"] != "Secret":
        return manifest
    there, own = (other or {}).get("data") or {}, manifest.get("data") or {}
    stars = {k: "***" if there.get(k) == text else f"*** ({note})" for k, text in own.items()}
    return {**manifest, "data": stars}
