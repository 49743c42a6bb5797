"""What keeps alerts from coming in, each said once: topics that cannot be served, which are tried
again, and streams that take no messages in.

A server out of storage says so to who stores something, and nothing that a client may ask shows it.
So the worker stores a message of its own now and then. It goes to the worker's inbox and comes
back, and is no alert.
"""

from __future__ import annotations

import time
from typing import Dict, List, Tuple

from nats.js.api import StreamInfo

from playbooks.engines import log
from playbooks.engines.worker.function import ALERTS, DEAD_LETTERS, INBOXES, Function, Stream
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats import streams
from playbooks.engines.worker.nats.delivery import PROBE
from playbooks.engines.worker.nats.jetstream import ApiError, JetStream
from playbooks.engines.worker.nats.streams import Unusable

# Seconds between two tries of what went wrong.
RETRY = 2.0

# Why a topic is looked at again that nothing is known to be wrong with.
RECONNECTED = "a new connection"

# Error codes of a server, and of an account, that takes no message in, whatever its stream.
# Source: nats-io/nats-server, server/errors.json
OUT_OF_STORAGE = (10023, 10047, 10002)

# A worker of an earlier version, which knows no such message, skips it for its age.
MESSAGE = (
    b'{"rule": "falco-playbook stores a message", "priority": "Debug", "output": "not an alert",'
    b' "time": "1970-01-01T00:00:00Z"}'
)


class Failures:
    """The topics that cannot be served at the moment, and why."""

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


class Refusals:
    """``words``: which streams take no messages in at the moment, and why; or empty."""

    def __init__(self, jetstream: JetStream, function: Function, metrics: Metrics) -> None:
        self._jetstream = jetstream
        self._function = function
        self._metrics = metrics
        self._full: List[str] = []
        self._stored = ""
        self._said = ""

    @property
    def words(self) -> str:
        return "; ".join(filter(None, (self._stored, *self._full)))

    async def look(self) -> str:
        """Looks at the streams, and says which refuse dead letters: without these, none may be
        given up."""
        try:
            listed = await self._jetstream.streams()
        except Exception as error:
            log.warn(f"streams cannot be looked at: {error!r}")
            return self._stored
        self._full = _full(listed, (ALERTS, DEAD_LETTERS, INBOXES))
        self._tell()
        return "; ".join(_full(listed, (DEAD_LETTERS,)))

    async def store(self) -> str:
        """Stores a message, and says why no stream would take one; or empty."""
        why = ""
        try:
            await self._jetstream.store(self._function.inbox, MESSAGE, {PROBE: "storage"})
        except ApiError as error:
            if error.code in OUT_OF_STORAGE:
                why = f"NATS stores nothing any more, and refuses messages: {error}"
        except (Unusable, OSError):
            # Of this stream alone, or of the connection: both are said elsewhere.
            pass
        except Exception as error:
            log.warn(f"no message could be stored: {error!r}")
        self._stored = why
        self._tell()
        return why

    def _tell(self) -> None:
        words = self.words
        if words != self._said:
            log.error(words) if words else log.info("the streams take messages in again")
        self._said = words
        self._metrics.refused.set(bool(words))


def _full(listed: List[StreamInfo], ours: Tuple[Stream, ...]) -> List[str]:
    return list(filter(None, map(streams.refuses, streams.having(listed, ours))))
