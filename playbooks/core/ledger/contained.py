"""What a playbook contained, as its ledger has it: where only its account and people write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, Mapping

from playbooks.core.cluster.api_object import named

# Objects that are remembered at most, and bytes of them: the ledger is one object of the cluster,
# which takes 1 MiB, and whoever may write what was contained decides how long its notes are. What
# is forgotten stays contained until a person releases it.
MOST_CONTAINED = 300
MOST_CONTAINED_BYTES = 640 * 1024

Notes = Mapping[str, str]


@dataclass(frozen=True)
class Contained:
    """``kind``: of the object, as people type it (``pod``); ``namespace`` is empty for what belongs
    to none.

    ``notes``: the annotations of ours as they were written on the object, where they only tell
    people: whoever may write the object can change them there.
    """

    uid: str
    kind: str
    namespace: str
    name: str
    notes: Notes

    @classmethod
    def of_dict(cls, uid: str, entry: Any) -> Contained:
        """What ``to_dict`` gave. Raises ValueError for anything else."""
        found = entry if isinstance(entry, dict) else {}
        kind, namespace, name = (found.get(key, "") for key in ("kind", "namespace", "name"))
        notes = found.get("notes")
        words = [kind, namespace, name, *(notes.values() if isinstance(notes, dict) else [None])]
        if not kind or not name or not all(isinstance(word, str) for word in words):
            raise ValueError("expected kind, name and notes")
        return cls(uid, kind, namespace, name, dict(notes or {}))

    def __str__(self) -> str:
        return named(self.kind, self.name, self.namespace)

    @cached_property
    def size(self) -> int:
        """Bytes in the text of a book."""
        return len(json.dumps({self.uid: self.to_dict()}))

    def to_dict(self) -> Dict[str, Any]:
        place = {"namespace": self.namespace} if self.namespace else {}
        return {"kind": self.kind, **place, "name": self.name, "notes": dict(self.notes)}
