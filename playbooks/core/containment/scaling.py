"""What a playbook scaled one workload to, and how it is scaled back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping

from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.workload import OWNING, SCALABLE, Owner, Scalable
from playbooks.core.containment.containment import NotedContainment
from playbooks.core.containment.note import Note
from playbooks.core.errors import NotFound
from playbooks.core.ports import Cluster

# JSON, in the ledger alone: the account may not write the workload itself. When, why and until when
# it was scaled, from how many pods to how many.
SCALED = "falco/scaled"


@dataclass(frozen=True)
class ScaleNote(Note):
    """``before`` and ``now``: how many pods the workload wanted, and was told to want."""

    before: int = 0
    now: int = 0

    @classmethod
    def of_dict(cls, entry: Mapping[str, Any]) -> ScaleNote:
        noted = super().of_dict(entry)
        return replace(noted, before=int(entry["before"]), now=int(entry["now"]))

    def to_dict(self) -> Dict[str, Any]:
        return {**super().to_dict(), "before": self.before, "now": self.now}


@dataclass(frozen=True)
class Scaling(NotedContainment[ScaleNote]):
    target: Scalable

    NOTE = ScaleNote
    KINDS = tuple(kind.lower() for kind in SCALABLE)
    KEYS = (SCALED,)
    RELEASING = tuple(
        Permission(f"{OWNING[each].resource}{part}", (verb,), OWNING[each].group)
        for each in SCALABLE
        for part, verb in (("", "get"), ("/scale", "patch"))
    )
    NOTHING = "was not scaled by a playbook"
    EXPIRED = "scaled-back"

    @classmethod
    def read(cls, cluster: Cluster, kind: str, name: str, namespace: str) -> Scalable:
        known = {each.lower(): each for each in SCALABLE}
        if kind not in known:
            raise NotFound(f"{kind} {namespace}/{name} has no scale")
        manifest = cluster.owner(Owner(known[kind], name), namespace=namespace)
        return Scalable(known[kind], manifest)

    @property
    def changes(self) -> List[str]:
        there = self.target.replicas
        if self.note is None or there == self.note.now:
            return []
        return [f"it was scaled to {there}"]

    def release(self, cluster: Cluster) -> str:
        if self.note is None:
            return f"{self.target}: nothing of it was left"
        cluster.scale(self.target, self.note.before)
        return f"{self.target}: scaled back to {self.note.before}"
