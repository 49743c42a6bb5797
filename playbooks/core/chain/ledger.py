"""The ledger of a chain, as one of its steps has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

from playbooks.core.action import Answer
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import Request
from playbooks.core.ledger.contained import Contained
from playbooks.core.ledger.limits import Limits
from playbooks.core.ports import Ledger, Standing


class LedgerOfStep(Ledger):
    """Pause, what is contained and what is told are the chain's; the step is counted by itself."""

    def __init__(self, ledger: Ledger, step: str) -> None:
        self._ledger = ledger
        self._step = step

    def ask(self, request: Request, limits: Limits, now: Instant) -> Answer:
        return self._ledger.ask(replace(request, step=self._step), limits, now)

    def look(self, request: Request, limits: Limits, now: Instant) -> Answer:
        return self._ledger.look(replace(request, step=self._step), limits, now)

    def check(self) -> None:
        self._ledger.check()

    def paused(self) -> str:
        return self._ledger.paused()

    def standing(self) -> Standing:
        return self._ledger.standing()

    def contained(self) -> Mapping[str, Contained]:
        return self._ledger.contained()

    def contain(self, contained: Contained) -> None:
        self._ledger.contain(contained)

    def release(self, uid: str, keys: Sequence[str]) -> None:
        self._ledger.release(uid, keys)

    def tell(self, what: str, now: Instant) -> bool:
        return self._ledger.tell(what, now)

    def untell(self, what: str) -> None:
        self._ledger.untell(what)
