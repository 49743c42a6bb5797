"""The connection to NATS of a program that runs in a worker's pod, with the worker's settings."""

from __future__ import annotations

import asyncio
from typing import Any

from playbooks.core.instant import Instant
from playbooks.core.settings import Settings
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.operator.protocol import RequestFailed

# Seconds for the connection: the worker itself waits for ever.
CONNECT = 15.0


async def connected(settings: Settings, name: str) -> Any:
    """``name`` shows in NATS' own monitoring. Raises RequestFailed."""
    try:
        return await asyncio.wait_for(nats_connection.connect(settings, name=name), CONNECT)
    except asyncio.TimeoutError:
        shown = nats_connection.shown(settings)
        raise RequestFailed(f"no connection to NATS ({shown}) within {CONNECT:.0f} s") from None


def function_of(settings: Settings, uid: str) -> Function:
    return Function(settings["FUNCTION_NAMESPACE"], settings["FUNCTION_NAME"], uid, Instant(0), {})
