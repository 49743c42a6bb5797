"""What isolate writes on a pod: what it changed, when and why. Never the text of an alert."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Dict, Mapping, Optional

from playbooks.core.cluster.pod import Pod
from playbooks.core.instant import Instant

POLICY = "falco/policy"
DETACHED_LABELS, DETACHED_FROM = "falco/detached-labels", "falco/detached-from"
ISOLATED_AT, RULE, REASON = "falco/isolated-at", "falco/rule", "falco/reason"
UNTIL = "falco/until"

KEYS = (POLICY, DETACHED_LABELS, DETACHED_FROM, ISOLATED_AT, RULE, REASON, UNTIL)

# Characters of a rule's name that are kept.
LONGEST_RULE = 256


@dataclass(frozen=True)
class PodMark:
    """``detached``: the labels that were taken off, ``detached_from`` their controller.

    ``until``: when the isolation ends by itself, None where it does not. ``unreadable``: the
    annotation of ours that says nothing any more.
    """

    policy: str = ""
    detached: Mapping[str, str] = field(default_factory=dict)
    detached_from: str = ""
    at: str = ""
    rule: str = ""
    reason: str = ""
    until: Optional[Instant] = None
    unreadable: str = ""

    @classmethod
    def of(cls, pod: Pod) -> PodMark:
        """What stands on the pod; empty where nothing does."""
        found = pod.annotations
        detached = _labels(found.get(DETACHED_LABELS, "{}"))
        until = instant(found.get(UNTIL, ""))
        unreadable = DETACHED_LABELS if detached is None else ""
        if UNTIL in found and until is None:
            unreadable = UNTIL
        return cls(
            policy=found.get(POLICY, ""),
            detached=detached or {},
            detached_from=found.get(DETACHED_FROM, ""),
            at=found.get(ISOLATED_AT, ""),
            rule=found.get(RULE, ""),
            reason=found.get(REASON, ""),
            until=until,
            unreadable=unreadable,
        )

    def annotations(self) -> Dict[str, str]:
        """Those to set; what is empty is not set, and so stays as it was."""
        labels = json.dumps(dict(self.detached), sort_keys=True) if self.detached else ""
        written = {
            POLICY: self.policy,
            DETACHED_LABELS: labels,
            DETACHED_FROM: self.detached_from if self.detached else "",
            ISOLATED_AT: self.at,
            RULE: self.rule[:LONGEST_RULE],
            REASON: self.reason,
            UNTIL: str(self.until) if self.until else "",
        }
        return {key: value for key, value in written.items() if value}


def on(pod: Pod) -> Dict[str, None]:
    """Takes off every annotation of ours that the pod has."""
    return {key: None for key in KEYS if key in pod.annotations}


def instant(text: str) -> Optional[Instant]:
    """None where the text is no time."""
    try:
        return Instant.parse(text)
    except ValueError:
        return None


def _labels(text: str) -> Optional[Dict[str, str]]:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        return None
    return found
