"""What was acted upon, when, and whose it was."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from heapq import heapify, heappop, heappush
from typing import Dict, List, Tuple, TypeVar

from playbooks.core.instant import Instant

# Seconds of the grain in which actions are counted: one counts up to this much longer than the
# window, never shorter.
GRAIN = 10

# Behind a namespace's name: what was done in it before its budget was reset.
_BEFORE = "~"

Spaces = Dict[str, Dict[str, List[str]]]
Key = TypeVar("Key")


class Counts:
    """``content``: grain (seconds) -> namespace -> workload -> the objects acted upon, the latter
    two as marks: a name may be long, and the book is one object of the cluster.

    Its sums are kept beside it, so that no question goes through all actions.
    """

    def __init__(self, content: Dict[str, Spaces]) -> None:
        self.content = content
        self._sum_up()

    def add(self, uid: str, namespace: str, workload: str, now: Instant) -> None:
        grain = now.seconds // GRAIN * GRAIN
        if str(grain) not in self.content:
            self.content[str(grain)] = {}
            heappush(self._grains, grain)
        workloads = self.content[str(grain)].setdefault(namespace, {})
        workloads.setdefault(_mark(workload), []).append(_mark(uid))
        self._sum({namespace: {_mark(workload): [_mark(uid)]}}, 1)

    def has(self, uid: str, namespace: str) -> bool:
        return bool(uid) and (namespace, _mark(uid)) in self._marks

    def renew(self, uid: str, namespace: str, workload: str, now: Instant) -> bool:
        """Count the last action on the object instead of an earlier one. Whether that changes
        anything."""
        mark = _mark(uid)
        current = self.content.get(str(now.seconds // GRAIN * GRAIN), {})
        if mark in current.get(namespace, {}).get(_mark(workload), ()):
            return False
        for spaces in self.content.values():
            for owner, marks in spaces.get(namespace, {}).items():
                if mark in marks:
                    marks.remove(mark)
                    self._sum({namespace: {owner: [mark]}}, -1)
        self.add(uid, namespace, workload, now)
        return True

    def number(self, *place: str) -> int:
        """In all, in a namespace, or of a workload in a namespace."""
        return self._sums[(*place[:1], *map(_mark, place[1:]))]

    def forget(self, window: float, now: Instant) -> None:
        """What is older than ``window`` seconds."""
        oldest = now.seconds - window - GRAIN
        while self._grains and self._grains[0] <= oldest:
            self._sum(self.content.pop(str(heappop(self._grains))), -1)

    def begin_anew(self, namespace: str) -> None:
        """Count nothing for this namespace. In all it is still counted."""
        for spaces in self.content.values():
            earlier = spaces.setdefault(namespace + _BEFORE, {})
            for owner, marks in spaces.pop(namespace, {}).items():
                earlier.setdefault(owner, []).extend(marks)
        self._sum_up()

    def clear(self) -> None:
        self.content = {}
        self._sum_up()

    def _sum_up(self) -> None:
        self._sums: Counter[Tuple[str, ...]] = Counter()
        self._marks: Counter[Tuple[str, str]] = Counter()
        self._grains = [int(grain) for grain in self.content]
        heapify(self._grains)
        for spaces in self.content.values():
            self._sum(spaces, 1)

    def _sum(self, spaces: Spaces, sign: int) -> None:
        for space, workloads in spaces.items():
            for owner, marks in workloads.items():
                for place in ((), (space,), (space, owner)):
                    _change(self._sums, place, sign * len(marks))
                for mark in marks:
                    _change(self._marks, (space, mark), sign)


def _change(counter: Counter[Key], key: Key, number: int) -> None:
    """Nothing is kept of what is no more."""
    counter[key] += number
    if not counter[key]:
        del counter[key]


def _mark(text: str) -> str:
    """48 bits are enough to tell a few thousand objects apart."""
    return sha256(text.encode()).hexdigest()[:12] if text else ""
