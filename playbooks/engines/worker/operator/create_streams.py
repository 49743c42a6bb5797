"""``python3 -m playbooks.engines.worker.operator.create_streams``: creates missing streams.

For an administrator's NATS user: workers with least rights create none. It reads the worker's
``NATS_*`` settings, waits for the server, and prints a line for each stream. It changes no stream
that is there.
"""

from __future__ import annotations

import asyncio
import os
from typing import List, Mapping

from playbooks.core.settings import read
from playbooks.engines.worker.function import STREAMS
from playbooks.engines.worker.nats import connection
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.settings import NATS


async def create(environ: Mapping[str, str]) -> List[str]:
    """The streams that keep each of the subjects. Raises a PlaybookError."""
    client = await connection.connect(read(NATS, environ), name="create streams")
    try:
        return [
            await JetStream(
                client, max_age_hours=each.hours, max_megabytes=each.megabytes, replicas=1
            ).stream(each)
            for each in STREAMS
        ]
    finally:
        await client.close()


if __name__ == "__main__":
    for name in asyncio.run(create(os.environ)):
        print(f"stream {name} is there", flush=True)
