"""Ctrl-C (or SIGTERM): ends the run, but not in the middle of an alert."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Callable, Dict, Iterator, Optional, Type

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _to_standard_error(text: str) -> None:
    # Not print: the signal may have come in the middle of one.
    os.write(2, f"{text}\n".encode())


class Interruption:
    """While it is entered, the first signal during an alert only sets ``requested``.

    A second one gives the alert up. It, and a signal between two alerts, raise KeyboardInterrupt in
    the main thread. ``note`` is called by a signal handler.
    """

    def __init__(
        self, *, give_up: Callable[[], None], note: Callable[[str], None] = _to_standard_error
    ) -> None:
        self.requested = False
        self._give_up = give_up
        self._busy = False
        self._note = note
        self._before: Dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def busy(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _on_signal(self, _number: int, _frame: Optional[FrameType]) -> None:
        if not self._busy or self.requested:
            if self._busy:
                self._give_up()
            raise KeyboardInterrupt
        self.requested = True
        self._note("ending after this alert; once more to give it up")
