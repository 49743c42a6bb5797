"""Wires a worker: the one place that knows all its parts."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any, Callable, Mapping, Optional, Sequence

from playbooks.core import VERSION
from playbooks.core.containment.expiry import expiry
from playbooks.core.errors import ClusterUnavailable
from playbooks.core.playbook import Playbook
from playbooks.core.ports import WatchingCluster
from playbooks.core.settings import read
from playbooks.core.tracing.spans import NoSpans, Spans
from playbooks.engines import log
from playbooks.engines.http.server import HttpServer
from playbooks.engines.runtime import Runtime
from playbooks.engines.worker import watched
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.http_api import HttpApi, PostedAlerts
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.nats.durable import DurableIntake
from playbooks.engines.worker.nats.intake import intake_of
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.nats.renamed import RenamedSubjects
from playbooks.engines.worker.nats.replies import Replies
from playbooks.engines.worker.own_rights import OwnRights
from playbooks.engines.worker.settings import (
    HTTP_TOKEN,
    RELEASE_KEY,
    VERIFY_AFTER,
    in_force,
    worker_settings,
)
from playbooks.engines.worker.topics import Subscription
from playbooks.engines.worker.wanted import FunctionObjects, Wanted
from playbooks.engines.worker.work.answering import Answering
from playbooks.engines.worker.work.claims import Claims
from playbooks.engines.worker.work.dead_letters import DeadLetters
from playbooks.engines.worker.work.drops import Drops
from playbooks.engines.worker.work.follow_ups import FollowUps
from playbooks.engines.worker.work.outcomes import OutcomeStream, OutcomeWriter
from playbooks.engines.worker.work.periodic import keep_ending, keep_reading
from playbooks.engines.worker.work.queue.outage import Outage
from playbooks.engines.worker.work.queue.turns import FairTurns
from playbooks.engines.worker.work.releases import Releases
from playbooks.engines.worker.work.settlement import Settlement
from playbooks.engines.worker.work.work import Work
from playbooks.engines.worker.worker import Readiness, Serving, Worker

# Alerts claimed at once, a topic, by a playbook that acts: as far as it looks ahead for those about
# the same target, and for those of other namespaces.
WINDOW = 16384


def bootstrap(
    playbook: Playbook,
    objects: FunctionObjects,
    environ: Mapping[str, str],
    watching: Optional[Callable[[Sequence[str]], WatchingCluster]] = None,
    spans: Optional[Spans] = None,
) -> Worker:
    """``environ`` holds the settings of the playbook and those of the worker. ``watching``
    makes the cluster that watches some namespaces, or all. ``spans``: None for none.

    Called inside a running loop. Raises InvalidSetting before anything is connected.
    """
    settings = worker_settings(environ)
    nats_connection.options(settings)
    loop = asyncio.get_running_loop()
    where = watched.places(playbook, environ)
    watch = watching(where) if watching is not None and where is not None else None
    responder = playbook.responder(environ, cluster=watch, spans=spans)
    runtime = Runtime(playbook.name, responder)
    dry = Runtime(playbook.name, playbook.responder({**environ, "DRY_RUN": "true"}))
    metrics = Metrics(playbook.name)
    if watch is not None:
        metrics.watch(watch)

    turns = FairTurns(settings["CONCURRENCY"])

    writer = OutcomeWriter(
        playbook.name, responder.recorders, responder.redaction, metrics, busy=turns.busy
    )

    here = {"namespace": settings["FUNCTION_NAMESPACE"], "function": settings["FUNCTION_NAME"]}
    wanted = Wanted(**here)
    feed = objects.feed(partial(_threadsafe, loop, wanted.update), wanted.trouble)
    readiness = Readiness(lambda: wanted.refused, lambda: outage.unready)
    metrics.ready.set_function(lambda: not readiness.missing())
    metrics.info(*here.values(), VERSION).set(1)

    def token() -> str:
        # Read anew each time: a rotated token comes by the mounted file.
        return str(read((HTTP_TOKEN,), environ)[HTTP_TOKEN.name])

    api = HttpApi(
        token=token if settings["HTTP"] == "on" else None,
        ready=readiness.missing,
        page=metrics.page,
        **here,
    )

    rights = OwnRights.of(playbook, environ, objects.may, here["namespace"])

    async def missing() -> str:
        """What any alert would fail for."""
        for ask in (objects.missing, runtime.missing, rights.missing):
            why = await loop.run_in_executor(None, ask)
            if why:
                return why
        return await worker.serving.intake.unusable() if worker.serving is not None else ""

    def pause(why: str, before: str) -> None:
        if why:
            log.warn(f"{why}: alerts wait, and keep their deliveries")
        else:
            back = before == ClusterUnavailable.AWAY
            log.info("the API server is back" if back else "alerts are answered again")
        metrics.unavailable.set(bool(why))
        if worker.serving is not None:
            worker.serving.intake.pause(bool(why))

    outage = Outage(missing, pause)

    def subscriptions() -> Sequence[Subscription]:
        return worker.serving.intake.subscriptions if worker.serving is not None else ()

    async def serve(connection: Any, function: Function) -> Serving:
        jetstream = JetStream.of(connection, settings)
        if nats_connection.has_jetstream(connection):
            await writer.write_to(OutcomeStream(jetstream, function, connection.max_payload))
        replies = Replies(connection, function)
        await replies.start()
        claims = Claims(metrics)
        follow_ups = FollowUps(runtime, writer, metrics, settings[VERIFY_AFTER.name], turns.busy)
        answering = Answering(
            runtime,
            turns=turns,
            outage=outage,
            claims=claims,
            writer=writer,
            metrics=metrics,
            most=settings["MAX_DELIVERIES"],
            learned=watch.learned if watch is not None else lambda _: None,
        )
        settlement = Settlement(
            runtime,
            outage=outage,
            claims=claims,
            dead_letters=DeadLetters(
                jetstream,
                function,
                playbook.name,
                connection.max_payload,
                metrics,
                responder.redaction,
            ),
            replies=replies,
            writer=writer,
            follow_ups=follow_ups,
            metrics=metrics,
        )
        work = Work(
            subscriptions,
            Releases(settings[RELEASE_KEY.name], function.uid),
            Drops(playbook.name, responder.redaction, metrics),
            answering,
            settlement,
        )
        intake = await intake_of(
            jetstream,
            connection,
            function,
            window=WINDOW if responder.acts else 2 * settings["CONCURRENCY"],
            take=work.take,
            metrics=metrics,
            hinder=readiness.hinder,
        )
        store = intake if isinstance(intake, DurableIntake) else None
        api.receive(PostedAlerts(answering, settlement, dry, store, replies))
        # From now on it is known whether the API server tells that it is ready.
        await outage.found()
        renamed = RenamedSubjects(
            connection,
            jetstream,
            lambda: [each.topic for each in intake.subscriptions if each.active],
            metrics.renamed.set,
        )
        return Serving(work, intake, claims, [renamed.keep_looking] if intake.durable else [])

    ends = expiry(playbook, environ)
    # Also while NATS is away.
    beside = [partial(keep_ending, playbook.name, ends)] if ends is not None else []
    if responder.ledger is not None:
        beside.append(partial(keep_reading, responder.ledger, metrics.stands))

    worker = Worker(
        name=f"playbook {playbook.name}",
        settings=settings,
        server=HttpServer(settings["HTTP_HOST"], settings["HTTP_PORT"], api.answer),
        aside=(
            HttpServer(settings["HTTP_HOST"], settings["PROBE_PORT"], api.probe),
            HttpServer(settings["HTTP_HOST"], settings["METRICS_PORT"], api.metrics),
        ),
        readiness=readiness,
        feed=feed,
        wanted=wanted,
        outage=outage,
        writer=writer,
        serve=serve,
        spans=spans or NoSpans(),
        beside=beside,
        watch=watch,
        begins={
            "version": VERSION,
            "playbook": playbook.name,
            **here,
            "settings": in_force(playbook, environ, responder.redaction),
        },
    )
    return worker


def _threadsafe(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *given: Any) -> None:
    # The loop may end while the feed still waits for the API server.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *given)
