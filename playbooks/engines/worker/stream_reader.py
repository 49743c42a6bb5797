"""The messages of a stream from some point on: read, and never acknowledged or answered."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import Any, AsyncIterator, Dict, List, Tuple

from playbooks.core.instant import NANOSECONDS
from playbooks.engines.worker.function import ALERTS
from playbooks.engines.worker.nats.delivery import Origin
from playbooks.engines.worker.nats.jetstream import JetStream

# Messages of one request, and seconds that the server keeps a consumer nobody asks.
BATCH, INACTIVE = 250, 60

Read = List[Tuple[Origin, Any]]


async def batches(
    connection: Any, jetstream: JetStream, stream: str, start: Dict[str, Any], deadline: float
) -> AsyncIterator[Read]:
    """Up to the newest message there is. ``start``: where, in the words of a consumer's
    configuration. ``deadline``: of time.monotonic(), after which nothing more is asked for.

    Raises Unusable or ApiError.
    """
    name = f"falco-reader-{secrets.token_hex(4)}"
    await jetstream.call(
        f"CONSUMER.CREATE.{stream}.{name}.{ALERTS}",
        {"stream_name": stream, "config": _consumer(name, start)},
    )
    try:
        while True:
            batch = await _batch(connection, f"{stream}.{name}", deadline)
            if batch:
                yield batch
            if not batch or not batch[-1][0].pending or time.monotonic() > deadline:
                return
    finally:
        await jetstream.delete_consumer(stream, name)


async def _batch(connection: Any, consumer: str, deadline: float) -> Read:
    """What is there, in one request that does not wait for more."""
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox)
    asked = json.dumps({"batch": BATCH, "no_wait": True}).encode()
    await connection.publish(f"$JS.API.CONSUMER.MSG.NEXT.{consumer}", asked, reply=inbox)
    found: Read = []
    try:
        while len(found) < BATCH and not (found and not found[-1][0].pending):
            left = max(0.1, deadline - time.monotonic())
            message = await subscription.next_msg(timeout=left)
            origin = Origin.of(message.reply or "")
            if origin is None:
                return found  # A status: there is nothing more.
            found.append((origin, message))
    except asyncio.TimeoutError:
        pass
    finally:
        await subscription.unsubscribe()
    return found


def _consumer(name: str, start: Dict[str, Any]) -> Dict[str, Any]:
    """One that is gone when nobody asks it any more."""
    return {
        "name": name,
        "description": "falco-playbook",
        "filter_subject": ALERTS,
        **start,
        "ack_policy": "none",
        "replay_policy": "instant",
        "inactive_threshold": INACTIVE * NANOSECONDS,
        "mem_storage": True,
        "num_replicas": 1,
    }
