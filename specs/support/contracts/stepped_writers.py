"""Writers of one ledger that run by turns: which of them makes its next call of the store, and what
becomes of that call, is chosen from outside. So every interleaving can be had again."""

from __future__ import annotations

import threading
from enum import Enum
from typing import Any, Callable, List, Tuple

from playbooks.core.errors import ClusterUnavailable
from playbooks.core.ports import LedgerStore


class Fate(Enum):
    """What becomes of a call."""

    GOES_WELL = "goes well"
    FAILS = "fails, and nothing was done"
    ANSWER_LOST = "was done, and the answer is lost"
    CRASH_BEFORE = "the writer dies before it"
    CRASH_AFTER = "it was done, and the writer dies"


class Crash(BaseException):
    """No part of the writer sees more of it than of a kill -9."""


class Writer:
    """Runs ``work(writer)`` in a thread of its own, and only while it is given a step."""

    def __init__(self, work: Callable[[Writer], None]) -> None:
        # Locks that one side acquires and the other releases: both are held while nobody runs.
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._fate = Fate.GOES_WELL
        self.errors: List[BaseException] = []
        self.over = False
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def step(self, fate: Fate = Fate.GOES_WELL) -> None:
        """Returns at its next call, or at its end."""
        if not self.over:
            self._fate = fate
            self._go.release()
            self._back.acquire()

    def fate(self) -> Fate:
        """Called by what runs in it: waits for the next step, at which it may die."""
        self._back.release()
        self._go.acquire()
        if self._fate is Fate.CRASH_BEFORE:
            raise Crash
        return self._fate

    def meet(self, call: Callable[[], Any]) -> Any:
        """The call, as its fate has it."""
        fate = self.fate()
        if fate is Fate.FAILS:
            raise ClusterUnavailable("no answer")
        found = call()
        if fate is Fate.CRASH_AFTER:
            raise Crash
        if fate is Fate.ANSWER_LOST:
            raise ClusterUnavailable("the answer is lost")
        return found

    def _run(self, work: Callable[[Writer], None]) -> None:
        self._go.acquire()
        try:
            work(self)
        except Crash:
            pass
        except BaseException as error:
            self.errors.append(error)
        finally:
            self.over = True
            self._back.release()


class SteppedStore(LedgerStore):
    def __init__(self, store: LedgerStore, writer: Writer) -> None:
        self._store, self._writer = store, writer

    def read(self) -> Tuple[str, str]:
        return self._writer.meet(self._store.read)  # type: ignore[no-any-return]

    def write(self, text: str, *, version: str) -> str:
        return self._writer.meet(  # type: ignore[no-any-return]
            lambda: self._store.write(text, version=version)
        )
