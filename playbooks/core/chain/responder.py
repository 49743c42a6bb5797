"""One alert through the steps of a chain: each has its own guards and its own outcome."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Hashable, List, Optional, Sequence, Tuple

from playbooks.core.alert import CAME, Alert, Arrival
from playbooks.core.chain.steps import Step
from playbooks.core.errors import PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome, Status
from playbooks.core.ports import Ledger, Recorder
from playbooks.core.proof import AlertOfSteps
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.responder import Responder

# The reason codes of a chain whose steps all acted, or were all done before.
DONE, ALREADY = "chain-done", "already-done"

# Characters of what a step that tells people is told of those before.
LONGEST = 1000

_WENT_ON = (Status.ACTED, Status.WOULD_ACT)


@dataclass(frozen=True)
class WiredStep:
    step: Step
    responder: Responder

    def went_on(self, outcome: Outcome, others: Sequence[WiredStep]) -> bool:
        """Whether the next step has its turn. ``others``: all of the chain. What one of them leaves
        behind when it is done, such as no pod, keeps an alert that is tried again from no step."""
        if outcome.status in _WENT_ON or self.step.optional:
            return True
        done = outcome.status is Status.SKIPPED and not outcome.held
        return done and any(each.responder.reaction.is_done(outcome.reason) for each in others)


class ChainResponder(Responder):
    """``steps``: at least one. The alert's pod is proven once for all of them."""

    def __init__(
        self,
        steps: Sequence[WiredStep],
        *,
        redaction: Redaction,
        recorders: Sequence[Recorder] = (),
        ledger: Optional[Ledger] = None,
    ) -> None:
        self._steps = tuple(steps)
        self.redaction = redaction
        self.recorders = tuple(recorders)
        self.ledger = ledger

    @property
    def acts(self) -> bool:
        return any(each.responder.acts for each in self._steps)

    def check(self) -> None:
        """Raises the PlaybookError for which no alert at all could be answered."""
        for each in self._steps:
            each.responder.check()

    def refusal(self, alert: Alert, received: Optional[Instant] = None) -> Optional[Outcome]:
        """What the guards of the first step say of the alert alone; None where it passes."""
        return self._steps[0].responder.refusal(alert, received)

    def seen(self, alert: Alert) -> Hashable:
        return tuple(each.responder.seen(alert) for each in self._steps)

    def answer(self, body: Any, arrival: Arrival = CAME) -> Outcome:
        """As Responder.answer. It goes on where it stopped before: what is done is skipped."""
        try:
            alert = AlertOfSteps.of(Alert.parse(body))
        except PlaybookError:
            return self._steps[0].responder.answer(body, arrival)
        told: List[Tuple[Step, Outcome]] = []
        for each in self._steps:
            of_step = alert if each.responder.acts else _with_results(alert, told)
            outcome = each.responder.answer(of_step, arrival)
            told.append((each.step, outcome))
            alert = replace(alert, acted=outcome.status is Status.ACTED)
            if not each.went_on(outcome, self._steps):
                return stopped(told)
        return ended(told)


def _with_results(alert: Alert, told: Sequence[Tuple[Step, Outcome]]) -> Alert:
    """The alert for a step that tells people: with what the steps before made of it."""
    if not told:
        return alert
    said = "; ".join((alert.output or alert.rule, *_said(told)))
    return replace(alert, output=said if len(said) <= LONGEST else said[:LONGEST] + "...")


def _said(told: Sequence[Tuple[Step, Outcome]]) -> List[str]:
    return [f"{step.name}: {outcome.message}" for step, outcome in told]


def ended(told: Sequence[Tuple[Step, Outcome]]) -> Outcome:
    """Of a chain that had all its steps."""
    statuses = [outcome.status for _, outcome in told]
    status = next((each for each in _WENT_ON if each in statuses), Status.SKIPPED)
    together = replace(_together(told), status=status)
    if together.accepted:
        # What was deleted is not seen to be gone yet.
        return together
    return replace(together, reason=ALREADY if status is Status.SKIPPED else DONE)


def stopped(told: Sequence[Tuple[Step, Outcome]]) -> Outcome:
    """Of a chain that its last step stopped: failed, held, or waits as that did. What acted before
    has acted, where nothing is left to do."""
    step, last = told[-1]
    acted = any(outcome.status is Status.ACTED for _, outcome in told)
    settled = last.status is Status.SKIPPED and not last.held
    return replace(
        _together(told),
        status=Status.ACTED if acted and settled else last.status,
        reason=last.reason,
        message="; ".join([*_said(told), f"stopped at {step.name}"]),
        held=last.held,
        waits=last.waits,
        error=last.error,
    )


def _together(told: Sequence[Tuple[Step, Outcome]]) -> Outcome:
    outcomes = [outcome for _, outcome in told]
    acted = [each for each in outcomes if each.status in _WENT_ON and each.target_ref]
    about = (acted or [each for each in outcomes if each.target_ref] or outcomes)[-1]
    details: Dict[str, Any] = {}
    for each in outcomes:
        details.update(each.details)
    if outcomes[-1].status is not Status.FAILED:
        # Of a step after which the chain went on all the same.
        for name in ("error", "retryable"):
            details.pop(name, None)
    details["steps"] = [
        {
            "step": step.name,
            "status": str(outcome.status),
            "reason": outcome.reason,
            "target": outcome.target,
            "message": outcome.message,
        }
        for step, outcome in told
    ]
    return replace(
        about,
        message="; ".join(_said(told)),
        details=details,
        why=tuple(f"{step.name}: {line}" for step, each in told for line in each.why),
        held=False,
        waits=None,
        error=None,
        trace_id=outcomes[-1].trace_id,
        follow_ups=tuple(look for each in outcomes for look in each.follow_ups),
    )
