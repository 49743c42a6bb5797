"""Whether alerts are taken in, as ``/readyz`` and the metric say, and if not why."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

from playbooks.engines import log


class Readiness:
    """``refused``: triggers that are not served, for the answer while nothing is taken in.
    ``outage`` says what any alert would fail for, or nothing."""

    def __init__(self, refused: Callable[[], Sequence[str]], outage: Callable[[], str]) -> None:
        self._refused = refused
        self._outage = outage
        self._hindrance = "it is starting"
        self._connection: Any = None
        self._intake: Callable[[], str] = lambda: ""
        self._ending = False

    def hinder(self, why: str) -> None:
        """Something keeps alerts from being taken in; logged once."""
        if why != self._hindrance:
            log.error(f"no alerts are taken in: {why}")
        self._hindrance = why

    def begin(self, connection: Any, intake: Callable[[], str]) -> None:
        """Alerts are taken in as long as this connection to NATS stands. ``intake`` says what is
        missing beside it, or nothing."""
        self._hindrance, self._connection, self._intake = "", connection, intake

    def end(self) -> None:
        self._ending = True

    def missing(self) -> Optional[str]:
        """What keeps alerts from being taken in, or None."""
        if self._ending:
            return "it is ending"
        if self._hindrance:
            return "; ".join((self._hindrance, *self._refused()))
        if not self._connection.is_connected:
            return "the connection to NATS is lost"
        return self._outage() or self._intake() or None
