"""Which outcomes people are told of, and how often."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from contextlib import suppress
from typing import Generic, Optional, TypeVar

from playbooks.core.alert import Alert
from playbooks.core.errors import PlaybookError
from playbooks.core.notifications import kinds
from playbooks.core.notifications.facts import MessageOptions
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, Ledger, Recorder

# What a message repeats only after an hour: a target that is left running.
_ONCE = (kinds.HELD, kinds.FAILED)


S = TypeVar("S")


class MessageRecorder(Recorder, Generic[S]):
    """One message for each outcome that people should hear of; for a target that is left running,
    one an hour for each reason: by the ledger, because every alert may have a process of its own.
    Where the ledger does not answer, the message is sent all the same.

    ``service``: that takes the messages. ``WHERE``: who is told beside others, each being told
    once.
    """

    WHERE = ""

    def __init__(
        self,
        service: S,
        playbook: str,
        ledger: Ledger,
        clock: Clock,
        options: Optional[MessageOptions] = None,
    ) -> None:
        self._service = service
        self._playbook = playbook
        self._ledger = ledger
        self._clock = clock
        self._options = options or MessageOptions()

    @abstractmethod
    def tell(self, alert: Alert, outcome: Outcome) -> None:
        """Send the message. Raises a PlaybookError."""

    def record(self, alert: Alert, outcome: Outcome) -> None:
        kind = kinds.kind(outcome)
        once = kind in _ONCE and bool(outcome.target)
        what = self._mark(outcome) if once else ""
        if not kinds.told(outcome) or (once and not self._first(what)):
            return
        try:
            self.tell(alert, outcome)
        except Exception:
            # It may be tried again.
            if once:
                with suppress(PlaybookError):
                    self._ledger.untell(what)
            raise

    def _first(self, what: str) -> bool:
        try:
            return self._ledger.tell(what, self._clock.now())
        except PlaybookError:
            return True

    def _mark(self, outcome: Outcome) -> str:
        """Short, and of any length of a name."""
        known_by = (outcome.target, str(outcome.details.get("uid", "")), outcome.reason)
        said = "\0".join((*known_by, self.WHERE) if self.WHERE else known_by)
        return hashlib.sha256(said.encode()).hexdigest()[:16]
