"""The topics that cannot be served at the moment, and why: said once, and tried again."""

from __future__ import annotations

import time
from typing import Dict, List

from playbooks.engines import log

# Seconds between two tries of what went wrong.
RETRY = 2.0

# Why a topic is looked at again that nothing is known to be wrong with.
RECONNECTED = "a new connection"


class Failures:
    def __init__(self) -> None:
        self._why: Dict[str, str] = {}
        self._retry_at = 0.0

    def __contains__(self, topic: str) -> bool:
        return topic in self._why

    def add(self, topic: str, why: str) -> None:
        if self._why.get(topic) != why:
            log.error(f"topic {_name(topic)} is not served: {why}")
        self._why[topic] = why
        # Not later than it was to be: what fails all the time is tried all the same.
        if self._retry_at <= time.monotonic():
            self._retry_at = time.monotonic() + RETRY

    def words(self) -> str:
        """Why which topics are not served, or empty."""
        return "; ".join(
            f"{_name(topic)} is not served: {why}"
            for topic, why in self._why.items()
            if why != RECONNECTED
        )

    def suspect(self, topic: str) -> None:
        """After a new connection: a server that lost its data, or a consumer, is noticed now."""
        self._why.setdefault(topic, RECONNECTED)

    def due(self, now: float) -> List[str]:
        """The topics that are to be tried again."""
        if not self._why or now < self._retry_at:
            return []
        self._retry_at = now + RETRY
        return list(self._why)

    def over(self, topic: str) -> bool:
        """The topic is served. Whether it was not before."""
        why = self._why.pop(topic, None)
        if why is not None and why != RECONNECTED:
            log.info(f"{_name(topic)} is served again")
        return why is not None


def _name(topic: str) -> str:
    return topic or "(inbox)"
