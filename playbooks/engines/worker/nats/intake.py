"""How alerts come in: from JetStream, or without it from a plain subscription."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Protocol, Sequence, Tuple

from playbooks.engines import log
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.nats.delivery import Take
from playbooks.engines.worker.nats.durable import DurableIntake
from playbooks.engines.worker.nats.jetstream import JetStream, NoJetStream
from playbooks.engines.worker.nats.volatile import WARNING, VolatileIntake
from playbooks.engines.worker.topics import Subscription

# Seconds between two tries of what the worker cannot do without.
RETRY = 2.0


class Intake(Protocol):
    """What both have in common."""

    durable: bool

    #: Those of the moment, and those that ended and still owe something.
    subscriptions: Tuple[Subscription, ...]

    def missing(self) -> str:
        """What keeps alerts from coming in, or empty."""

    async def unusable(self) -> str:
        """Asks for what every alert needs beside its own stream: why that cannot be used, or
        empty."""

    async def apply(self, wanted: Sequence[Subscription]) -> None:
        """Begin and end subscriptions. What cannot be done is logged, and tried at the next
        ``tick``."""

    async def tick(self) -> None:
        """Called every second."""

    async def renew(self) -> None:
        """Called after every new connection."""

    def pause(self, away: bool) -> None:
        """Take nothing more for a while, or go on."""

    async def stop(self) -> None: ...

    async def retire(self) -> None:
        """Delete what the server keeps for the function, which is removed. Logs what stays."""


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
