"""Trying again, for engines that get an alert only once."""

from __future__ import annotations

import dataclasses
import random
import time
from typing import Callable, Optional

from playbooks.core.errors import RetryableError
from playbooks.core.outcome import Outcome

# No attempt starts after this share of the time that an engine gives a function, so that the last
# one has time to end.
SHARE = 0.5

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


def answer(
    ask: Callable[[], Outcome],
    *,
    seconds: float,
    recorded: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """``ask`` once, and again while the failure is worth it, or a limit lets it wait, and
    ``seconds`` are not over. ``recorded``: as for Responder.

    Reactions are idempotent, so that a second run finds what the first one did. Pauses double from
    0.2 to 5 seconds, with jitter, and are as long as the other side asks where it does. The last
    pause of ours is cut short: the last attempt is when ``seconds`` are over, not before. An
    outcome that took more than one attempt says how many.
    """
    started, attempts, pause = clock(), 1, FIRST_PAUSE
    outcome = ask()
    while True:
        limit = seconds
        if isinstance(outcome.error, RetryableError) and outcome.error.patience is not None:
            limit = min(seconds, outcome.error.patience)
        left = started + limit - clock()
        wait = _wait(outcome, min(pause * random.uniform(0.5, 1.0), left))
        # A recorded alert has its own clock: nothing is over sooner for waiting.
        if wait is None or (outcome.error is None and recorded) or left <= 0 or wait > left:
            break
        sleep(wait)
        outcome = ask()
        attempts, pause = attempts + 1, min(pause * 2, LONGEST_PAUSE)
    if attempts == 1:
        return outcome
    return dataclasses.replace(outcome, details={**outcome.details, "attempts": attempts})


def _wait(outcome: Outcome, pause: float) -> Optional[float]:
    """Seconds until it is worth another attempt; None where it never is."""
    error = outcome.error
    if not isinstance(error, RetryableError):
        return outcome.waits
    return pause if error.retry_after is None else error.retry_after
