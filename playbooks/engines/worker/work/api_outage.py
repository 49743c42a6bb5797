"""Pauses the work while the API server is away, so that an outage costs no delivery."""

from __future__ import annotations

import asyncio
import time
from typing import Awaitable, Callable, Optional

from playbooks.engines.worker import log

# Seconds between two questions to an API server that is away, and for which one answer holds.
INTERVAL = 1.0
FRESH = 0.5


class ApiOutage:
    """An outage begins when an alert finds the API server away and the server says so itself.

    ``healthy`` asks it. ``changed(away)`` is called when an outage begins or ends.
    """

    def __init__(
        self,
        healthy: Callable[[], Awaitable[bool]],
        changed: Callable[[bool], None],
        interval: float = INTERVAL,
    ) -> None:
        self._healthy = healthy
        self._changed = changed
        self._interval = interval
        self._there = asyncio.Event()
        self._there.set()
        self._asked = float("-inf")
        self._asking = asyncio.Lock()
        self._polling: Optional[asyncio.Task[None]] = None

    @property
    def ongoing(self) -> bool:
        return not self._there.is_set()

    async def ended(self) -> None:
        """Returns once the API server is there, as far as is known."""
        await self._there.wait()

    async def found(self) -> bool:
        """Whether the API server is away, asked anew; if so an outage begins."""
        async with self._asking:
            if not self.ongoing and time.monotonic() - self._asked > FRESH:
                there = await self._answers()
                self._asked = time.monotonic()
                if not there:
                    self._begin()
        return self.ongoing

    def _begin(self) -> None:
        self._there.clear()
        self._changed(True)
        self._polling = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        while not await self._answers():
            await asyncio.sleep(self._interval)
        # What fails right after asks anew.
        self._asked = float("-inf")
        self._there.set()
        self._changed(False)

    async def _answers(self) -> bool:
        try:
            return await self._healthy()
        except Exception as error:
            log.warn(f"the API server could not be asked whether it is there: {error!r}")
            return False

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
