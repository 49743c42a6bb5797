"""The past, as streams keep it: the outcomes of one function, as ``falco-playbook history`` lists
them, and the alerts of all, as ``falco-playbook simulate --since`` replays them."""

from __future__ import annotations

import argparse
import base64
import json
import time
from typing import Any, AsyncIterator, Dict, Mapping, Optional, Tuple

from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.settings import Settings
from playbooks.engines.worker.function import ALERTS, OUTCOMES, Function
from playbooks.engines.worker.nats.delivery import Origin, owned
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.nats.reader import batches
from playbooks.engines.worker.operator.connection import connected, function_of
from playbooks.engines.worker.operator.protocol import RequestFailed

# Seconds for reading all.
READ = 300.0


async def outcomes(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    """Each outcome of the last ``asked.since`` seconds, oldest first, with ``recorded``, the time
    at which NATS stored it."""
    connection, jetstream, function = await _connected(asked, settings)
    stream = await jetstream.stream(OUTCOMES)
    start, deadline = _last(asked.since), time.monotonic() + READ
    read = batches(
        connection, jetstream, stream, start, deadline, subject=function.outcomes, remove=False
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
    headers = owned(function, str(document.get("playbook", "")))
    stored = await jetstream.store(function.outcomes, json.dumps(document).encode(), headers)
    yield {"stored": f"{stored.stream}:{stored.seq}"}


async def alerts(asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    """``body`` in base64, of each alert stored in the last ``asked.seconds``, oldest first."""
    connection = await connected(settings, "falco-playbook simulate")
    jetstream = JetStream.of(connection, settings)
    stream = await jetstream.stream(ALERTS)
    left, deadline = 0, time.monotonic() + READ
    read = batches(connection, jetstream, stream, _last(asked.seconds), deadline)
    async for batch in read:
        for _, message in batch:
            yield {"body": base64.b64encode(message.data).decode("ascii")}
        left = batch[-1][0].pending
    if left:
        raise RequestFailed(f"{left} alerts are left after {READ:.0f} s: ask for a shorter time")


def _last(seconds: int) -> Mapping[str, Any]:
    """Where to begin with what was stored in the last seconds."""
    since = Instant(time.time_ns() - seconds * NANOSECONDS)
    return {"deliver_policy": "by_start_time", "opt_start_time": str(since)}


async def _connected(
    asked: argparse.Namespace, settings: Settings
) -> Tuple[Any, JetStream, Function]:
    connection = await connected(settings, "falco-playbook history")
    return connection, JetStream.of(connection, settings), function_of(settings, asked.uid)


def _outcome(function: Function, origin: Origin, message: Any) -> Optional[Dict[str, Any]]:
    """None for a function of the same name in another namespace, and for what is no outcome."""
    headers = message.headers or {}
    if headers.get("Falco-Function") != str(function):
        return None
    try:
        found = json.loads(message.data)
    except (ValueError, RecursionError):
        return None
    return {**found, "recorded": str(origin.stored)} if isinstance(found, dict) else None
