"""The entries of a book that can be read: a bad one costs itself, and not the whole book."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from playbooks.core.instant import instant_or_none
from playbooks.core.ledger.contained import MOST_CONTAINED, Contained

# Grain (seconds) -> namespace -> workload -> the objects acted upon.
Spaces = Dict[str, Dict[str, List[str]]]

# Stands for who wrote an entry that does not say it.
SOMEBODY = "somebody"

# What stands for an entry that stops a playbook and cannot be read: it goes on stopping.
_ILLEGIBLE = {
    "by": SOMEBODY,
    "at": "1970-01-01T00:00:00Z",
    "limit": "an entry that cannot be read",
}


class Legible:
    """``content``: the JSON of a book. ``dropped``: what cannot be read, in words."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.dropped: List[str] = []

    def paused(self) -> Optional[Dict[str, str]]:
        found = self._content.get("paused")
        if not found or _is_note(found):
            return found or None
        self._drop("paused", found)
        return dict(_ILLEGIBLE)

    def notes(self, key: str, *, time: str, stops: bool = False) -> Dict[str, Dict[str, str]]:
        """Name -> what is noted of it. ``time``: the part of each that has to be a time. ``stops``:
        one that cannot be read counts all the same."""
        kept = {}
        for name, note in self._entries(key).items():
            timed = _is_note(note) and instant_or_none(note.get(time, "")) is not None
            if timed and (not stops or "limit" in note):
                kept[name] = note
                continue
            self._drop(f"{key} of {name}", note)
            if stops:
                kept[name] = dict(_ILLEGIBLE)
        return kept

    def contained(self) -> Dict[str, Contained]:
        kept = {}
        entries = list(self._entries("contained").items())
        if len(entries) > MOST_CONTAINED:
            self._drop("contained, but for the last of them", f"{len(entries)} entries")
        for uid, entry in entries[-MOST_CONTAINED:]:
            try:
                kept[uid] = Contained.of_dict(uid, entry)
            except ValueError:
                self._drop(f"contained of {uid}", entry)
        return kept

    def times(self, key: str) -> Dict[str, str]:
        kept = {}
        for name, at in self._entries(key).items():
            if isinstance(at, str) and instant_or_none(at) is not None:
                kept[name] = at
            else:
                self._drop(f"{key} of {name}", at)
        return kept

    def moments(self, key: str) -> Dict[str, Dict[str, int]]:
        """Name -> name -> seconds."""
        kept = {}
        for name, found in self._entries(key).items():
            if isinstance(found, dict) and all(type(at) is int for at in found.values()):
                kept[name] = found
            else:
                self._drop(f"{key} of {name}", found)
        return kept

    def actions(self) -> Dict[str, Dict[str, Spaces]]:
        """By the step of a chain; what belongs to none has the empty name."""
        kept = {"": self._actions(self._entries("actions"))}
        for step, found in self._entries("steps").items():
            if isinstance(found, dict):
                kept[step] = self._actions(found)
            else:
                self._drop(f"actions of step {step}", found)
        return kept

    def _actions(self, found: Mapping[str, Any]) -> Dict[str, Spaces]:
        kept = {}
        for grain, spaces in found.items():
            if grain.isdecimal() and grain.isascii() and _is_spaces(spaces):
                kept[grain] = spaces
            else:
                self._drop(f"actions of {grain}", spaces)
        return kept

    def _entries(self, key: str) -> Mapping[str, Any]:
        found = self._content.get(key) or {}
        if isinstance(found, dict):
            return found
        self._drop(key, found)
        return {}

    def _drop(self, what: str, found: Any) -> None:
        self.dropped.append(f"{what:.80}: {found!r:.80}")


def _is_note(found: Any) -> bool:
    return isinstance(found, dict) and all(isinstance(value, str) for value in found.values())


def _is_spaces(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(workloads, dict)
        and all(
            isinstance(marks, list) and all(isinstance(mark, str) for mark in marks)
            for marks in workloads.values()
        )
        for workloads in found.values()
    )
