"""From a message to the playbook and to a line of the report."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Callable, Sequence

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.outcome import Outcome
from playbooks.core.subjects import matches, slug, subject
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.report import Report

NOT_SUBSCRIBED = "not-subscribed"


class Dispatch:
    """One alert after the other, as a Kubeless trigger does.

    ``call`` runs the playbook. ``arrives`` hears of every alert before that.
    """

    def __init__(
        self,
        call: Callable[[bytes], Outcome],
        topics: Sequence[str],
        report: Report,
        interruption: Interruption,
        arrives: Callable[[Alert], None],
    ) -> None:
        self._call = call
        self._topics = topics
        self._report = report
        self._interruption = interruption
        self._arrives = arrives
        self._lock = threading.Lock()

    def publish(self, body: bytes, origin: str) -> Outcome:
        """What a NATS server does: call once for each topic that matches the alert's subject.

        The outcome of the first call, or why there was none.
        """
        try:
            alert = Alert.parse(body)
        except InvalidAlert as error:
            return self._tell(body, origin, Outcome.failed(error))
        times = subscriptions(alert, self._topics)
        if not times:
            said = f"no topic matches {subject(alert.rule, alert.priority)}"
            return self._tell(body, origin, Outcome.skipped(NOT_SUBSCRIBED, said))
        first = self.deliver(body, origin)
        for _ in range(times - 1):
            self.deliver(body, origin)
        return first

    def deliver(self, body: bytes, origin: str) -> Outcome:
        """Call the playbook, whatever the message is."""
        with self._lock, self._interruption.busy():
            with suppress(InvalidAlert):
                self._arrives(Alert.parse(body))
            return self._tell(body, origin, self._call(body))

    def settle(self) -> None:
        """Wait until the alert that was given up is reported."""
        with self._lock:
            pass

    def _tell(self, body: bytes, origin: str, outcome: Outcome) -> Outcome:
        self._report.tell(body, origin, outcome)
        return outcome


def subscriptions(alert: Alert, topics: Sequence[str]) -> int:
    """How many of the topics an alert reaches.

    None for a rule without a letter or digit: NATS never delivers a subject that ends in a dot.
    """
    if not slug(alert.rule):
        return 0
    return sum(matches(topic, subject(alert.rule, alert.priority)) for topic in topics)
