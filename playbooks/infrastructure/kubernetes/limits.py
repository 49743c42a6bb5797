"""What a process asks of the API server at most, all its clients together."""

from __future__ import annotations

import threading
import time
from typing import Callable

# Seconds whose calls may come at once.
AT_ONCE = 1.0


class ApiLimits:
    """No limit until ``set``: an engine that starts a process per alert needs none."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._interval = 0.0
        self._next = 0.0
        #: Connections that a client keeps open at least.
        self.connections = 0

    def set(self, *, per_second: float, connections: int) -> None:
        """``per_second`` calls on average, and those of one second at once. Before any call."""
        self._interval = 1 / per_second
        self.connections = connections

    def wait(self) -> None:
        """Until one more call is all right."""
        if not self._interval:
            return
        with self._lock:
            now = self._clock()
            self._next = max(self._next, now - AT_ONCE) + self._interval
            pause = self._next - now
        if pause > 0:
            self._sleep(pause)

    def lull(self, seconds: float) -> None:
        """Until no call has to wait, or so long: for what matters less than the others."""
        until = self._clock() + seconds
        while self._interval:
            with self._lock:
                now = self._clock()
                pause = min(self._next, until) - now
            if pause <= 0:
                return
            self._sleep(pause)


LIMITS = ApiLimits()
