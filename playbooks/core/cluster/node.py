"""A node and its taints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Tuple

Taint = Mapping[str, str]

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")

# Effects that keep new pods away.
_REPELLING = ("NoSchedule", "NoExecute")


def shown(taint: Taint) -> str:
    """As kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


@dataclass(frozen=True)
class Node:
    """A node as the API has it."""

    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self._metadata["name"])

    @property
    def uid(self) -> str:
        return str(self._metadata.get("uid", ""))

    @property
    def resource_version(self) -> str:
        return str(self._metadata.get("resourceVersion", ""))

    @property
    def taints(self) -> Tuple[Taint, ...]:
        return tuple(self.manifest.get("spec", {}).get("taints") or ())

    @property
    def annotations(self) -> Mapping[str, str]:
        return self._metadata.get("annotations") or {}

    @property
    def control_plane(self) -> bool:
        """Source: https://kubernetes.io/docs/reference/labels-annotations-taints/"""
        return any(label in self._labels for label in _CONTROL_PLANE)

    @property
    def unschedulable(self) -> bool:
        """Whether it is cordoned."""
        return bool((self.manifest.get("spec") or {}).get("unschedulable"))

    @property
    def schedulable(self) -> bool:
        """Whether it takes new pods: not cordoned, and no taint that keeps all others away."""
        repelled = any(taint["effect"] in _REPELLING for taint in self.taints)
        return not self.unschedulable and not repelled

    @property
    def ready(self) -> bool:
        conditions = (self.manifest.get("status") or {}).get("conditions") or ()
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def has_taint(self, key: str, effect: str) -> bool:
        return any(taint["key"] == key and taint["effect"] == effect for taint in self.taints)

    def __str__(self) -> str:
        return f"node {self.name}"

    @property
    def _labels(self) -> Mapping[str, str]:
        return self._metadata.get("labels") or {}

    @property
    def _metadata(self) -> Mapping[str, Any]:
        return self.manifest["metadata"]  # type: ignore[no-any-return]
