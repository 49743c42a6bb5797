"""What the alerts of a stream say about their pods: read, and never acknowledged or answered."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, Sequence

from playbooks.core import subjects
from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.instant import Instant
from playbooks.engines.worker import stream_reader
from playbooks.engines.worker.nats.jetstream import JetStream

# Names of rules and hosts that a summary holds.
NAMED = 50


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
    start = {"deliver_policy": "by_start_sequence", "opt_start_seq": first}
    deadline = time.monotonic() + bounds.seconds
    async for batch in stream_reader.batches(connection, jetstream, stream, start, deadline):
        for origin, message in batch:
            if origin.stored < bounds.since:
                continue
            # The oldest that was asked for is of these hours: so may be what is before it.
            found.cut = found.cut or (origin.sequence == first > 1)
            if any(subjects.matches(topic, message.subject) for topic in topics):
                found.add(message.data)
        found.cut = found.cut or (batch[-1][0].pending > 0 and time.monotonic() > deadline)
    return found
