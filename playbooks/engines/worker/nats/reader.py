"""Reads the messages of a stream, from a start to the newest that there is."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from typing import Any, AsyncIterator, List, Mapping, Tuple

from nats.js.api import AckPolicy, ConsumerConfig

from playbooks.engines.worker.function import ALERTS, HEADERS
from playbooks.engines.worker.nats.delivery import Origin
from playbooks.engines.worker.nats.jetstream import ApiError, JetStream
from playbooks.engines.worker.nats.streams import Unusable

# Messages and bytes of one request, and seconds for the next message to come. A server hangs up on
# who has more than 64 MiB to read.
BATCH, MOST_BYTES, WAIT = 250, 16 * 1024 * 1024, 5.0

# Seconds after which the server removes a consumer that nobody asks: one that is removed when all
# is read, and one that stays, whose name the next reading may need.
INACTIVE, STAYS = 30, 10

# Seconds until the names of those that stay are tried again.
PAUSE = 1.0

# Where a consumer of the name is there that differs: status and err_code of the servers' versions
# (JSConsumerCreateErrF of nats-server's errors.json).
TAKEN_STATUS, TAKEN_CODE = 400, 10012

Batch = List[Tuple[Origin, Any]]


async def batches(
    connection: Any,
    jetstream: JetStream,
    stream: str,
    start: Mapping[str, Any],
    deadline: float,
    *,
    subject: str = ALERTS.subjects,
    remove: bool = True,
) -> AsyncIterator[Batch]:
    """``start``: where to begin, in the words of a consumer's configuration. ``deadline``: of
    time.monotonic(), after which nothing more is asked for. ``remove``: remove the consumer at the
    end, where the user may; else the server does so after 10 s.

    Raises Unusable or ApiError.
    """
    name = await _made(jetstream, stream, subject, start, stays=not remove)
    try:
        while True:
            batch = await _batch(connection, f"{stream}.{name}", deadline)
            if batch:
                yield batch
            if not batch or not batch[-1][0].pending or time.monotonic() > deadline:
                return
    finally:
        if remove:
            await jetstream.delete_consumer(stream, name)


async def _made(
    jetstream: JetStream, stream: str, subject: str, start: Mapping[str, Any], *, stays: bool
) -> str:
    """The name of a consumer that nobody else reads with at the moment."""
    inactive, tries = (STAYS, STAYS) if stays else (INACTIVE, 1)
    for left in reversed(range(tries)):
        for name in random.sample(jetstream.readers, len(jetstream.readers)):
            if await _added(jetstream, stream, _consumer(name, subject, start, inactive)):
                return name
        await asyncio.sleep(PAUSE if left else 0)
    # Where all are in use: not every user may have more.
    name = f"falco-reader-{secrets.token_hex(4)}"
    await jetstream.add_consumer(stream, _consumer(name, subject, start, inactive))
    return name


async def _added(jetstream: JetStream, stream: str, consumer: ConsumerConfig) -> bool:
    """False where one of this name is there that differs."""
    try:
        await jetstream.add_consumer(stream, consumer)
        return True
    except ApiError as error:
        if error.status == TAKEN_STATUS or error.code == TAKEN_CODE:
            return False
        raise


async def _batch(connection: Any, consumer: str, deadline: float) -> Batch:
    """What is there, in one request that does not wait for more."""
    ask = f"$JS.API.CONSUMER.MSG.NEXT.{consumer}"
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox)
    # As many as the largest message there can be has, at least.
    most = max(MOST_BYTES, connection.max_payload + HEADERS)
    wanted = {"batch": BATCH, "no_wait": True, "max_bytes": most}
    await connection.publish(ask, json.dumps(wanted).encode(), reply=inbox)
    found: Batch = []
    try:
        while len(found) < BATCH and not (found and not found[-1][0].pending):
            left = max(0.1, deadline - time.monotonic())
            message = await subscription.next_msg(timeout=min(left, WAIT))
            origin = Origin.of(message.reply or "")
            if origin is None:
                return found  # A status: there is nothing more.
            found.append((origin, message))
    except asyncio.TimeoutError:
        if time.monotonic() < deadline:
            raise Unusable(
                f"the stream broke off, or this NATS user may not publish on {ask}"
            ) from None
    finally:
        await subscription.unsubscribe()
    return found


def _consumer(name: str, subject: str, start: Mapping[str, Any], inactive: int) -> ConsumerConfig:
    """One that acknowledges nothing, and is gone when nobody asks it any more."""
    return ConsumerConfig(
        name=name,
        description="falco-playbook",
        filter_subject=subject,
        **start,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=inactive,
        mem_storage=True,
        # It cannot be edited: whoever has the same consumer already, keeps it alone.
        max_waiting=8 + secrets.randbelow(500),
        num_replicas=1,
    )
