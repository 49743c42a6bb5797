"""What becomes of an alert that was posted: stored and awaited, or answered right away."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Optional, Protocol, Tuple

from playbooks.core.outcome import Outcome
from playbooks.engines import retrying
from playbooks.engines.outcome_log import record
from playbooks.engines.worker import log
from playbooks.engines.worker.http.api import NotTaken, Taken
from playbooks.engines.worker.records.replies import Outcomes
from playbooks.engines.worker.work.work import Answer, Records, Work

# Seconds within which an alert that was posted is answered with its outcome.
ANSWER = 5.0

# Seconds for which an alert that cannot be stored is tried again.
PATIENCE = 20.0


class Store(Protocol):
    async def keep(self, body: bytes) -> Tuple[str, int]:
        """Store an alert for this function alone: the stream and the sequence. Raises when it is
        not stored."""


class Reception:
    """``store`` and ``outcomes`` None: there is no JetStream, and nothing is stored."""

    def __init__(
        self,
        playbook: str,
        work: Work,
        *,
        answer: Answer,
        dry: Answer,
        store: Optional[Store],
        outcomes: Outcomes,
        records: Records,
    ) -> None:
        self._playbook = playbook
        self._work = work
        self._answer = answer
        self._dry = dry
        self._store = store
        self._outcomes = outcomes
        self._records = records

    async def take(self, body: bytes) -> Taken:
        """The id of the stored alert, and its outcome if that is known soon. Raises NotTaken."""
        if self._store is not None:
            try:
                stream, sequence = await self._store.keep(body)
            except Exception as error:
                log.warn(f"an alert could not be stored and is answered right away: {error!r}")
            else:
                return f"{stream}:{sequence}", await self._outcomes.of(sequence, ANSWER)
        return "", await self._answer_now(body)

    async def try_out(self, body: bytes) -> Outcome:
        """A dry run. Never acts."""
        outcome = await self._work.answer_now(body, self._dry)
        details: Dict[str, Any] = {**outcome.details, "dry_run": True, "asked_by": "proxy"}
        record(self._playbook, body, dataclasses.replace(outcome, details=details))
        return outcome

    async def _answer_now(self, body: bytes) -> Outcome:
        patient: Any = _Answering(self._answer)
        outcome = await self._work.answer_now(
            body, lambda body: retrying.answer(patient, body, seconds=PATIENCE)
        )
        record(self._playbook, body, outcome)
        await self._records.write(body, outcome, event_id="", unique="")
        if outcome.error is not None and outcome.error.retryable:
            raise NotTaken(f"the alert could be neither done nor stored: {outcome.message}")
        return outcome


class _Answering:
    """What ``retrying`` needs of a Responder."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
