"""The stream of outcomes: one message for every alert that was answered."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Callable, Dict, Mapping

from playbooks.engines.worker.function import OUTCOMES, Function
from playbooks.engines.worker.nats.headers import plain
from playbooks.engines.worker.nats.jetstream import JetStream

# Seconds for which none is stored once one could not be: alerts do not wait for each of them.
REST = 30.0


class NotStored(Exception):
    """It was not even tried, because the one before it failed."""


class OutcomeStream:
    """One message an alert: its JSON line. ``Falco-Function`` and the others say whose it is."""

    def __init__(
        self,
        jetstream: JetStream,
        function: Function,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jetstream = jetstream
        self._function = function
        self._clock = clock
        self._there = False
        self._until = float("-inf")
        self._preparing = asyncio.Lock()

    async def prepare(self) -> None:
        """Make sure of the stream. Raises whatever is in the way."""
        async with self._preparing:
            if not self._there:
                await self._tried(self._jetstream.stream(OUTCOMES))
                self._there = True

    async def write(self, document: Mapping[str, Any], *, unique: str) -> None:
        """``unique``: names the alert, so that it has one record, also when it comes again. Raises
        NotStored, or what went wrong."""
        if not self._there:
            await self.prepare()
        headers = headers_of(self._function, str(document.get("playbook", "")))
        if unique:
            headers["Nats-Msg-Id"] = f"{self._function.uid}-{unique}"
        body = json.dumps(document).encode()
        await self._tried(self._jetstream.store(self._function.outcomes, body, headers))

    async def _tried(self, call: Any) -> None:
        if self._clock() < self._until:
            call.close()
            raise NotStored("the last one could not be stored")
        try:
            await call
        except Exception:
            self._there, self._until = False, self._clock() + REST
            raise


def headers_of(function: Function, playbook: str) -> Dict[str, str]:
    return {
        "Falco-Function": f"{function.namespace}/{function.name}",
        "Falco-Function-Uid": function.uid,
        "Falco-Playbook": plain(playbook),
    }
