"""Topics whose alerts are stored under subjects that they do not match.

Something on the way renamed them, such as a mapping of the account, and the worker hears of none.
"""

from __future__ import annotations

import time
from typing import Callable, Dict, Iterable, Set

from playbooks.core import subjects
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert

# Seconds for which none of a topic's alerts may come under its own subjects.
LONG = 120.0


class SeenSubjects:
    """Of some messages: ``served``, the topics that match one of them; ``elsewhere``, by topic, a
    subject of an alert that the topic is about and does not match."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = tuple(topics)
        self.served: Set[str] = set()
        self.elsewhere: Dict[str, str] = {}

    def add(self, subject: str, body: bytes) -> None:
        matching = {topic for topic in self._topics if subjects.matches(topic, subject)}
        self.served |= matching
        others = set(self._topics) - matching - self.elsewhere.keys()
        meant = _meant(body) if others else ""
        if meant:
            meant_for = [topic for topic in others if subjects.matches(topic, meant)]
            self.elsewhere.update(dict.fromkeys(meant_for, subject))

    @property
    def renamed(self) -> Dict[str, str]:
        return {t: s for t, s in self.elsewhere.items() if t not in self.served}


class RenamedTopics:
    """What several looks found: a topic counts once it was renamed in all of them for long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: Dict[str, float] = {}
        self._subjects: Dict[str, str] = {}

    def add(self, seen: SeenSubjects) -> None:
        self._subjects.update(seen.renamed)
        for topic in seen.renamed:
            self._since.setdefault(topic, self._clock())
        for topic in seen.served:
            self._since.pop(topic, None)

    def keep(self, topics: Iterable[str]) -> None:
        """Forget all others."""
        kept = set(topics)
        self._since = {t: since for t, since in self._since.items() if t in kept}

    @property
    def found(self) -> Dict[str, str]:
        """By topic, a subject that one of its alerts is stored under."""
        until = self._clock() - LONG
        return {t: self._subjects[t] for t, since in self._since.items() if since <= until}


def words(topic: str, subject: str) -> str:
    return (
        f"alerts of topic {topic} are stored under {subject}, which it does not match: something"
        " renames subjects (a mapping of the account, or subject_transform of a stream)"
    )


def _meant(body: bytes) -> str:
    """The subject that publishers of Falco's alerts choose; empty for what is no alert."""
    try:
        alert = Alert.parse(body)
    except InvalidAlert:
        return ""
    return subjects.subject(alert.rule, alert.priority)
