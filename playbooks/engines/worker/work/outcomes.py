"""Writes final outcomes: to the stream before the alert is acknowledged, and to the playbook's
recorders after it, so that a slow recorder delays no alert."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Set, Union

from playbooks.core.alert import SHORT, Alert
from playbooks.core.notifications import kinds
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Recorder
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines import log, recorders
from playbooks.engines.outcome_log import line
from playbooks.engines.worker.function import OUTCOMES, Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import ROOM, owned, size_of
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.threads import Threads

# Seconds for which a recorder is tried again.
PATIENCE = 60.0

# Seconds for which a record waits until no alert is being answered, and between two looks: it takes
# of the same processor, and of the same API server.
YIELDS, LOOK = 30.0, 0.05

# Outcomes that may wait for one recorder, and bytes of the long alerts among these: no record of a
# short one is lost for them.
MOST, MOST_BYTES = 10_000, 16 * 1024 * 1024

# Seconds for which none is stored once one could not be: alerts do not wait for each of them.
REST = 30.0

# Characters of each part of one that would be too long for the stream.
LONGEST = 1000

STREAM = "Stream"

# What came, read where it is an alert.
Body = Union[Alert, bytes]


class NotStored(Exception):
    """It was not even tried, because the one before it failed."""


@dataclass(eq=False)
class OutcomeStream:
    """One message an alert: its JSON line. ``Falco-Function`` and the others say whose it is.

    ``most``: bytes of the server's largest message."""

    jetstream: JetStream
    function: Function
    most: int
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._there = False
        self._until = float("-inf")
        self._preparing = asyncio.Lock()

    async def prepare(self) -> None:
        """Make sure of the stream. Raises whatever is in the way."""
        async with self._preparing:
            if not self._there:
                await self._tried(self.jetstream.stream(OUTCOMES))
                self._there = True

    async def write(self, document: Mapping[str, Any], *, unique: str) -> None:
        """``unique``: names the alert, so that it has one record, also when it comes again. Raises
        NotStored, or what went wrong."""
        if not self._there:
            await self.prepare()
        headers = owned(self.function, str(document.get("playbook", "")))
        if unique:
            headers["Nats-Msg-Id"] = f"{self.function.uid}-{unique}"
        body = json.dumps(document).encode()
        if len(body) + size_of(headers) + ROOM > self.most:
            body = json.dumps(_cut(document, len(body))).encode()
        await self._tried(self.jetstream.store(self.function.outcomes, body, headers))

    async def _tried(self, call: Any) -> None:
        if self.clock() < self._until:
            call.close()
            raise NotStored("the last one could not be stored")
        try:
            await call
        except Exception:
            self._there, self._until = False, self.clock() + REST
            raise


def _cut(document: Mapping[str, Any], size: int) -> Dict[str, Any]:
    """Without the details that are long, and the words for how it was found out: whoever makes
    policies, say, decides how many of them an outcome names."""
    message = document.get("message", "")
    details = document.get("details", {}).items()
    kept = {key: value for key, value in details if len(json.dumps(value)) <= LONGEST}
    said = f"{message[:LONGEST]}\u2026" if len(message) > LONGEST else message
    return {**document, "message": said, "why": [], "details": {**kept, "cut": size}}


@dataclass(eq=False)
class OutcomeWriter:
    """A thread for each recorder, which takes one outcome after the other. What cannot be recorded
    is a line of the log and a count, and changes nothing.

    ``busy``: whether alerts are being answered, which go first.
    """

    playbook: str
    recording: Sequence[Recorder]
    redaction: Redaction
    metrics: Metrics
    most: int = MOST
    busy: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self._stream: Optional[OutcomeStream] = None
        self._threads = {recorder: Threads(1, "record") for recorder in self.recording}
        self._waiting: Dict[Recorder, int] = dict.fromkeys(self.recording, 0)
        self._bytes: Dict[Recorder, int] = dict.fromkeys(self.recording, 0)
        self._pending: Set[asyncio.Future[Optional[Exception]]] = set()

    async def write_to(self, stream: OutcomeStream) -> None:
        """From now on also to this stream, once it can be had."""
        self._stream = stream
        try:
            await stream.prepare()
        except Exception as error:
            log.warn(f"outcomes are not kept in a stream for now: {error}")

    async def write(self, body: Body, outcome: Outcome, *, event_id: str, unique: str) -> None:
        """Returns when the stream has it; the recorders follow. Never raises."""
        if self._stream is not None:
            made = line(self.playbook, body, outcome, event_id=event_id, redaction=self.redaction)
            try:
                await self._stream.write(made, unique=unique)
            except NotStored:
                self.metrics.unrecorded(STREAM).inc()
            except Exception as error:
                self._failed(STREAM, error)
        told = bool(kinds.kind(outcome))
        hearing = [recorder for recorder in self._threads if told or recorder.EVERY]
        size = _long(body) if hearing else 0
        for recorder in hearing:
            self._hand_over(recorder, body, outcome, size)

    async def stop(self, seconds: float) -> None:
        """Wait so long for what was handed over."""
        if self._pending:
            _, late = await asyncio.wait(self._pending, timeout=seconds)
            if late:
                log.warn(f"{len(late)} records of outcomes were not written: the worker ends")
        for threads in self._threads.values():
            threads.stop()

    def _hand_over(self, recorder: Recorder, body: Body, outcome: Outcome, size: int) -> None:
        where = recorders.name(recorder)
        if self._waiting[recorder] >= self.most:
            self._failed(where, RuntimeError(f"{self.most} are waiting for it"))
            return
        if self._bytes[recorder] + size > MOST_BYTES:
            self._failed(where, RuntimeError(f"{MOST_BYTES} bytes of long ones are waiting for it"))
            return
        put = partial(self._put, recorder, body, outcome, time.monotonic())
        try:
            future = self._threads[recorder].call(put)
        except RuntimeError as error:
            self._failed(where, error)
            return
        self._waiting[recorder] += 1
        self._bytes[recorder] += size
        self._pending.add(future)

        def over(done: asyncio.Future[Optional[Exception]]) -> None:
            self._waiting[recorder] -= 1
            self._bytes[recorder] -= size
            self._pending.discard(done)
            error = None if done.cancelled() else done.result()
            if error is not None:
                self._failed(where, error)

        future.add_done_callback(over)

    def _put(
        self, recorder: Recorder, body: Body, outcome: Outcome, since: float
    ) -> Optional[Exception]:
        give_way(self.busy, since)
        return recorders.put(recorder, body, outcome, redaction=self.redaction, seconds=PATIENCE)

    def _failed(self, where: str, error: Exception) -> None:
        self.metrics.unrecorded(where).inc()
        recorders.log_failure(self.playbook, where, error, reason=getattr(error, "reason", ""))


def _long(body: Body) -> int:
    """How long it is in memory; 0 of a short one."""
    size = len(body if isinstance(body, bytes) else repr(body))
    return size if size > SHORT else 0


def give_way(busy: Callable[[], bool], since: float) -> None:
    """Wait, in a thread, for alerts that are being answered: until ``YIELDS`` seconds are over from
    ``since`` on, where there is no end of them. What was to be done then is late by that, and does
    not hold up what comes after it."""
    while busy() and time.monotonic() - since < YIELDS:
        time.sleep(LOOK)
