"""The port between an engine and a playbook: an event in, an outcome and an intent out.

An engine is a module that makes an ``Event`` of what calls it, and its own status of the intent:

- done, skipped: return the outcome (HTTP 200), acknowledge;
- again: have the event delivered again (HTTP 500), do not acknowledge;
- give up: report the error (HTTP 400), keep the event as a dead letter, acknowledge.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Hashable, Mapping, Optional

from playbooks.core.alert import CAME, Alert, Arrival
from playbooks.core.errors import InvalidSetting, PlaybookError, RetryableError, Unexpected
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome, Status
from playbooks.core.playbook import Playbook
from playbooks.core.responder import Responder
from playbooks.core.tracing.traceparent import TraceParent
from playbooks.engines import outcome_log, recorders, retrying

# Seconds that each recorder may take after the answer, at most.
RECORDING = 5.0


class Intent(str, Enum):
    """What the engine is to do with the event."""

    DONE = "done"
    SKIPPED = "skipped"
    AGAIN = "again"
    GIVE_UP = "give up"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def of(cls, outcome: Outcome, *, last: bool = False) -> Intent:
        """``last``: the engine will not deliver the event again, so that a retry is pointless."""
        if outcome.status is Status.FAILED:
            again = isinstance(outcome.error, RetryableError) and not last
            return cls.AGAIN if again else cls.GIVE_UP
        return cls.SKIPPED if outcome.status is Status.SKIPPED else cls.DONE


@dataclass(frozen=True)
class Event:
    """``body``: the alert, as JSON in bytes or text, as a dict, or read. ``id``: the engine's own
    name of this delivery, for the log. ``trace``: the one that its sender names."""

    body: Any
    id: str = ""
    trace: Optional[TraceParent] = None


@dataclass(frozen=True)
class Reply:
    intent: Intent
    outcome: Outcome


class Runtime:
    """A playbook as engines call it. Every method blocks, and none raises for a bad alert."""

    def __init__(self, playbook: str, responder: Responder) -> None:
        self._playbook = playbook
        self._responder = responder

    def answer(self, body: Any, arrival: Arrival = CAME, *, seconds: float = 0.0) -> Outcome:
        """As ``Responder.answer``, and tried again for ``seconds`` while it may succeed."""
        try:
            ask = partial(self._responder.answer, body, arrival)
            return retrying.answer(ask, seconds=seconds, recorded=arrival.recorded)
        except SystemExit as error:
            # It would end the process of the engine, and with it other alerts.
            return Outcome.failed(Unexpected(f"the playbook called sys.exit({error.code})"))

    def target(self, alert: Alert, received: Instant) -> Optional[Hashable]:
        """The same for all alerts that one decision answers: about one target, and with nothing
        in the alert alone that would keep it from being acted upon, and the same in what a guard
        looks at beside. None: a decision of its own."""
        claim = alert.claim
        if not self._responder.acts or not (claim.points_at_pod or claim.host):
            return None
        try:
            if self._responder.refusal(alert, received):
                return None
            return claim, self._responder.seen(alert)
        except Exception:
            # Answering it says why.
            return None

    def missing(self) -> str:
        """What keeps every alert from being answered, or empty."""
        try:
            self._responder.check()
        except PlaybookError as error:
            return self._responder.redaction.text(str(error))
        return ""

    def log(self, event: Event, outcome: Outcome) -> None:
        """One line, on standard error."""
        redaction = self._responder.redaction
        outcome_log.record(
            self._playbook, event.body, outcome, event_id=event.id, redaction=redaction
        )

    def record(self, event: Event, outcome: Outcome) -> None:
        """Tell the recorders a final outcome. What one cannot record is a line of the log."""
        redaction = self._responder.redaction
        for each in self._responder.recorders:
            error = recorders.put(each, event.body, outcome, redaction=redaction, seconds=RECORDING)
            if error is not None:
                recorders.log_failure(self._playbook, recorders.name(each), error)

    def handle(
        self, event: Event, *, seconds: float, recorded: bool = False, redelivers: bool = False
    ) -> Reply:
        """Answer an event, log the outcome, and record it unless it is tried again.

        ``redelivers``: the engine's caller delivers the event again where the intent is ``again``.
        Otherwise every outcome is final.
        """
        arrival = Arrival(recorded=recorded, trace=event.trace)
        outcome = self.answer(event.body, arrival, seconds=seconds)
        reply = Reply(Intent.of(outcome), outcome)
        self.log(event, outcome)
        if not (redelivers and reply.intent is Intent.AGAIN):
            self.record(event, outcome)
        return reply


def handle(
    playbook: Playbook,
    event: Event,
    environ: Mapping[str, str],
    *,
    seconds: float,
    redelivers: bool = False,
) -> Reply:
    """As ``Runtime.handle``, with the settings read for this one event: give up where they are
    wrong. For an engine whose environment may differ from event to event, or that starts a process
    for each; any other makes one Runtime and keeps it."""
    try:
        runtime = Runtime(playbook.name, playbook.responder(environ))
    except InvalidSetting as error:
        outcome = Outcome.failed(error)
        outcome_log.record(playbook.name, event.body, outcome, event_id=event.id)
        return Reply(Intent.GIVE_UP, outcome)
    return runtime.handle(event, seconds=seconds, redelivers=redelivers)
