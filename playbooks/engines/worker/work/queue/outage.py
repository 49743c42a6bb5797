"""Pauses the work while any alert would fail for the same cause, so that this costs no delivery."""

from __future__ import annotations

import asyncio
import time
from typing import Awaitable, Callable, Optional

from playbooks.core.errors import ClusterUnavailable

# Seconds between two questions while an outage lasts.
INTERVAL = 1.0


class Outage:
    """``missing`` says what any alert would fail for, such as an API server that is away, or
    nothing. ``changed(why, before)`` is called when an outage begins, has another cause, or ends
    (empty).
    """

    def __init__(
        self,
        missing: Callable[[], Awaitable[str]],
        changed: Callable[[str, str], None],
        interval: float = INTERVAL,
    ) -> None:
        self._missing = missing
        self._changed = changed
        self._interval = interval
        self._over = asyncio.Event()
        self._over.set()
        self._asked = float("-inf")
        self._asking = asyncio.Lock()
        self._polling: Optional[asyncio.Task[None]] = None
        self.why = ""

    @property
    def ongoing(self) -> bool:
        return not self._over.is_set()

    @property
    def unready(self) -> str:
        """What a person has to do something about. Not while the API server is away: alerts that
        are posted are stored meanwhile."""
        return "" if self.why == ClusterUnavailable.AWAY else self.why

    async def ended(self) -> None:
        """Returns once there is none, as far as is known."""
        await self._over.wait()

    async def found(self) -> bool:
        """Whether there is one, asked anew; if so it begins."""
        came = time.monotonic()
        async with self._asking:
            # An answer to a question from before is about another moment.
            if not self.ongoing and self._asked < came:
                self._asked = time.monotonic()
                why = await self._ask()
                if why:
                    self._over.clear()
                    self._set(why)
                    self._polling = asyncio.get_running_loop().create_task(self._poll())
        return self.ongoing

    async def _poll(self) -> None:
        while True:
            why = await self._ask()
            if not why:
                break
            self._set(why)
            await asyncio.sleep(self._interval)
        self._over.set()
        self._set("")

    def _set(self, why: str) -> None:
        if why != self.why:
            before, self.why = self.why, why
            self._changed(why, before)

    async def _ask(self) -> str:
        try:
            return await self._missing()
        except Exception as error:
            return f"it is unknown whether alerts can be answered: {error!r}"

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
