"""The recorded outcomes of one function's alerts, as ``falco-playbook history`` lists them."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any, AsyncIterator, Dict, Mapping, Optional, Tuple

from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.settings import Settings
from playbooks.engines.worker.function import OUTCOMES, Function
from playbooks.engines.worker.nats.delivery import Origin
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.nats.reader import batches
from playbooks.engines.worker.operator.connection import connected, function_of
from playbooks.engines.worker.work.outcomes import headers_of

# Seconds for reading all.
READ = 300.0


async def listed(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    """Each outcome of the last ``asked.since`` seconds, oldest first, with ``recorded``, the time
    at which NATS stored it."""
    connection, jetstream, function = await _connected(asked, settings)
    stream = await jetstream.stream(OUTCOMES)
    since = Instant(time.time_ns() - asked.since * NANOSECONDS)
    start = {"deliver_policy": "by_start_time", "opt_start_time": str(since)}
    read = batches(
        connection,
        jetstream,
        stream,
        start,
        time.monotonic() + READ,
        subject=function.outcomes,
        remove=False,
    )
    async for batch in read:
        for origin, message in batch:
            found = _outcome(function, origin, message)
            if found is not None:
                yield found


async def noted(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    """Store ``asked.document``, the outcome of what a person did."""
    _, jetstream, function = await _connected(asked, settings)
    await jetstream.stream(OUTCOMES)
    document: Mapping[str, Any] = json.loads(asked.document)
    headers = headers_of(function, str(document.get("playbook", "")))
    stored = await jetstream.store(function.outcomes, json.dumps(document).encode(), headers)
    yield {"stored": f"{stored.stream}:{stored.seq}"}


async def _connected(
    asked: argparse.Namespace, settings: Settings
) -> Tuple[Any, JetStream, Function]:
    connection = await connected(settings, "falco-playbook history")
    return connection, JetStream.of(connection, settings), function_of(settings, asked.uid)


def _outcome(function: Function, origin: Origin, message: Any) -> Optional[Dict[str, Any]]:
    """None for a function of the same name in another namespace, and for what is no outcome."""
    headers = message.headers or {}
    if headers.get("Falco-Function") != f"{function.namespace}/{function.name}":
        return None
    try:
        found = json.loads(message.data)
    except ValueError:
        return None
    return {**found, "recorded": str(origin.stored)} if isinstance(found, dict) else None
