"""Topics whose alerts are stored under subjects that they do not match.

Something on the way renamed them, such as a mapping of the account, and the worker hears of none.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Sequence, Set

from playbooks.core import subjects
from playbooks.core.alert import SHORT, Alert
from playbooks.core.errors import InvalidAlert
from playbooks.engines import log
from playbooks.engines.worker.function import ALERTS
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.nats.reader import batches
from playbooks.engines.worker.topics import renaming

# Seconds for which none of a topic's alerts may come under its own subjects.
LONG = 120.0

# Seconds between two looks, messages of one, the newest, and seconds that it may take.
LOOK, MOST, WITHIN = 60.0, 50, 10.0


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


@dataclass(eq=False)
class RenamedSubjects:
    """Looks now and then. ``topics`` gives those of the moment, ``tell`` hears how many of them are
    renamed."""

    connection: Any
    jetstream: JetStream
    topics: Callable[[], Sequence[str]]
    tell: Callable[[int], None]

    def __post_init__(self) -> None:
        self._renamed = RenamedTopics()
        self._last = -1
        self._said = ""
        self._complaint = ""

    async def keep_looking(self) -> None:
        """For ever."""
        while True:
            try:
                await self._look()
                self._complaint = ""
            except Exception as error:
                said = f"it is unknown whether subjects are renamed: {error}"
                if said != self._complaint:
                    log.warn(said)
                self._complaint = said
            self.tell(len(self._renamed.found))
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        topics = self.topics()
        self._renamed.keep(topics)
        found = await self.jetstream.found(ALERTS)
        last = found.state.last_seq if found else 0
        if found and 0 <= self._last < last:
            name, first = found.config.name or "", max(self._last, last - MOST) + 1
            self._renamed.add(await self._seen(name, first, topics))
        self._last = last
        said = "; ".join(renaming(*each) for each in sorted(self._renamed.found.items()))
        if said != self._said:
            log.warn(said) if said else log.info("alerts come under their own subjects again")
        self._said = said

    async def _seen(self, stream: str, first: int, topics: Sequence[str]) -> SeenSubjects:
        seen = SeenSubjects(topics)
        start = {"deliver_policy": "by_start_sequence", "opt_start_seq": first}
        deadline = time.monotonic() + WITHIN
        async for batch in batches(self.connection, self.jetstream, stream, start, deadline):
            for _, message in batch:
                seen.add(message.subject, message.data)
        return seen


def _meant(body: bytes) -> str:
    """The subject that publishers of Falco's alerts choose; empty for what is no alert, and for a
    long one: others tell as much, and reading it would keep the loop from turning."""
    if len(body) > SHORT:
        return ""
    try:
        alert = Alert.parse(body)
    except InvalidAlert:
        return ""
    return subjects.subject(alert.rule, alert.priority)
