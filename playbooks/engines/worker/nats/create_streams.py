"""``python3 -m playbooks.engines.worker.nats.create_streams``: creates missing streams.

For an administrator's NATS user: workers with least rights create none. It reads the worker's
``NATS_*`` settings, waits for the server, and prints a line for each stream. It changes no stream
that is there.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import List, Mapping

from playbooks.core.settings import read
from playbooks.engines.worker.function import (
    ALERT_STREAM,
    ALERTS,
    DEAD_LETTER_HOURS,
    DEAD_LETTER_STREAM,
    DEAD_LETTERS,
    INBOX_STREAM,
    INBOXES,
    OUTCOME_HOURS,
    OUTCOME_STREAM,
    OUTCOMES,
)
from playbooks.engines.worker.nats import connection
from playbooks.engines.worker.nats.jetstream import HEADERS, JetStream
from playbooks.engines.worker.nats.streams import LARGEST
from playbooks.engines.worker.settings import NATS

#: Bytes of the largest message, for the server's ``max_payload``.
MAX_PAYLOAD = LARGEST + HEADERS


@dataclass(frozen=True)
class Bounded:
    """A stream that lets the oldest messages go: ``hours`` and ``megabytes`` are what it keeps."""

    name: str
    subjects: str
    hours: int
    megabytes: int


STREAMS = (
    Bounded(ALERT_STREAM, ALERTS, 72, 768),
    Bounded(INBOX_STREAM, INBOXES, 72, 128),
    Bounded(DEAD_LETTER_STREAM, DEAD_LETTERS, DEAD_LETTER_HOURS, 512),
    Bounded(OUTCOME_STREAM, OUTCOMES, OUTCOME_HOURS, 256),
)


async def create(environ: Mapping[str, str]) -> List[str]:
    """The streams that keep each of the subjects. Raises a PlaybookError."""

    async def nothing() -> None: ...

    client = await connection.connect(
        read(NATS, environ), name="create streams", back=nothing, closed=nothing
    )
    try:
        return [
            await JetStream(
                client, max_age_hours=each.hours, max_megabytes=each.megabytes, replicas=1
            ).stream(each.subjects, each.name)
            for each in STREAMS
        ]
    finally:
        await client.close()


if __name__ == "__main__":
    for name in asyncio.run(create(os.environ)):
        print(f"stream {name} is there", flush=True)
