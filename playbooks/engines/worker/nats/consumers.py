"""The durable consumers that the worker wants, and whether the server really has them so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from playbooks.core.instant import NANOSECONDS, Instant

# Seconds until a message that nobody claims any more is delivered again. Work that takes longer
# renews its claim.
ACK_WAIT = 30

# Seconds after which the server removes a consumer that nobody asked anything: a week.
INACTIVE_THRESHOLD = 7 * 24 * 3600

# Messages that may be claimed at once, over all replicas, or wait to be delivered again.
MAX_ACK_PENDING = 1000


@dataclass(frozen=True)
class Consumer:
    """``since`` None delivers everything that the stream has."""

    name: str
    filter: str
    since: Optional[Instant]

    def configuration(self, found: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
        """As JetStream's API wants it; one that was ``found`` keeps its start. Source:
        https://docs.nats.io/reference/reference-protocols/nats_api_reference

        ``max_deliver`` is unlimited: the server's own limit drops a message whose last delivery
        crashed. One filter only: nats-server 2.9 ignores ``filter_subjects`` without a word.
        """
        start: Dict[str, Any] = {"deliver_policy": "all"}
        if self.since is not None:
            start = {"deliver_policy": "by_start_time", "opt_start_time": str(self.since)}
        if found is not None:
            keys = ("deliver_policy", "opt_start_time", "opt_start_seq")
            start = {key: found[key] for key in keys if key in found}
        return {
            "name": self.name,
            "durable_name": self.name,
            "description": f"playbook worker, topic {self.filter}",
            "filter_subject": self.filter,
            "ack_policy": "explicit",
            "ack_wait": ACK_WAIT * NANOSECONDS,
            "max_deliver": -1,
            "max_ack_pending": MAX_ACK_PENDING,
            "replay_policy": "instant",
            "inactive_threshold": INACTIVE_THRESHOLD * NANOSECONDS,
            **start,
        }

    def differences(self, found: Mapping[str, Any]) -> List[str]:
        """Where the server's consumer is not what was asked for, in words.

        Not where it starts: a consumer that was there before keeps its place, and every message is
        held to its trigger again. One that is gone (after the inactive threshold, or deleted by
        somebody) is made anew and delivers what was stored since its trigger, done or not:
        reactions find that they have acted already, and Slack is told twice.
        """
        wanted = self.configuration()
        keys = ("filter_subject", "ack_policy", "ack_wait", "max_deliver", "inactive_threshold")
        wrong = [
            f"{key} is {found.get(key)!r}, expected {wanted[key]!r}"
            for key in keys
            if found.get(key) != wanted[key]
        ]
        if found.get("deliver_subject"):
            wrong.append(f"it pushes to {found['deliver_subject']}")
        if found.get("headers_only"):
            wrong.append("it delivers headers only")
        return wrong
