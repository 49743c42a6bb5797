"""The life of a worker: it connects, follows its triggers, takes alerts in, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Coroutine, List, Mapping, Optional, Sequence, Tuple

from playbooks.core import VERSION
from playbooks.core.ports import WatchingCluster
from playbooks.core.settings import Settings
from playbooks.core.tracing.spans import NoSpans, Spans
from playbooks.engines import log
from playbooks.engines.http.server import HttpServer
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.nats.intake import Intake
from playbooks.engines.worker.wanted import Feed, Wanted
from playbooks.engines.worker.work.claims import Claims
from playbooks.engines.worker.work.outcomes import OutcomeWriter
from playbooks.engines.worker.work.queue.outage import Outage
from playbooks.engines.worker.work.work import Work

# Seconds that the API server, and then NATS, have to answer once the worker ends.
ASKED = 2.0

# Seconds in which the last spans are sent.
SENDING = 2.0

# Python's collector of cycles looks through all that is there: with thousands of alerts that wait
# it took a fifth of the processor. New objects between two of its turns, and turns of the young
# between those of the older.
COLLECTED_AFTER = (20_000, 20, 100)


class Ended(Exception):
    """The worker cannot go on, and whoever started it should start it again."""


class Readiness:
    """Whether alerts are taken in, as ``/readyz`` and the metric say, and if not why.

    ``refused``: triggers that are not served, for the answer while nothing is taken in.
    ``outage`` says what any alert would fail for, or nothing.
    """

    def __init__(self, refused: Callable[[], Sequence[str]], outage: Callable[[], str]) -> None:
        self._refused = refused
        self._outage = outage
        self._hindrance = "it is starting"
        self._connection: Any = None
        self._intake: Callable[[], str] = lambda: ""
        self._ending = False

    def hinder(self, why: str) -> None:
        """Something keeps alerts from being taken in; logged once."""
        if why != self._hindrance:
            log.error(f"no alerts are taken in: {why}")
        self._hindrance = why

    def begin(self, connection: Any, intake: Callable[[], str]) -> None:
        """Alerts are taken in as long as this connection to NATS stands. ``intake`` says what is
        missing beside it, or nothing."""
        self._hindrance, self._connection, self._intake = "", connection, intake

    def end(self) -> None:
        self._ending = True

    def missing(self) -> Optional[str]:
        """What keeps alerts from being taken in, or None."""
        if self._ending:
            return "it is ending"
        if self._hindrance:
            return "; ".join((self._hindrance, *self._refused()))
        if not self._connection.is_connected:
            return "the connection to NATS is lost"
        return self._outage() or self._intake() or None


@dataclass
class Serving:
    """What there is once NATS is connected and the Function known. ``beside``: what runs beside it,
    for ever."""

    work: Work
    intake: Intake
    claims: Claims
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]]


@dataclass
class Worker:
    """Wired by ``bootstrap``. ``aside``: the ports of probes and metrics. ``serve`` makes what
    answers alerts, ``beside`` runs from the beginning, also while NATS is away. ``begins``: facts
    of the first line of the log."""

    name: str
    settings: Settings
    server: HttpServer
    aside: Tuple[HttpServer, ...]
    readiness: Readiness
    feed: Feed
    wanted: Wanted
    outage: Outage
    writer: OutcomeWriter
    serve: Callable[[Any, Function], Awaitable[Serving]]
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    watch: Optional[WatchingCluster] = None
    begins: Mapping[str, Any] = field(default_factory=dict)
    serving: Optional[Serving] = None
    spans: Spans = field(default_factory=NoSpans)

    def __post_init__(self) -> None:
        self._stop = asyncio.Event()
        self._renewed = self._closed = False
        self._connection: Any = None

    async def run(self) -> None:
        """Until SIGTERM. Raises Ended."""
        gc.freeze()
        gc.set_threshold(*COLLECTED_AFTER)
        loop = asyncio.get_running_loop()
        ending = (signal.SIGTERM, signal.SIGINT)
        for number in ending:
            loop.add_signal_handler(number, self._stop.set)
        # What came while the modules were imported comes now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)
        for each in self.aside:
            await each.start()
        log.info(f"falco-playbooks {VERSION} begins with {self.name}", **self.begins)
        await self.server.start()
        log.info(f"HTTP on port {self.server.port}", http=self.settings["HTTP"])
        self.feed.start()
        if self.watch is not None:
            self.watch.start()
        working = loop.create_task(self._go_on())
        tasks: List[asyncio.Task[Any]] = [loop.create_task(self._stop.wait())]
        tasks += [loop.create_task(each()) for each in self.beside]
        await asyncio.wait({working, tasks[0]}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        self.readiness.end()
        failed = working.exception() if working.done() else None
        self.feed.stop()
        if self.watch is not None:
            self.watch.stop()
        await self._end(working)
        if failed is not None:
            raise Ended(str(failed) or repr(failed)) from failed

    async def _go_on(self) -> None:
        self._connection = await nats_connection.connect(
            self.settings, name=self.name, back=self._back, closed=self._gone
        )
        shown = nats_connection.shown(self.settings)
        log.info(f"connected to NATS ({shown})", **self._connection.let_in())
        self.serving = await self.serve(self._connection, await self.wanted.function())
        self.readiness.begin(self._connection, self.serving.intake.missing)
        self.serving.intake.pause(self.outage.ongoing)
        self.wanted.changed.set()
        running = (self.serving.claims.keep, *self.serving.beside)
        tasks = [asyncio.get_running_loop().create_task(each()) for each in running]
        try:
            await self._follow(self.serving)
        finally:
            for task in tasks:
                task.cancel()

    async def _follow(self, serving: Serving) -> None:
        """Once a second, or as soon as something changes."""
        intake = serving.intake
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.wanted.changed.wait(), 1.0)
            if self._closed:
                raise Ended("nats-py has closed the connection for good")
            changed = self.wanted.changed.is_set()
            self.wanted.changed.clear()
            try:
                if self._renewed:
                    self._renewed = False
                    await intake.renew()
                if changed:
                    await intake.apply(self.wanted.subscriptions)
                await intake.tick()
                serving.work.tick()
            except Exception as error:
                log.warn(f"subscriptions cannot be updated, trying again: {error!r}")
                await asyncio.sleep(1.0)
                self.wanted.changed.set()

    async def _end(self, working: asyncio.Task[None]) -> None:
        """Take nothing new, finish what is under way, hand back the rest."""
        seconds = self.settings["SHUTDOWN_SECONDS"]
        until = time.monotonic() + seconds
        log.info(f"ending: what is under way has {seconds} s")
        await _cancelled(working)
        if self.serving is not None:
            await self.serving.intake.stop()
            keeping = asyncio.get_running_loop().create_task(self.serving.claims.keep())
            await self.serving.work.stop(seconds)
            keeping.cancel()
            await self._retire(self.serving.intake)
        await self.server.stop(max(0.5, until - time.monotonic()))
        for each in self.aside:
            await each.stop(0.5)
        await self.writer.stop(max(1.0, until - time.monotonic()))
        await asyncio.get_running_loop().run_in_executor(None, self.spans.end, SENDING)
        await self.outage.close()
        if self._connection is not None and self._connection.is_connected:
            try:
                await asyncio.wait_for(self._connection.flush(), 2)
                await asyncio.wait_for(self._connection.close(), 2)
            except Exception as error:
                log.warn(f"NATS did not receive the last acknowledgements: {error!r}")
        log.info("ended")

    async def _retire(self, intake: Intake) -> None:
        """Where the function is removed, nobody reads again what NATS keeps for it."""
        loop = asyncio.get_running_loop()
        try:
            # In a thread of its own: nobody waits for one that never answers.
            asked = loop.run_in_executor(ThreadPoolExecutor(1), self.feed.is_removed)
            if await asyncio.wait_for(asked, ASKED):
                await asyncio.wait_for(intake.retire(), ASKED)
        except asyncio.TimeoutError:
            log.warn("consumers may be left to their inactive threshold: no answer in time")

    async def _back(self) -> None:
        """NATS is there again."""
        self._renewed = True
        self.wanted.changed.set()

    async def _gone(self) -> None:
        """nats-py closed the connection for good."""
        self._closed = True
        self.wanted.changed.set()


async def _cancelled(task: asyncio.Task[None], every: float = 1.0) -> None:
    """Returns once it has ended. Before Python 3.12 asyncio.wait_for loses a cancellation that
    comes together with what it waits for. Source: https://github.com/python/cpython/issues/86296"""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=every)
    if not task.cancelled():
        # Else it would be logged as one that nobody asked for.
        task.exception()
