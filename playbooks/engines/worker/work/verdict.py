"""What the worker does with a message once its outcome is known: the intent, with the deliveries,
the dead letters and the outages that only a worker has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Union

from playbooks.core.errors import InvalidAlert, RetryableError
from playbooks.core.outcome import Outcome
from playbooks.engines.runtime import Intent

# Seconds until an alert is delivered again: 1, 4, 16, 64, ... at most 5 minutes; 85 seconds in all
# for the 5 deliveries that are the default.
FIRST_DELAY = 1.0
GROWTH = 4.0
LONGEST_DELAY = 300.0

# Errors that are over soon, or for good, are tried again sooner: 0.5, 1, 2, 4 seconds.
IMPATIENT_DELAY = 0.5
IMPATIENT_GROWTH = 2.0


@dataclass(frozen=True)
class Done:
    """Acknowledge."""


@dataclass(frozen=True)
class Again:
    """Deliver again after ``delay`` seconds."""

    delay: float


@dataclass(frozen=True)
class Dead:
    """Keep as a dead letter, then acknowledge. ``held``: for a person to decide, not given up.
    ``uid``: of the object that was proven to be the target, if one was. ``trace_id``: of the
    outcome."""

    reason: str
    message: str
    held: bool = False
    uid: str = ""
    trace_id: str = ""


@dataclass(frozen=True)
class Hold:
    """Keep it and answer again once the outage is over: costs no delivery."""


@dataclass(frozen=True)
class Wait:
    """Ask again after ``delay`` seconds, when the window of a limit allows it: costs no delivery.
    ``instead``: where there is no room for one more that waits."""

    delay: float
    instead: Dead


Verdict = Union[Done, Again, Dead, Hold, Wait]


def verdict(outcome: Outcome, *, delivery: int, most: int, outage: bool = False) -> Verdict:
    """``delivery``: which one this was, from 1. ``outage``: any alert fails at the moment.

    Final failures are dead letters only where somebody can do something about them: what is no
    alert, and what the playbook could not do. An alert that was skipped is done, unless a guard
    holds it for a person, or for the window of a limit.
    """
    error = outcome.error
    uid = outcome.target_ref.uid if outcome.target_ref else ""
    dead = partial(Dead, uid=uid, trace_id=outcome.trace_id)
    if outcome.held:
        held = dead(outcome.reason, outcome.message, held=True)
        return held if outcome.waits is None else Wait(outcome.waits, instead=held)
    intent = Intent.of(outcome)
    if intent in (Intent.DONE, Intent.SKIPPED) or error is None:
        return Done()
    if error.of_any_alert and outage:
        return Hold()
    if not isinstance(error, RetryableError):
        words = "no alert: " if isinstance(error, InvalidAlert) else ""
        return dead(error.reason, f"{words}{error}")
    if delivery >= most:
        said = f"failed at delivery {delivery} of {most}: {error}"
        return dead(error.reason, said)
    return Again(delay(error, delivery))


def delay(error: RetryableError, delivery: int) -> float:
    """Grows with every delivery; never shorter than the other side asked for."""
    if error.patience is not None:
        own = min(IMPATIENT_DELAY * IMPATIENT_GROWTH ** (delivery - 1), error.patience)
    else:
        own = min(FIRST_DELAY * GROWTH ** (delivery - 1), LONGEST_DELAY)
    return max(own, error.retry_after or 0.0)


def exhausted(delivery: int, most: int) -> bool:
    """Whether a message comes once more than it may: its last delivery ended without a verdict,
    most likely because the worker was killed over it."""
    return delivery > most
