"""Messages that are acknowledged without an outcome: counted, and logged as far as there is room.

A stream has many alerts that a playbook does not want. Of each reason a few lines a minute name the
alert; the others are one line that says how many there were.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Dict, Union

from playbooks.core.alert import SHORT, Alert
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines import log
from playbooks.engines.outcome_log import claimed, named
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import Delivery
from playbooks.engines.worker.work.queue.admission import Drop
from playbooks.engines.worker.work.rate import Rate

# Lines of each reason: 6 a minute, and 10 at once.
PER_SECOND, BURST = 0.1, 10.0

WORDS = {
    Drop.NOT_WANTED: "no topic of this playbook wants it, or it is from before its trigger",
    Drop.OTHER_TOPIC: "another topic of this playbook answers it",
    Drop.DONE: "it was answered before and delivered again",
}


@dataclass(eq=False)
class Drops:
    playbook: str
    redaction: Redaction
    metrics: Metrics
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._rates = {drop: Rate(PER_SECOND, BURST, self.clock) for drop in Drop}
        self._untold: Counter[Drop] = Counter()

    def add(self, delivery: Delivery, drop: Drop) -> None:
        self.metrics.dropped(str(drop)).inc()
        if not self._rates[drop].take():
            self._untold[drop] += 1
            return
        self._log_untold(drop)
        # Reading a long one would keep the loop from turning.
        alert = b"" if len(delivery.body) > SHORT else delivery.alert
        self._log(
            drop,
            f"{delivery.origin} is dropped: {WORDS[drop]}",
            event_id=str(delivery.origin),
            subject=delivery.subject,
            **self.redaction.document(_about(alert)),
            **claimed(alert, self.redaction),
        )

    def tick(self) -> None:
        """Now and then: what was dropped without a line of its own."""
        for drop in list(self._untold):
            if self._rates[drop].take():
                self._log_untold(drop)

    def stop(self) -> None:
        for drop in list(self._untold):
            self._log_untold(drop)

    def _log_untold(self, drop: Drop) -> None:
        count = self._untold.pop(drop, 0)
        if count:
            self._log(drop, f"{count} more were dropped: {WORDS[drop]}", count=count)

    def _log(self, drop: Drop, message: str, **facts: Any) -> None:
        log.info(message, playbook=self.playbook, reason=str(drop), **facts)


def _about(alert: Union[Alert, bytes]) -> Dict[str, Any]:
    """The alert, as in the line of an outcome, and the pod that it names."""
    if isinstance(alert, bytes):
        return {"alert": None, "target": ""}
    claim = alert.claim
    target = f"pod {claim.namespace}/{claim.pod}" if claim.namespace and claim.pod else ""
    return {"alert": named(alert), "target": target}
