"""The connection to NATS of a program that runs in a worker's pod, with the worker's settings."""

from __future__ import annotations

import asyncio
from typing import Any, List

from playbooks.core.settings import Settings
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.operator.protocol import RequestFailed

# Seconds for a connection, and for one of which is asked whether it can be had: the worker itself
# waits for ever.
CONNECT, ONCE = 15.0, 10.0


async def connected(settings: Settings, name: str) -> Any:
    """``name`` shows in NATS' own monitoring. Raises RequestFailed."""
    try:
        return await asyncio.wait_for(nats_connection.connect(settings, name=name), CONNECT)
    except asyncio.TimeoutError:
        shown = nats_connection.shown(settings)
        raise RequestFailed(f"no connection to NATS ({shown}) within {CONNECT:.0f} s") from None


async def connect_once(settings: Settings) -> Any:
    """Each server once, and the first error where none takes us; the worker itself tries for ever.

    nats-py goes on with a server that refuses connections, whatever ``allow_reconnect`` says.
    """
    client = nats_connection.client(settings)
    errors: List[Exception] = []

    async def note(error: Exception) -> None:
        errors.append(error)
        if len(errors) >= len(settings["NATS_URL"]):
            connecting.cancel()

    once = {"reconnect_time_wait": 0, "max_reconnect_attempts": 0, "error_cb": note}
    chosen = {**nats_connection.options(settings), **once, "name": "falco-playbook check"}
    connecting = asyncio.ensure_future(client.connect(**chosen))
    try:
        await asyncio.wait_for(connecting, ONCE)
    except (Exception, asyncio.CancelledError) as error:
        raise (errors[0] if errors else error) from error
    return client


def in_words(error: Exception) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return f"no connection within {ONCE:.0f} s"
    return f"{type(error).__name__}: {error}".rstrip(": ")


def function_of(settings: Settings, uid: str) -> Function:
    return Function(settings["FUNCTION_NAMESPACE"], settings["FUNCTION_NAME"], uid)
