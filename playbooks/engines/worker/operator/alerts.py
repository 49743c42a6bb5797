"""``python -m playbooks.engines.worker.operator.alerts --seconds N``: run in a worker's pod.

``falco-playbook simulate --since`` runs it there, because only the worker has the way to NATS. It
prints the alerts that the stream has of so many seconds, one JSON object a line with the body in
base64; the last line is ``{"end": COUNT}``, or ``{"error": WHY}``: an answer without it broke off.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import secrets
import time
from typing import Any, AsyncIterator, Dict, List, Mapping, Sequence, Tuple

from playbooks.core.errors import PlaybookError
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.settings import read
from playbooks.engines.worker.function import ALERT_STREAM, ALERTS
from playbooks.engines.worker.in_pod import connected, end, fail, jetstream_of, main
from playbooks.engines.worker.nats.delivery import Origin
from playbooks.engines.worker.nats.jetstream import ApiError, JetStream, NoJetStream, Unusable
from playbooks.engines.worker.operator.dead_letters import CannotBeDone
from playbooks.engines.worker.settings import IDENTITY, NATS

# Seconds for reading all.
READ = 300.0

# Messages of one request, and seconds that the server keeps a consumer nobody asks.
BATCH, INACTIVE = 250, 60

Read = List[Tuple[Origin, Any]]


async def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="past_alerts", allow_abbrev=False)
    parser.add_argument("--seconds", type=int, required=True)
    asked = parser.parse_args(arguments)
    since = Instant(time.time_ns() - asked.seconds * NANOSECONDS)
    try:
        return await _print_since(since, environ)
    except NoJetStream as error:
        return fail(f"this NATS keeps nothing: {error}")
    except (CannotBeDone, Unusable, ApiError, PlaybookError) as error:
        return fail(str(error))


async def _print_since(since: Instant, environ: Mapping[str, str]) -> int:
    settings = read(IDENTITY + NATS, environ)
    connection = await connected(settings, "falco-playbook simulate")
    jetstream = jetstream_of(connection, settings)
    stream = await jetstream.stream(ALERTS, ALERT_STREAM)
    start = {"deliver_policy": "by_start_time", "opt_start_time": str(since)}
    deadline, count, left = time.monotonic() + READ, 0, 0
    async for batch in batches(connection, jetstream, stream, start, deadline):
        for _, message in batch:
            print(json.dumps({"body": base64.b64encode(message.data).decode("ascii")}))
        count, left = count + len(batch), batch[-1][0].pending
    if left:
        return fail(f"{left} alerts are left after {READ:.0f} s: ask for a shorter time")
    return end(count)


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


if __name__ == "__main__":
    main(run)
