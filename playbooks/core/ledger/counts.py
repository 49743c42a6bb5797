"""What was acted upon, when, and whose it was."""

from __future__ import annotations

from hashlib import sha256
from typing import Dict, Iterator, List, Optional, Tuple

from playbooks.core.instant import Instant

# Seconds of the grain in which actions are counted: one counts up to this much longer than the
# window, never shorter.
GRAIN = 10

# Behind a namespace's name: what was done in it before its budget was reset.
_BEFORE = "~"

Spaces = Dict[str, Dict[str, List[str]]]


class Counts:
    """``content``: grain (seconds) -> namespace -> workload -> the objects acted upon, the latter
    two as marks: a name may be long, and the book is one object of the cluster."""

    def __init__(self, content: Dict[str, Spaces]) -> None:
        self.content = content

    def add(self, uid: str, namespace: str, workload: str, now: Instant) -> None:
        grain = self.content.setdefault(str(now.seconds // GRAIN * GRAIN), {})
        workloads = grain.setdefault(namespace, {})
        workloads.setdefault(_mark(workload), []).append(_mark(uid))

    def has(self, uid: str, namespace: str) -> bool:
        return bool(uid) and any((namespace, _mark(uid)) == (s, m) for s, _, m in self._all())

    def renew(self, uid: str, namespace: str, workload: str, now: Instant) -> bool:
        """Count the last action on the object instead of an earlier one. Whether that changes
        anything."""
        current = self.content.get(str(now.seconds // GRAIN * GRAIN), {})
        if _mark(uid) in current.get(namespace, {}).get(_mark(workload), ()):
            return False
        for spaces in self.content.values():
            for marks in spaces.get(namespace, {}).values():
                marks[:] = [mark for mark in marks if mark != _mark(uid)]
        self.add(uid, namespace, workload, now)
        return True

    def number(self, namespace: Optional[str] = None, workload: Optional[str] = None) -> int:
        owner = None if workload is None else _mark(workload)
        return sum(
            namespace in (None, space) and owner in (None, found) for space, found, _ in self._all()
        )

    def forget(self, window: float, now: Instant) -> None:
        """What is older than ``window`` seconds."""
        oldest = now.seconds - window - GRAIN
        self.content = {grain: v for grain, v in self.content.items() if int(grain) > oldest}

    def begin_anew(self, namespace: str) -> None:
        """Count nothing for this namespace. In all it is still counted."""
        for spaces in self.content.values():
            earlier = spaces.setdefault(namespace + _BEFORE, {})
            for owner, marks in spaces.pop(namespace, {}).items():
                earlier.setdefault(owner, []).extend(marks)

    def clear(self) -> None:
        self.content = {}

    def _all(self) -> Iterator[Tuple[str, str, str]]:
        for spaces in self.content.values():
            for space, workloads in spaces.items():
                for owner, marks in workloads.items():
                    for mark in marks:
                        yield space, owner, mark


def _mark(text: str) -> str:
    """48 bits are enough to tell a few thousand objects apart."""
    return sha256(text.encode()).hexdigest()[:12] if text else ""
