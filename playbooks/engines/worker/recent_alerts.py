"""What the alerts of a stream say about their pods: read, and never acknowledged or answered."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List, Sequence, Tuple

from playbooks.core import subjects
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.engines.worker.delivery import Origin
from playbooks.engines.worker.jetstream import JetStream
from playbooks.engines.worker.names import ALERTS

# Messages of one request, seconds that the server keeps a consumer nobody asks, and the names of
# rules and hosts that a summary holds.
BATCH, INACTIVE, NAMED = 250, 60, 50


@dataclass
class Summary:
    """Counts of messages. ``identified``: with a pod's uid or a container's id; ``unidentified``:
    about a pod without either, by rule; ``about_none``: about the host, or nothing of the cluster.
    ``cut``: there are more than were read, older ones, or newer ones where time was up."""

    read: int = 0
    invalid: int = 0
    about_none: int = 0
    identified: int = 0
    unidentified: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    cut: bool = False

    def add(self, body: bytes) -> None:
        self.read += 1
        try:
            alert = Alert.parse(body)
        except InvalidAlert:
            self.invalid += 1
            return
        self.hosts[alert.hostname] += 1
        if not alert.claim.points_at_pod:
            self.about_none += 1
        elif alert.claim.has_id:
            self.identified += 1
        else:
            self.unidentified[alert.rule] += 1

    def to_dict(self) -> Dict[str, Any]:
        return {
            "read": self.read,
            "invalid": self.invalid,
            "about_none": self.about_none,
            "identified": self.identified,
            "unidentified": dict(self.unidentified.most_common(NAMED)),
            "hosts": dict(self.hosts.most_common(NAMED)),
            "cut": self.cut,
        }


@dataclass(frozen=True)
class Bounds:
    """``since``: earlier alerts do not count. ``most``: messages read, the newest. ``seconds``: in
    which they are."""

    since: Instant
    most: int = 5000
    seconds: float = 20.0


async def summary(
    connection: Any,
    jetstream: JetStream,
    stream: str,
    last: int,
    topics: Sequence[str],
    bounds: Bounds,
) -> Summary:
    """Of the alerts on these topics. ``last``: the sequence of the stream's newest message.

    Raises Unusable or ApiError.
    """
    found = Summary()
    if not last:
        return found
    first = max(1, last - bounds.most + 1)
    name = f"falco-check-{secrets.token_hex(4)}"
    await jetstream.call(
        f"CONSUMER.CREATE.{stream}.{name}.{ALERTS}",
        {"stream_name": stream, "config": _consumer(name, first)},
    )
    try:
        await _read(connection, f"{stream}.{name}", found, first, topics, bounds)
    finally:
        await jetstream.delete_consumer(stream, name)
    return found


async def _read(
    connection: Any,
    consumer: str,
    found: Summary,
    first: int,
    topics: Sequence[str],
    bounds: Bounds,
) -> None:
    deadline = time.monotonic() + bounds.seconds
    while True:
        batch = await _batch(connection, consumer, deadline)
        for origin, message in batch:
            if origin.stored < bounds.since:
                continue
            # The oldest that was asked for is of these hours: so may be what is before it.
            found.cut = found.cut or (origin.sequence == first > 1)
            if any(subjects.matches(topic, message.subject) for topic in topics):
                found.add(message.data)
        if not batch or not batch[-1][0].pending:
            return
        if time.monotonic() > deadline:
            found.cut = True
            return


async def _batch(connection: Any, consumer: str, deadline: float) -> List[Tuple[Origin, Any]]:
    """What is there, in one request that does not wait for more."""
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox)
    asked = json.dumps({"batch": BATCH, "no_wait": True}).encode()
    await connection.publish(f"$JS.API.CONSUMER.MSG.NEXT.{consumer}", asked, reply=inbox)
    found: List[Tuple[Origin, Any]] = []
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


def _consumer(name: str, first: int) -> Dict[str, Any]:
    """One that is gone when nobody asks it any more."""
    return {
        "name": name,
        "description": "falco-playbook check",
        "filter_subject": ALERTS,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": first,
        "ack_policy": "none",
        "replay_policy": "instant",
        "inactive_threshold": INACTIVE * NANOSECONDS,
        "mem_storage": True,
        "num_replicas": 1,
    }
