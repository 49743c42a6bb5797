"""One alert past the guards, to its proof, its action and its outcome."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Callable, Dict, Hashable, List, Optional, Sequence, Tuple

from playbooks.core.action import Action, Answer
from playbooks.core.alert import CAME, Alert, Arrival
from playbooks.core.errors import ClusterUnavailable, GuardUnanswered, RetryableError, ours
from playbooks.core.guards.guard import Case, Guard
from playbooks.core.instant import Instant
from playbooks.core.outcome import (
    FOLLOWS,
    HOLDS,
    NOT_VERIFIED,
    VERIFIED,
    FollowUp,
    Outcome,
    Status,
)
from playbooks.core.ports import Clock, Cluster, Ledger, Recorder, Remembered
from playbooks.core.reaction import Reaction
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.tracing.spans import (
    ACTION,
    ALERT,
    GUARDS_OF_ACTION,
    GUARDS_OF_ALERT,
    PROOF,
    NoSpans,
    Span,
    Spans,
)


class _Anew(Exception):
    """What is remembered does not decide this."""


class Responder:
    """Alert in, outcome out. The one place that turns an error into a failed outcome, and that
    takes out of outcomes what must not leave.

    ``recorders``: for the engine, which knows when an outcome is final. ``cluster``: where it
    remembers pods, an action on one may be proven from memory, as the API server then sees to it
    that the pod is still as it was remembered. Anything else is decided on what is read.
    ``ledger``: for the engine's metrics; None for a playbook that does not act.
    """

    def __init__(
        self,
        reaction: Reaction,
        guards: Sequence[Guard],
        clock: Clock,
        *,
        dry_run: bool,
        redaction: Optional[Redaction] = None,
        recorders: Sequence[Recorder] = (),
        cluster: Optional[Cluster] = None,
        ledger: Optional[Ledger] = None,
        spans: Optional[Spans] = None,
    ) -> None:
        self.reaction = reaction
        self._guards = guards
        self._of_alert = _saying(guards, "of_alert")
        self._of_action = _saying(guards, "of_action")
        self._seeing = _saying(guards, "seen")
        self._clock = clock
        self._dry_run = dry_run
        self.redaction = redaction or Redaction()
        self.recorders = tuple(recorders)
        self._cluster = cluster if reaction.decides_from_memory else None
        self.ledger = ledger
        self._spans = spans or NoSpans()

    def check(self) -> None:
        """Raises the PlaybookError for which no alert at all could be answered."""
        for guard in self._guards:
            guard.check()

    @property
    def acts(self) -> bool:
        """Whether it acts on the cluster."""
        return bool(self.reaction.TARGETS)

    def refusal(self, alert: Alert, received: Optional[Instant] = None) -> Optional[Outcome]:
        """What the guards say of the alert alone, which makes no call; None where it passes."""
        case = Case(alert, self._clock.now(), dry_run=self._dry_run, received=received)
        return self._refused(case, [])

    def seen(self, alert: Alert) -> Hashable:
        """What of the alert, beside its target, the guards look at once that is proven."""
        return tuple(filter(None, (guard.seen(alert) for guard in self._seeing)))

    def answer(self, body: Any, arrival: Arrival = CAME) -> Outcome:
        """Never raises an Exception: what went wrong is the failed outcome's ``error``."""
        with self._spans.span(ALERT, arrival.trace) as span:
            outcome = self._answered(body, arrival, span)
            failed = outcome.reason if outcome.status is Status.FAILED else ""
            span.note(
                failed=failed,
                falco_status=str(outcome.status),
                falco_reason=outcome.reason,
                falco_target=outcome.target,
            )
            trace_id = span.trace_id or (arrival.trace.trace_id if arrival.trace else "")
        if trace_id:
            outcome = replace(outcome, trace_id=trace_id)
        if not outcome.follow_ups:
            return outcome
        looks = (replace(f, look=partial(self._looked, f, outcome)) for f in outcome.follow_ups)
        return replace(outcome, follow_ups=tuple(looks))

    def _answered(self, body: Any, arrival: Arrival, span: Span) -> Outcome:
        why: List[str] = []
        try:
            alert = Alert.parse(body)
            rule = self.redaction.text(alert.rule)
            span.note(falco_rule=rule, falco_priority=str(alert.priority))
            now = alert.time if arrival.recorded else self._clock.now()
            case = Case(
                alert,
                now,
                released_by=arrival.released_by,
                dry_run=self._dry_run,
                received=arrival.received,
                recorded=arrival.recorded,
            )
            outcome = self._decide(case, why)
        except Exception as error:
            outcome = Outcome.failed(ours(error))
        if outcome.error is not None:
            # An engine may raise it, and its log has it.
            outcome.error.args = (self.redaction.text(str(outcome.error)),)
        return self.redaction.outcome(replace(outcome, why=(*why, outcome.message)))

    def _decide(self, case: Case, why: List[str]) -> Outcome:
        if case.released_by:
            why.append(f"released by {case.released_by}")
        with self._spans.span(GUARDS_OF_ALERT) as span:
            refused = self._refused(case, why)
            if refused is not None:
                span.note(falco_reason=refused.reason)
                return refused
        return self._from_memory(case, why) or self._planned(case, why)

    def _from_memory(self, case: Case, why: List[str]) -> Optional[Outcome]:
        """None where it is to be decided on what is read."""
        if self._cluster is None or self._dry_run or case.recorded:
            return None
        said: List[str] = []
        with self._cluster.remembering() as memory:
            try:
                outcome = self._planned(case, said, memory)
            except Exception:
                if memory.used:
                    return None
                why.extend(said)
                raise
        # What a count refuses is refused, and an API server that does not answer would not answer
        # a read either.
        stands = outcome.status is Status.ACTED or outcome.held
        if memory.used and not stands and not isinstance(outcome.error, ClusterUnavailable):
            return None
        why.extend(said)
        return outcome

    def _planned(self, case: Case, why: List[str], memory: Optional[Remembered] = None) -> Outcome:
        with self._spans.span(PROOF) as span:
            planned = self.reaction.plan(case.alert)
            if not isinstance(planned, (Action, Outcome)):
                who = f"{type(self.reaction).__name__}.plan"
                raise TypeError(f"{who} gave {planned!r:.80}, expected an Action or an Outcome")
            span.note(falco_target=planned.target)
        why.extend(planned.why)
        memory = memory or Remembered()
        if isinstance(planned, Outcome):
            if memory.used:
                raise _Anew
            return planned
        try:
            outcome = self._act(case, planned, why, memory)
        except _Anew:
            raise
        except Exception as error:
            outcome = Outcome.failed(ours(error), planned.target, **planned.facts)
        return replace(outcome, target_ref=planned.target_ref)

    def _refused(self, case: Case, why: List[str]) -> Optional[Outcome]:
        """What the guards say of the alert alone; None where it passes."""
        for guard in self._of_alert:
            answer = _asked(guard, why, guard.of_alert, case)
            if answer.reason:
                return answer.outcome()
        return None

    def _act(self, case: Case, planned: Action, why: List[str], memory: Remembered) -> Outcome:
        """A proven target that a guard leaves alone is held for a person, but where the guard
        says what the operator asked for."""
        with self._spans.span(GUARDS_OF_ACTION) as span:
            guard, answer = self._objection(case, planned, why)
            span.note(falco_reason=answer.reason)
        if guard is not None:
            if memory.used and not guard.KEEPS_COUNT:
                raise _Anew
            refused = answer.outcome(planned)
            return refused if self._dry_run or not guard.HOLDS else replace(refused, held=True)
        if self._dry_run:
            return _remarked(planned.would(), answer)
        with self._spans.span(ACTION) as span:
            span.note(falco_verb=planned.verb, falco_target=planned.target)
            outcome = planned.carry_out()
            if not isinstance(outcome, Outcome):
                who = f"the action {planned.verb}"
                raise TypeError(f"{who} gave {outcome!r:.80}, expected an Outcome")
        if outcome.status is not Status.ACTED:
            return outcome
        outcome = _remarked(outcome, answer)
        verify = partial(self._verified, planned, released=bool(case.released_by))
        look = FollowUp(verify, after=self.reaction.settles)
        return replace(outcome, follow_ups=(*outcome.follow_ups, look))

    def _verified(self, planned: Action, _: bool, *, released: bool) -> Optional[Outcome]:
        """``released``: by a person, who may have undone an earlier action on the same target."""
        found = self.reaction.verify(planned)
        if found is None or (not found.holds and not released and self._undone(planned)):
            return None
        reason = VERIFIED if found.holds else NOT_VERIFIED
        return Outcome(Status.LOOKED, reason, found.words, planned.target, {HOLDS: found.holds})

    def _undone(self, planned: Action) -> bool:
        """Whether an operator took it back since, as the ledger says: nobody else writes that."""
        return self.ledger is not None and planned.uid in self.ledger.standing().undone

    def _looked(self, follow_up: FollowUp, after: Outcome, last: bool) -> Optional[Outcome]:
        """What a look finds, as the outcome of the same alert that it is."""
        found = follow_up.look(last)
        if found is None:
            return None
        said = {FOLLOWS: after.reason}
        if after.target_ref is not None:
            said["uid"] = after.target_ref.uid
        return self.redaction.outcome(
            replace(
                found,
                details={**said, **found.details},
                why=(*found.why, found.message),
                trace_id=after.trace_id,
                target_ref=after.target_ref,
            )
        )

    def _objection(
        self, case: Case, planned: Action, why: List[str]
    ) -> Tuple[Optional[Guard], Answer]:
        """The guard that refuses the action, and its answer; None where all let it pass, and what
        they remark."""
        facts: Dict[str, Any] = {}
        remarks: List[str] = []
        for guard in self._of_action:
            answer = _asked(guard, why, guard.of_action, case, planned)
            if answer.reason:
                return guard, answer
            facts.update(answer.facts)
            remarks += [answer.remark] if answer.remark else []
        return None, Answer(facts=facts, remark="; ".join(remarks))


def _saying(guards: Sequence[Guard], question: str) -> Tuple[Guard, ...]:
    """Those that have a word in it: most have one in one question only."""
    nothing = getattr(Guard, question)
    return tuple(g for g in guards if getattr(type(g), question, None) is not nothing)


def _asked(guard: Guard, why: List[str], ask: Callable[..., Answer], *about: Any) -> Answer:
    """Its answer, with its words at the end of ``why``; those of a refusal are the message of its
    outcome, which ends the list."""
    try:
        answer = ask(*about)
    except RetryableError:
        raise
    except Exception as error:
        raise GuardUnanswered(f"guard {type(guard).__name__} cannot decide: {error}") from error
    if answer.words and not answer.reason:
        why.append(answer.words)
    return answer


def _remarked(outcome: Outcome, answer: Answer) -> Outcome:
    if not (answer.remark or answer.facts):
        return outcome
    said = f"{outcome.message}; {answer.remark}" if answer.remark else outcome.message
    return replace(outcome, message=said, details={**outcome.details, **answer.facts})
