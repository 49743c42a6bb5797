"""Outcomes of alerts in the inbox, sent between replicas: the replica that took an alert in by HTTP
need not be the one that answers it."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from typing import Any, Dict, Optional

from playbooks.core.outcome import Outcome
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats.delivery import Delivery

# Outcomes that may come before somebody waits for them, and bytes of the longest: whoever may
# publish can write them.
REMEMBERED, LONGEST = 1000, 16 * 1024


class Replies:
    """Best effort, by core NATS: what gets lost makes a 202 of a 200."""

    def __init__(self, connection: Any, function: Function) -> None:
        self._connection = connection
        self._function = function
        self._early: OrderedDict[str, bytes] = OrderedDict()
        self._waiting: Dict[str, asyncio.Future[Outcome]] = {}

    async def start(self) -> None:
        await self._connection.subscribe(self._function.outcome("*"), cb=self._receive)

    async def send(self, delivery: Delivery, outcome: Outcome) -> None:
        if not delivery.topic and delivery.durable:
            body = json.dumps(outcome.to_dict()).encode()
            sequence = delivery.origin.sequence
            await self._connection.publish(self._function.outcome(sequence), body)

    async def of(self, sequence: int, seconds: float) -> Optional[Outcome]:
        """None when it is not known in time."""
        key = str(sequence)
        if key in self._early:
            return _outcome(self._early.pop(key))
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(future, seconds)
        except asyncio.TimeoutError:
            return None
        finally:
            self._waiting.pop(key, None)

    async def _receive(self, message: Any) -> None:
        key = message.subject.rpartition(".")[2]
        future = self._waiting.get(key)
        if future is not None:
            outcome = _outcome(message.data)
            if outcome is not None and not future.done():
                future.set_result(outcome)
        elif len(message.data) <= LONGEST:
            self._early[key] = message.data
            if len(self._early) > REMEMBERED:
                self._early.popitem(last=False)


def _outcome(message: bytes) -> Optional[Outcome]:
    """None for what is none."""
    try:
        return Outcome.of_dict(json.loads(message))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
