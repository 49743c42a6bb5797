"""The worker: follows its triggers, takes alerts in, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from typing import Any, Callable, Mapping, Optional, Sequence

from playbooks.core.containment.expiry import Expiry, expiry
from playbooks.core.errors import PlaybookError
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Settings, read
from playbooks.engines.outcome_log import record
from playbooks.engines.worker import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.http.api import Door
from playbooks.engines.worker.http.posted import Reception
from playbooks.engines.worker.http.server import Server
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats import connection
from playbooks.engines.worker.nats.choose import intake_of
from playbooks.engines.worker.nats.durable import DurableIntake
from playbooks.engines.worker.nats.intake import Intake
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.records.replies import Outcomes
from playbooks.engines.worker.records.stream import KeptOutcomes
from playbooks.engines.worker.records.writer import Scribe
from playbooks.engines.worker.settings import HTTP_TOKEN, worker_settings
from playbooks.engines.worker.topics.feed import Feed, KubelessObjects
from playbooks.engines.worker.topics.topics import Subscription
from playbooks.engines.worker.topics.wanted import Wishes
from playbooks.engines.worker.work.api_outage import Gate
from playbooks.engines.worker.work.dead_letters import KeptDeadLetters
from playbooks.engines.worker.work.work import Answer, Work

# Seconds between two looks, and until the first one, at most: not all replicas at once.
EVERY, FIRST = 30.0, 5.0


class Ended(Exception):
    """The worker cannot go on, and whoever started it should start it again."""


class Worker:
    """``environ`` holds the settings of the playbook and those of the worker.

    Made inside a running loop. Raises InvalidSetting before anything is connected.
    """

    def __init__(
        self, playbook: Playbook, objects: KubelessObjects, environ: Mapping[str, str]
    ) -> None:
        self._settings: Settings = worker_settings(environ)
        connection.options(self._settings)
        self._environ = environ
        self._playbook = playbook
        self._objects = objects
        responder = playbook.responder(environ)
        self._answer: Answer = responder.answer
        self._expiry = expiry(playbook, environ)
        self._dry: Answer = playbook.responder({**environ, "DRY_RUN": "true"}).answer
        self._metrics = Metrics(playbook.name)
        self._scribe = Scribe(
            playbook.name, responder.recorders, responder.redaction, self._metrics
        )
        self._gate = Gate(self._api_answers, self._pause)
        self._changed, self._stop = asyncio.Event(), asyncio.Event()
        self._renewed = self._closed = False
        self._connection: Any = None
        self._intake: Optional[Intake] = None
        self._work: Optional[Work] = None
        self._hindrance = "it is starting"
        here = {
            "namespace": self._settings["FUNCTION_NAMESPACE"],
            "function": self._settings["FUNCTION_NAME"],
        }
        self._wishes = Wishes(**here, changed=self._changed.set)
        self._metrics.readiness(self._not_ready)
        open_door = self._settings["HTTP"] == "on"
        self._door = Door(
            token=self._token if open_door else None,
            ready=self._not_ready,
            page=self._metrics.page,
            **here,
        )
        self.server = Server(
            self._settings["HTTP_HOST"], self._settings["HTTP_PORT"], self._door.answer
        )

    async def run(self) -> None:
        """Until SIGTERM. Raises Ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        await self.server.start()
        log.info(f"HTTP on port {self.server.port}", http=self._settings["HTTP"])
        feed = Feed(self._objects, lambda *said: _threadsafe(loop, self._wishes.told, *said))
        feed.start()
        working = loop.create_task(self._go_on())
        stopped = loop.create_task(self._stop.wait())
        sweeping = self._sweeping()
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if sweeping is not None:
            sweeping.cancel()
        failed = working.exception() if working.done() else None
        feed.stop()
        await self._end(working)
        if failed is not None:
            raise Ended(str(failed) or repr(failed)) from failed

    async def _go_on(self) -> None:
        self._connection = await connection.connect(
            self._settings,
            name=f"playbook {self._playbook.name}",
            back=self._back,
            closed=self._gone,
        )
        log.info(f"connected to NATS ({connection.shown(self._settings)})")
        await self._begin(await self._wishes.function())
        assert self._work is not None
        keeping = asyncio.get_running_loop().create_task(self._work.keep_claims())
        try:
            await self._follow()
        finally:
            keeping.cancel()

    async def _begin(self, function: Function) -> None:
        """Streams, or without them a plain subscription."""
        chosen = self._settings
        jetstream = JetStream(
            self._connection,
            max_age_hours=chosen["STREAM_MAX_AGE_HOURS"],
            max_megabytes=chosen["STREAM_MAX_MEGABYTES"],
            replicas=int(chosen["STREAM_REPLICAS"]),
        )
        if connection.has_jetstream(self._connection):
            await self._scribe.keep_in(KeptOutcomes(jetstream, function))
        outcomes = Outcomes(self._connection, function)
        await outcomes.start()
        self._work = Work(
            self._playbook.name,
            self._answer,
            gate=self._gate,
            letters=KeptDeadLetters(
                jetstream, function, self._playbook.name, self._connection.max_payload
            ),
            announcer=outcomes,
            records=self._scribe,
            subscriptions=self._subscriptions,
            metrics=self._metrics,
            concurrency=chosen["CONCURRENCY"],
            most=chosen["MAX_DELIVERIES"],
        )
        self._intake = await intake_of(
            jetstream,
            self._connection,
            function,
            window=2 * chosen["CONCURRENCY"],
            take=self._work.take,
            metrics=self._metrics,
            hinder=self._hinder,
        )
        self._door.open(
            Reception(
                self._playbook.name,
                self._work,
                answer=self._answer,
                dry=self._dry,
                store=self._intake if isinstance(self._intake, DurableIntake) else None,
                outcomes=outcomes,
                records=self._scribe,
            )
        )
        # From now on it is known whether the API server tells that it is ready.
        await self._api_answers()
        self._hindrance = ""
        self._intake.pause(not self._gate.is_open)
        self._changed.set()

    def _hinder(self, why: str) -> None:
        if why != self._hindrance:
            log.complain(f"no alerts are taken in: {why}")
        self._hindrance = why

    async def _follow(self) -> None:
        """Once a second, or as soon as something changes."""
        assert self._intake is not None
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 1.0)
            if self._closed:
                raise Ended("nats-py gave the connection up")
            changed = self._changed.is_set()
            self._changed.clear()
            try:
                if self._renewed:
                    self._renewed = False
                    await self._intake.renew()
                if changed:
                    await self._intake.apply(self._wishes.subscriptions)
                await self._intake.tick()
            except Exception as error:
                log.warn(f"subscriptions cannot be looked after, trying again: {error!r}")
                await asyncio.sleep(1.0)
                self._changed.set()

    async def _end(self, working: asyncio.Task[None]) -> None:
        """Take nothing new, finish what is under way, hand back the rest."""
        seconds = self._settings["SHUTDOWN_SECONDS"]
        until = time.monotonic() + seconds
        log.info(f"ending: what is under way has {seconds} s")
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        if self._intake is not None:
            await self._intake.stop()
        if self._work is not None:
            keeping = asyncio.get_running_loop().create_task(self._work.keep_claims())
            await self._work.stop(seconds)
            keeping.cancel()
        await self.server.stop(max(0.5, until - time.monotonic()))
        await self._scribe.stop(max(1.0, until - time.monotonic()))
        await self._gate.close()
        if self._connection is not None and self._connection.is_connected:
            try:
                await asyncio.wait_for(self._connection.flush(), 2)
                await asyncio.wait_for(self._connection.close(), 2)
            except Exception as error:
                log.warn(f"NATS was not told of the end: {error!r}")
        log.info("ended")

    def _sweeping(self) -> Optional[asyncio.Task[None]]:
        """Also while NATS is away."""
        if self._expiry is None:
            return None
        keeping = keep_sweeping(self._playbook.name, self._expiry)
        return asyncio.get_running_loop().create_task(keeping)

    def _subscriptions(self) -> Sequence[Subscription]:
        return self._intake.subscriptions if self._intake is not None else ()

    # What NATS and the API server say

    async def _back(self) -> None:
        self._renewed = True
        self._changed.set()

    async def _gone(self) -> None:
        self._closed = True
        self._changed.set()

    async def _api_answers(self) -> bool:
        return await asyncio.get_running_loop().run_in_executor(None, self._objects.answers)

    def _pause(self, away: bool) -> None:
        if away:
            log.warn("the API server is away: alerts wait, and keep their deliveries")
        else:
            log.info("the API server is back")
        self._metrics.pause(away)
        if self._intake is not None:
            self._intake.pause(away)

    # What HTTP asks

    def _token(self) -> str:
        """Read anew each time: a rotated token comes by the mounted file."""
        return str(read((HTTP_TOKEN,), self._environ)[HTTP_TOKEN.name])

    def _not_ready(self) -> Optional[str]:
        if self._stop.is_set():
            return "it is ending"
        if self._hindrance:
            return "; ".join((self._hindrance, *self._wishes.refused))
        connected = self._connection is not None and self._connection.is_connected
        return None if connected else "the connection to NATS is lost"


def _threadsafe(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *given: Any) -> None:
    # The loop may end while the feed still waits for the API server.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *given)


async def keep_sweeping(playbook: str, expiry: Expiry) -> None:
    """For ever. What one look fails to do, the next one tries again."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(random.uniform(0, FIRST))
    while True:
        await loop.run_in_executor(None, look, playbook, expiry)
        await asyncio.sleep(EVERY * random.uniform(0.7, 1.3))


def look(playbook: str, expiry: Expiry) -> None:
    try:
        for outcome in expiry.once():
            record(playbook, None, outcome)
    except PlaybookError as error:
        log.warn(f"what is over cannot be ended, trying again: {error}", reason=error.reason)
    except Exception as error:
        log.complain(f"what is over cannot be ended, trying again: {error!r}")
