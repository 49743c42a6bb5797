"""Ctrl-C and its likes, taken note of and answered between two steps, never inside one."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Dict, Optional, Type

from playbooks.deployment.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruptions:
    """While it is entered, signals are only noted; ``check`` raises Interrupted for them."""

    def __init__(self) -> None:
        self._received: Optional[signal.Signals] = None
        self._handlers: Dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruptions:
        for number in SIGNALS:
            # What is ignored, as SIGHUP under nohup, stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def check(self) -> None:
        if self._received is not None:
            raise Interrupted(self._received.value, self._received.name)

    def _note(self, number: int, _: Optional[FrameType]) -> None:
        self._received = signal.Signals(number)
