"""A node and its taints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Tuple

Taint = Mapping[str, str]


@dataclass(frozen=True)
class Node:
    """A node as the API has it."""

    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def resource_version(self) -> str:
        return str(self.manifest["metadata"].get("resourceVersion", ""))

    @property
    def taints(self) -> Tuple[Taint, ...]:
        return tuple(self.manifest.get("spec", {}).get("taints") or ())

    def __str__(self) -> str:
        return f"node {self.name}"
