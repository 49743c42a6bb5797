"""Answers that may be a moment old."""

from __future__ import annotations

import threading
import time
from typing import Callable, Dict, Hashable, Tuple, TypeVar

T = TypeVar("T")

# Answers kept at most; then all of them are forgotten.
MOST = 5000


class Recent:
    """Keeps what was read for some seconds. Threads may share it. Errors are not kept."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Dict[Hashable, Tuple[float, object]] = {}

    def get(self, key: Hashable, seconds: float, read: Callable[[], T]) -> T:
        with self._lock:
            at, value = self._kept.get(key, (float("-inf"), None))
        if self._clock() - at < seconds:
            return value  # type: ignore[return-value]
        found = read()
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = (self._clock(), found)
        return found
