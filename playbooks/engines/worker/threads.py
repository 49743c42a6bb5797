"""Threads for calls that block, awaited in the event loop.

A pool of concurrent.futures makes a second future of every call, with a lock and a condition of its
own, and tells the loop in three steps; of the short calls of a storm that is a tenth of the
processor. ``loop.run_in_executor`` does for whatever comes seldom.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Callable, List, Optional, Tuple, TypeVar

T = TypeVar("T")

_Call = Tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Threads:
    """At most ``most`` calls at a time, each thread begun with a call. None keeps the process from
    ending."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._threads: List[threading.Thread] = []
        self._calls: SimpleQueue[Optional[_Call]] = SimpleQueue()
        self._stopped = False

    def call(self, what: Callable[[], T]) -> asyncio.Future[T]:
        """Called in the loop; its answer or its error are the future's. One that is cancelled
        before its turn is not called. Raises RuntimeError once it is stopped."""
        if self._stopped:
            raise RuntimeError("the worker ends")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if len(self._threads) < self._most:
            name = f"{self._name}_{len(self._threads)}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            # Where the system lets no more begin, it is no thread of these.
            thread.start()
            self._threads.append(thread)
        self._calls.put((loop, future, what))
        return future

    def stop(self) -> None:
        """What has not begun is cancelled."""
        self._stopped = True
        for _ in self._threads:
            self._calls.put(None)

    def _run(self) -> None:
        while True:
            asked = self._calls.get()
            if asked is None:
                return
            loop, future, what = asked
            answer, error = None, None
            if not (self._stopped or future.cancelled()):
                try:
                    answer = what()
                except BaseException as raised:
                    error = raised
            else:
                error = asyncio.CancelledError()
            # The loop may be closed by now.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, future, answer, error)
            # What is kept here would be kept until the next call.
            asked = future = what = answer = error = None  # type: ignore[assignment]


def _tell(future: asyncio.Future[Any], answer: Any, error: Optional[BaseException]) -> None:
    if future.done():
        return
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(answer)
