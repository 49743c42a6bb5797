"""Tells a recorder the final outcome of an alert, which it cannot change."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert, PlaybookError, RetryableError, Unexpected
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Recorder
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines import log

# Seconds between two tries, where nobody asks for another time.
PAUSE = 1.0


def put(
    recorder: Recorder,
    body: Any,
    outcome: Outcome,
    *,
    redaction: Redaction,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Optional[PlaybookError]:
    """Tried again for ``seconds`` where that is worth it; the last error, or None."""
    try:
        alert = redaction.alert(Alert.parse(body))
    except InvalidAlert:
        # It concerns no object, and its error is in the log.
        return None
    until = clock() + seconds
    while True:
        try:
            recorder.record(alert, outcome)
            return None
        except RetryableError as error:
            wait = PAUSE if error.retry_after is None else error.retry_after
            if clock() + wait > until:
                return error
        except PlaybookError as error:
            return error
        except Exception as error:
            return Unexpected(f"{type(error).__name__}: {error}")
        sleep(wait)


def name(recorder: Recorder) -> str:
    return type(recorder).__name__


def log_failure(playbook: str, where: str, error: Exception, **facts: Any) -> None:
    """One line, on standard error."""
    log.error(f"no record of an outcome by {where}: {error}", playbook=playbook, **facts)
