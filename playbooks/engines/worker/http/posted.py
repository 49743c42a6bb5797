"""What becomes of an alert that was posted: stored and awaited, or answered right away."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, Optional

from playbooks.core.outcome import Outcome
from playbooks.core.tracing.traceparent import TraceParent
from playbooks.engines import log
from playbooks.engines.runtime import Event, Intent, Runtime
from playbooks.engines.worker.http.api import NotTaken, Taken
from playbooks.engines.worker.nats.durable import DurableIntake
from playbooks.engines.worker.nats.replies import Replies
from playbooks.engines.worker.work.answering import Answering
from playbooks.engines.worker.work.follow_ups import FollowUps
from playbooks.engines.worker.work.outcomes import OutcomeWriter

# Seconds within which an alert that was posted is answered with its outcome.
ANSWER = 5.0

# Seconds for which an alert that cannot be stored is tried again.
PATIENCE = 20.0


@dataclass(eq=False)
class PostedAlerts:
    """``store`` None: there is no JetStream, and nothing is stored. ``dry``: never acts."""

    answering: Answering
    runtime: Runtime
    dry: Runtime
    store: Optional[DurableIntake]
    replies: Replies
    writer: OutcomeWriter
    follow_ups: FollowUps

    async def take(self, body: bytes, trace: Optional[TraceParent] = None) -> Taken:
        """The id of the stored alert, and its outcome if that is known soon. Raises NotTaken."""
        if self.store is not None:
            try:
                stream, sequence = await self.store.keep(body, trace)
            except Exception as error:
                log.warn(f"an alert could not be stored and is answered right away: {error!r}")
            else:
                return f"{stream}:{sequence}", await self.replies.of(sequence, ANSWER)
        return "", await self._answer_now(body, trace)

    async def try_out(self, body: bytes) -> Outcome:
        """A dry run. Never acts."""
        outcome = await self.answering.answer_now(body, self.dry)
        details: Dict[str, Any] = {**outcome.details, "dry_run": True, "asked_by": "proxy"}
        self.dry.log(Event(body), dataclasses.replace(outcome, details=details))
        return outcome

    async def _answer_now(self, body: bytes, trace: Optional[TraceParent]) -> Outcome:
        outcome = await self.answering.answer_now(body, self.runtime, PATIENCE, trace)
        self.runtime.log(Event(body), outcome)
        await self.writer.write(body, outcome, event_id="", unique="")
        self.follow_ups.begin(body, outcome, event_id="", unique="")
        if Intent.of(outcome) is Intent.AGAIN:
            raise NotTaken(f"the alert could be neither done nor stored: {outcome.message}")
        return outcome
