"""Alerts that are pushed to a function: it chooses itself which of them it answers.

What delivers them knows no subjects: ``TOPICS`` has those that a subscription would have.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import threading
from collections import OrderedDict
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert, Throttled
from playbooks.core.outcome import Outcome, Status
from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.core.settings import Setting, names, read
from playbooks.core.subjects import malformed, matches, slug, subject
from playbooks.engines.runtime import Event, Intent, Reply, Runtime

NOT_SUBSCRIBED = "not-subscribed"

#: Seconds that a call of a function may take: it is deployed with them.
TIMEOUT = 60

#: Seconds within which an alert is tried again here: where nobody else does, as for a posted one,
#: and where its sender does, as a broker.
PATIENCE, SHORT_PATIENCE = 30.0, 10.0

# Alerts that were acted upon, whose repetition is known again.
REMEMBERED = 1000


def _topics(text: str) -> Tuple[str, ...]:
    found = names(text)
    for topic in found:
        why = malformed(topic)
        if why:
            raise ValueError(f"NATS topics, separated by commas: {topic!r}: {why}")
    if not found:
        raise ValueError("NATS topics, separated by commas, such as falco.error.*")
    return found


TOPICS = Setting(
    "TOPICS", _topics, "falco.>", "The topics whose alerts are answered, separated by commas"
)


def subscriptions(alert: Alert, topics: Sequence[str]) -> int:
    """How many of the topics an alert reaches.

    None for a rule without a letter or digit: NATS never delivers a subject that ends in a dot.
    """
    if not slug(alert.rule):
        return 0
    return sum(matches(topic, subject(alert.rule, alert.priority)) for topic in topics)


def not_subscribed(alert: Alert) -> Outcome:
    """Of an alert that no topic reaches."""
    return Outcome.skipped(
        NOT_SUBSCRIBED, f"no topic matches {subject(alert.rule, alert.priority)}"
    )


class PushedAlerts:
    """A playbook whose alerts are pushed to it. Threads may share it.

    Raises InvalidSetting, when it is made. ``seconds``: within which an alert is tried again here,
    before its sender is asked for it; ``handle`` may be given less.
    """

    def __init__(
        self,
        playbook: Playbook,
        environ: Mapping[str, str] = os.environ,
        collaborators: Optional[Collaborators] = None,
        *,
        seconds: float,
    ) -> None:
        self._topics: Tuple[str, ...] = read((TOPICS,), environ)[TOPICS.name]
        self._runtime = Runtime(playbook.name, playbook.responder(environ, collaborators))
        self._seconds = seconds
        self._repeated = _Repeated()

    def handle(
        self,
        body: Any,
        *,
        event_id: str = "",
        redelivers: bool = False,
        seconds: float = math.inf,
    ) -> Reply:
        """As ``Runtime.handle``: skipped where no topic reaches the alert, or where the same alert
        was acted upon already."""
        try:
            alert = Alert.parse(body)
        except InvalidAlert:
            # The playbook says why it is none.
            return self._runtime.handle(Event(body, event_id), seconds=0.0)
        event = Event(alert, event_id)
        if not subscriptions(alert, self._topics):
            return self._told(event, not_subscribed(alert))
        before = self._repeated.outcome_of(alert)
        if before is not None:
            return self._told(event, before)
        patience = min(seconds, self._seconds)
        reply = self._runtime.handle(event, seconds=patience, redelivers=redelivers)
        self._repeated.remember(alert, reply.outcome)
        return reply

    def missing(self) -> str:
        """What keeps every alert from being answered, or empty."""
        return self._runtime.missing()

    def refuse(self, why: str, *, event_id: str = "") -> Reply:
        """Of a delivery in which there is no alert to be found."""
        return self._told(Event(None, event_id), Outcome.failed(InvalidAlert(why)))

    def _told(self, event: Event, outcome: Outcome) -> Reply:
        explained = dataclasses.replace(outcome, why=(outcome.message,))
        self._runtime.log(event, explained)
        return Reply(Intent.of(explained), explained)


class _Repeated:
    """What was acted upon, by Falcosidekick's uuid and all the rest of the alert: who posts an
    alert can keep no other from being answered. Best effort: another instance does not know it, and
    answers as to any alert that comes twice."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Outcome] = OrderedDict()
        self._lock = threading.Lock()

    def outcome_of(self, alert: Alert) -> Optional[Outcome]:
        with self._lock:
            done = self._known.get(_digest(alert)) if alert.uuid else None
        if done is None:
            return None
        said = f"alert {alert.uuid:.80} was delivered before: {done.message}"
        return Outcome.skipped("repeated", said, done.target)

    def remember(self, alert: Alert, outcome: Outcome) -> None:
        if not alert.uuid or outcome.status is not Status.ACTED:
            return
        with self._lock:
            self._known[_digest(alert)] = outcome
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _digest(alert: Alert) -> bytes:
    return hashlib.sha256(repr(alert).encode("utf-8", "replace")).digest()


def http_status(reply: Reply) -> Tuple[int, Dict[str, str]]:
    """The status for who posted the alert, and headers of the answer: 200, 400, 429 or 500."""
    if reply.intent is Intent.GIVE_UP:
        return 400, {}
    if reply.intent is not Intent.AGAIN:
        return 200, {}
    after = getattr(reply.outcome.error, "retry_after", None)
    headers = {} if after is None else {"Retry-After": str(math.ceil(after))}
    return (429 if isinstance(reply.outcome.error, Throttled) else 500), headers
