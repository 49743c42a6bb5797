"""Which way alerts come in: from JetStream, or without it from a plain subscription."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

from playbooks.engines.worker import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.nats.durable import DurableIntake
from playbooks.engines.worker.nats.intake import Intake
from playbooks.engines.worker.nats.jetstream import JetStream, NoJetStream
from playbooks.engines.worker.nats.pull import Take
from playbooks.engines.worker.nats.volatile import WARNING, VolatileIntake

# Seconds between two tries of what the worker cannot do without.
RETRY = 2.0


async def intake_of(
    jetstream: JetStream,
    connection: Any,
    function: Function,
    *,
    window: int,
    take: Take,
    metrics: Metrics,
    hinder: Callable[[str], None],
) -> Intake:
    """Tries until there is one, and tells ``hinder`` what is in the way."""
    while True:
        durable = DurableIntake(
            jetstream, connection, function, window=window, take=take, metrics=metrics
        )
        try:
            await durable.prepare()
            return durable
        except NoJetStream as error:
            # A server that has JetStream answers sooner or later.
            if not nats_connection.has_jetstream(connection):
                log.warn(WARNING)
                return VolatileIntake(connection, function, take, metrics)
            hinder(str(error))
        except Exception as error:
            hinder(str(error) or repr(error))
        await durable.discard()
        await asyncio.sleep(RETRY)
