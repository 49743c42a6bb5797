"""What was acted upon within the window, and the sums of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from heapq import heapify, heappop, heappush
from typing import Callable, Dict, Tuple, TypeVar

from playbooks.core.instant import Instant
from playbooks.core.ledger.legible import Spaces

# Seconds of the grain in which actions are counted: one counts up to this much longer than the
# window, never shorter.
GRAIN = 10

# Behind a namespace's name: what was done in it before its budget was reset.
_BEFORE = "~"

Key = TypeVar("Key")


@dataclass
class Sums:
    """How many actions there were, by place: in all (no place), in a namespace, of a workload's
    mark in a namespace. ``namespaces``: those in which there were any."""

    numbers: Counter[Tuple[str, ...]] = field(default_factory=Counter)
    namespaces: int = 0

    def copy(self) -> Sums:
        return Sums(self.numbers.copy(), self.namespaces)

    def number(self, *place: str) -> int:
        return self.numbers[place]

    @property
    def shared(self) -> int:
        """Those that are not the first of their namespace."""
        return self.number() - self.namespaces

    def add(self, spaces: Spaces, sign: int) -> None:
        for space, workloads in spaces.items():
            before = self.number(space)
            for owner, marks in workloads.items():
                for place in ((), (space,), (space, owner)):
                    _change(self.numbers, place, sign * len(marks))
            if not space.endswith(_BEFORE):
                self.namespaces += bool(self.number(space)) - bool(before)


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
        workloads.setdefault(mark(workload), []).append(mark(uid))
        self._sum({namespace: {mark(workload): [mark(uid)]}}, 1)

    def has(self, uid: str, namespace: str) -> bool:
        return bool(uid) and (namespace, mark(uid)) in self._marks

    def renew(self, uid: str, namespace: str, workload: str, now: Instant) -> bool:
        """Count the last action on the object instead of an earlier one. Whether that changes
        anything."""
        one = mark(uid)
        current = self.content.get(str(now.seconds // GRAIN * GRAIN), {})
        if one in current.get(namespace, {}).get(mark(workload), ()):
            return False
        for spaces in self.content.values():
            for owner, marks in spaces.get(namespace, {}).items():
                if one in marks:
                    marks.remove(one)
                    self._sum({namespace: {owner: [one]}}, -1)
        self.add(uid, namespace, workload, now)
        return True

    def number(self, *place: str) -> int:
        """In all, in a namespace, or of a workload in a namespace."""
        return self.sums.number(*place[:1], *map(mark, place[1:]))

    def by_namespace(self) -> Dict[str, int]:
        """Of each namespace in which there were any since its budget was reset."""
        found = ((place[0], n) for place, n in self.sums.numbers.items() if len(place) == 1)
        return {place: number for place, number in found if not place.endswith(_BEFORE)}

    def until(self, fits: Callable[[Sums], bool], window: float, now: Instant) -> float:
        """Seconds until what is older than ``window`` is forgotten so far that the sums fit."""
        sums, grain = self.sums.copy(), now.seconds
        for grain in sorted(self._grains):
            sums.add(self.content[str(grain)], -1)
            if fits(sums):
                break
        over = grain + window + GRAIN - now.seconds_since(Instant(0))
        # Not a moment too soon, however it is rounded.
        return max(0.0, over) + 0.001

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

    def _sum_up(self) -> None:
        self.sums = Sums()
        self._marks: Counter[Tuple[str, str]] = Counter()
        self._grains = [int(grain) for grain in self.content]
        heapify(self._grains)
        for spaces in self.content.values():
            self._sum(spaces, 1)

    def _sum(self, spaces: Spaces, sign: int) -> None:
        self.sums.add(spaces, sign)
        for space, workloads in spaces.items():
            for marks in workloads.values():
                for one in marks:
                    _change(self._marks, (space, one), sign)


def _change(counter: Counter[Key], key: Key, number: int) -> None:
    """Nothing is kept of what is no more."""
    counter[key] += number
    if not counter[key]:
        del counter[key]


@lru_cache(maxsize=4096)
def mark(text: str) -> str:
    """48 bits are enough to tell a few thousand objects apart."""
    return sha256(text.encode()).hexdigest()[:12] if text else ""
