"""What taint writes on a node: an annotation that tells which of its taints are ours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from playbooks.core.cluster.node import Node
from playbooks.core.containment.pod_mark import LONGEST_RULE, instant
from playbooks.core.instant import Instant

# JSON: each taint as kubectl writes it, and when, why and until when it was added. One node may
# have several, of playbooks with another key or effect.
TAINTS = "falco/taints"


@dataclass(frozen=True)
class TaintMark:
    """``until``: when the taint comes off by itself, None where it does not."""

    at: str = ""
    rule: str = ""
    reason: str = ""
    until: Optional[Instant] = None

    def to_dict(self) -> Dict[str, str]:
        written = {
            "at": self.at,
            "rule": self.rule[:LONGEST_RULE],
            "reason": self.reason,
            "until": str(self.until) if self.until else "",
        }
        return {key: value for key, value in written.items() if value}


Marks = Mapping[str, TaintMark]


def marks(node: Node) -> Dict[str, TaintMark]:
    """By taint; none where the annotation is missing or says nothing."""
    try:
        found = json.loads(node.annotations.get(TAINTS, "{}"))
        return {str(taint): _mark(entry) for taint, entry in found.items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def annotation(marks: Marks) -> Dict[str, Optional[str]]:
    """The annotation to set, or to take off where there are none."""
    written = {taint: mark.to_dict() for taint, mark in marks.items()}
    return {TAINTS: json.dumps(written, sort_keys=True) if written else None}


def _mark(entry: Mapping[str, Any]) -> TaintMark:
    at, rule, reason = (str(entry.get(key, "")) for key in ("at", "rule", "reason"))
    return TaintMark(at, rule, reason, instant(str(entry.get("until", ""))))
