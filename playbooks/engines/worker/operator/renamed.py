"""Looks now and then whether the alerts of a topic are stored under other subjects."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable, Sequence

from playbooks.engines import log
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.operator.inspection import stream_of
from playbooks.engines.worker.operator.reader import batches
from playbooks.engines.worker.topics.renamed import RenamedTopics, SeenSubjects, words

# Seconds between two looks, messages of one, the newest, and seconds that it may take.
LOOK, MOST, WITHIN = 60.0, 50, 10.0


class RenamedSubjects:
    """``topics`` gives those of the moment."""

    def __init__(
        self,
        connection: Any,
        jetstream: JetStream,
        topics: Callable[[], Sequence[str]],
        metrics: Metrics,
    ) -> None:
        self._connection = connection
        self._jetstream = jetstream
        self._topics = topics
        self._metrics = metrics
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
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        topics = self._topics()
        _, stream, last = await stream_of(self._jetstream)
        if stream and 0 <= self._last < last:
            self._renamed.add(await self._seen(stream, max(self._last, last - MOST) + 1, topics))
        self._last = last
        self._renamed.keep(topics)
        found = self._renamed.found
        self._metrics.renamed.set(len(found))
        said = "; ".join(words(topic, subject) for topic, subject in sorted(found.items()))
        if said != self._said:
            log.warn(said) if said else log.info("alerts come under their own subjects again")
        self._said = said

    async def _seen(self, stream: str, first: int, topics: Sequence[str]) -> SeenSubjects:
        seen = SeenSubjects(topics)
        start = {"deliver_policy": "by_start_sequence", "opt_start_seq": first}
        deadline = time.monotonic() + WITHIN
        async for batch in batches(self._connection, self._jetstream, stream, start, deadline):
            for _, message in batch:
                seen.add(message.subject, message.data)
        return seen
