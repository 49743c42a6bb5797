"""The stored alerts of the last seconds, as ``falco-playbook simulate --since`` replays them."""

from __future__ import annotations

import argparse
import base64
import time
from typing import Any, AsyncIterator, Dict

from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.settings import Settings
from playbooks.engines.worker.function import ALERTS
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.nats.reader import batches
from playbooks.engines.worker.operator.connection import connected
from playbooks.engines.worker.operator.protocol import RequestFailed

# Seconds for reading all.
READ = 300.0


async def listed(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    """``body`` in base64, of each alert stored in the last ``asked.seconds``, oldest first."""
    since = Instant(time.time_ns() - asked.seconds * NANOSECONDS)
    connection = await connected(settings, "falco-playbook simulate")
    jetstream = JetStream.of(connection, settings)
    stream = await jetstream.stream(ALERTS)
    start = {"deliver_policy": "by_start_time", "opt_start_time": str(since)}
    left = 0
    deadline = time.monotonic() + READ
    async for batch in batches(connection, jetstream, stream, start, deadline):
        for _, message in batch:
            yield {"body": base64.b64encode(message.data).decode("ascii")}
        left = batch[-1][0].pending
    if left:
        raise RequestFailed(f"{left} alerts are left after {READ:.0f} s: ask for a shorter time")
