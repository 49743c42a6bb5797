"""Label selectors, as the Kubernetes API defines them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Set, Tuple

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Selector:
    """``matchLabels`` and ``matchExpressions``; an empty one selects everything.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
    """

    labels: Labels = field(default_factory=dict)
    expressions: Tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, manifest: Optional[Mapping[str, Any]]) -> Selector:
        manifest = manifest or {}
        return cls(
            dict(manifest.get("matchLabels") or {}), tuple(manifest.get("matchExpressions") or ())
        )

    @classmethod
    def of_controller(cls, kind: str, spec: Mapping[str, Any]) -> Selector:
        """What a controller of pods selects: a ReplicationController by labels alone."""
        if kind == "ReplicationController":
            return cls(spec.get("selector") or {})
        return cls.of(spec.get("selector"))

    @classmethod
    def of_service(cls, manifest: Mapping[str, Any]) -> Selector:
        """A Service without one selects nothing, by no label."""
        return cls((manifest.get("spec") or {}).get("selector") or {})

    def selects(self, labels: Labels) -> bool:
        return all(labels.get(key) == value for key, value in self.labels.items()) and all(
            _holds(expression, labels) for expression in self.expressions
        )

    def keys_in(self, labels: Labels) -> Set[str]:
        """The labels by which it selects: without any one of them, it would not."""
        needed = {e["key"] for e in self.expressions if e["operator"] in ("In", "Exists")}
        return (set(self.labels) | needed) & set(labels)

    def keys(self, labels: Labels) -> Set[str]:
        """The same where it selects; none where it does not."""
        return self.keys_in(labels) if self.selects(labels) else set()


def _holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    operator = expression["operator"]
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    if operator == "Exists":
        return key in labels
    return key not in labels
