"""Whether a message is to be acted upon at all: one action for a message, and none for history."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from enum import Enum
from typing import Any, Iterable, Optional, Tuple

from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.engines.worker.topics import Subscription

# Nanoseconds within which every replica has heard that a topic ended.
SKEW = 10 * NANOSECONDS

REMEMBERED = 20_000

Key = Tuple[Any, ...]


class Drop(str, Enum):
    """Why a message is acknowledged without an outcome."""

    NOT_WANTED = "not-wanted"
    OTHER_TOPIC = "other-topic"
    DONE = "done"

    def __str__(self) -> str:
        return self.value


def refusal(
    subscriptions: Iterable[Subscription], topic: str, subject: str, stored: Instant
) -> Optional[Drop]:
    """Why a message that the consumer of ``topic`` delivered is not acted upon, or None.

    Consumers may deliver more than was asked for: a server that ignores a filter, history under an
    edited topic. So the subject is matched again, and what was stored before its trigger is no
    alert for it. Where several topics want the message, the one that is subscribed longest owns
    it (then the first by name), and the others drop it: every replica comes to the same answer
    without asking. A topic that ended after the message was stored owns it still, where another
    wants it too; replicas hear of an end at different times, so that around it both topics may
    own a message: it may be acted upon twice then, and is never lost.
    """
    claims = [s for s in subscriptions if _around_end(s, topic).wants(subject, stored)]
    if not any(s.active for s in claims):
        return Drop.NOT_WANTED
    owner = min(claims, key=lambda s: (s.since, s.topic))
    return None if owner.topic == topic else Drop.OTHER_TOPIC


def _around_end(subscription: Subscription, topic: str) -> Subscription:
    """An ended topic's own consumer still acts a little after the end, and the others begin to a
    little before it."""
    if subscription.active:
        return subscription
    moved = SKEW if subscription.topic == topic else -SKEW
    return replace(subscription, until=Instant(subscription.until.nanoseconds + moved))


class DoneMessages:
    """The last ``most`` that were answered; those before are forgotten."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._keys: OrderedDict[Key, None] = OrderedDict()

    def add(self, key: Key) -> None:
        self._keys[key] = None
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)

    def __contains__(self, key: Key) -> bool:
        return key in self._keys
