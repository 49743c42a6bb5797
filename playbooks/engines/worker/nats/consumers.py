"""The durable consumers that the worker wants, and whether the server really has them so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional

from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from playbooks.core.instant import Instant

# Seconds until a message that nobody claims any more is delivered again. Work that takes longer
# renews its claim.
ACK_WAIT = 30

# Seconds after which the server removes a consumer that nobody asked anything: a week.
INACTIVE_THRESHOLD = 7 * 24 * 3600

# Messages that may be claimed at once, over all replicas, or wait to be delivered again.
MAX_ACK_PENDING = 20_000


@dataclass(frozen=True)
class Consumer:
    """``since`` None delivers everything that the stream has."""

    name: str
    filter: str
    since: Optional[Instant]

    def configuration(self, found: Optional[ConsumerConfig] = None) -> ConsumerConfig:
        """One that was ``found`` keeps its start.

        ``max_deliver`` is unlimited: the server's own limit drops a message whose last delivery
        crashed. One filter only: nats-server 2.9 ignores ``filter_subjects`` without a word.
        """
        config = ConsumerConfig(
            name=self.name,
            durable_name=self.name,
            description=f"playbook worker, topic {self.filter}",
            filter_subject=self.filter,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT,
            max_deliver=-1,
            max_ack_pending=MAX_ACK_PENDING,
            inactive_threshold=INACTIVE_THRESHOLD,
        )
        if found is not None:
            return config.evolve(
                deliver_policy=found.deliver_policy,
                opt_start_time=found.opt_start_time,
                opt_start_seq=found.opt_start_seq,
            )
        if self.since is None:
            return config
        # nats-py sends text as it is; its own datetime has no nanoseconds.
        start = str(self.since)
        return config.evolve(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=start)

    def differences(self, found: ConsumerConfig) -> List[str]:
        """Where the server's consumer is not what was asked for, in words.

        Not where it starts: a consumer that was there before keeps its place, and every message is
        held to its trigger again. One that is gone (after the inactive threshold, or deleted by
        somebody) is made anew and delivers what was stored since its trigger, done or not:
        reactions find that they have acted already, and Slack gets two messages.
        """
        wanted = self.configuration()
        keys = (
            *("filter_subject", "ack_policy", "ack_wait", "max_deliver"),
            *("inactive_threshold", "max_ack_pending"),
        )
        wrong = [
            f"{key} is {_shown(getattr(found, key))}, expected {_shown(getattr(wanted, key))}"
            for key in keys
            if getattr(found, key) != getattr(wanted, key)
        ]
        if found.deliver_subject:
            wrong.append(f"it pushes to {found.deliver_subject}")
        if found.headers_only:
            wrong.append("it delivers headers only")
        return wrong


def _shown(value: Any) -> str:
    return repr(value.value if isinstance(value, AckPolicy) else value)
