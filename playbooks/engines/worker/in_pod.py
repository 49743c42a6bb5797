"""What the programs share that falco-playbook runs in a worker's pod: the way to NATS, and how they
answer, with one JSON object a line, of which the last is ``{"end": COUNT}`` or ``{"error": WHY}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any, Awaitable, Callable, List, Mapping, Optional, Sequence

from playbooks.core.instant import Instant
from playbooks.core.settings import Settings
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.operator.dead_letters import CannotBeDone

# Seconds for the connection: the worker itself waits for ever.
CONNECT = 15.0


async def connected(settings: Settings, name: str) -> Any:
    """``name`` shows in NATS' own monitoring. Raises CannotBeDone."""

    async def nothing() -> None: ...

    try:
        return await asyncio.wait_for(
            nats_connection.connect(settings, name=name, back=nothing, closed=nothing), CONNECT
        )
    except asyncio.TimeoutError:
        shown = nats_connection.shown(settings)
        raise CannotBeDone(f"no connection to NATS ({shown}) within {CONNECT:.0f} s") from None


def jetstream_of(connection: Any, settings: Settings) -> JetStream:
    return JetStream(
        connection,
        max_age_hours=settings["STREAM_MAX_AGE_HOURS"],
        max_megabytes=settings["STREAM_MAX_MEGABYTES"],
        replicas=int(settings["STREAM_REPLICAS"]),
    )


def function_of(settings: Settings, uid: str) -> Function:
    return Function(settings["FUNCTION_NAMESPACE"], settings["FUNCTION_NAME"], uid, Instant(0), {})


def say(document: Mapping[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def end(count: int) -> int:
    """The last line of a whole answer, and the exit code."""
    say({"end": count})
    return 0


def fail(why: str) -> int:
    """The last line of one that broke off, and the exit code."""
    say({"error": why})
    return 1


def main(
    run: Callable[[Sequence[str], Mapping[str, str]], Awaitable[int]],
    arguments: Optional[List[str]] = None,
) -> None:
    async def whole() -> int:
        return await run(sys.argv[1:] if arguments is None else arguments, os.environ)

    try:
        code = asyncio.run(whole())
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever asked is gone. What was put back by now is removed from the dead letters.
        code = 1
    # Without waiting for a connection that is of no use any more.
    os._exit(code)
