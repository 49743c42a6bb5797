"""``python -m playbooks.engines.worker.operator.history list|note``: run in a worker's pod.

``falco-playbook history`` runs it there, because only the worker has the way to NATS. It prints one
JSON object a line on standard output, of which the last is ``{"end": COUNT}``, or ``{"error":
WHY}``: an answer without it broke off.

Beyond what the worker needs, its NATS user must be allowed to publish on
``$JS.API.CONSUMER.CREATE.FALCO_OUTCOMES.*.>`` and ``$JS.API.CONSUMER.MSG.NEXT.FALCO_OUTCOMES.*``.
"""

from __future__ import annotations

import argparse
import json
import secrets
import time
from typing import Any, AsyncIterator, Dict, Mapping, Optional, Sequence

from playbooks.core.errors import PlaybookError
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.settings import read
from playbooks.engines.worker.function import OUTCOME_HOURS, OUTCOME_STREAM, OUTCOMES, Function
from playbooks.engines.worker.in_pod import (
    connected,
    end,
    fail,
    function_of,
    jetstream_of,
    main,
)
from playbooks.engines.worker.nats.delivery import Origin
from playbooks.engines.worker.nats.jetstream import ApiError, JetStream, NoJetStream, Unusable
from playbooks.engines.worker.operator.dead_letters import CannotBeDone
from playbooks.engines.worker.records.stream import headers_of
from playbooks.engines.worker.settings import IDENTITY, NATS

# Messages asked for at once, and seconds that they may take.
BATCH, WAIT = 500, 5.0

# Seconds after which the server forgets a consumer that is not asked any more.
FORGOTTEN = 30


class History:
    """The outcomes of one function's alerts, oldest first."""

    def __init__(self, jetstream: JetStream, connection: Any, function: Function) -> None:
        self._jetstream = jetstream
        self._connection = connection
        self._function = function
        self._stream = ""

    async def open(self) -> None:
        self._stream = await self._jetstream.stream(OUTCOMES, OUTCOME_STREAM, OUTCOME_HOURS)

    async def since(self, start: Instant) -> AsyncIterator[Dict[str, Any]]:
        """Each message's JSON object, with ``recorded``, the time that NATS stored it."""
        consumer, left = await self._consumer(start)
        ask = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{consumer}"
        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox)
        while left > 0:
            wanted = min(BATCH, left)
            request = {"batch": wanted, "expires": int(WAIT * NANOSECONDS)}
            await self._connection.publish(ask, json.dumps(request).encode(), reply=inbox)
            for _ in range(wanted):
                message = await _next(subscription, ask)
                left -= 1
                found = self._read(message)
                if found is not None:
                    yield found
        await subscription.unsubscribe()

    async def note(self, document: Mapping[str, Any]) -> None:
        headers = headers_of(self._function, str(document.get("playbook", "")))
        body = json.dumps(document).encode()
        await self._jetstream.store(self._function.outcomes, body, headers)

    async def _consumer(self, start: Instant) -> Any:
        """One that the server forgets by itself: its name, and what it has to deliver."""
        name = f"{self._function.consumer_prefix}history-{secrets.token_hex(4)}"
        config = {
            "name": name,
            "filter_subject": self._function.outcomes,
            "deliver_policy": "by_start_time",
            "opt_start_time": str(start),
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": FORGOTTEN * NANOSECONDS,
        }
        what = f"CONSUMER.CREATE.{self._stream}.{name}.{self._function.outcomes}"
        wanted = {"stream_name": self._stream, "config": config}
        try:
            made = await self._jetstream.call(what, wanted)
        except Unusable as error:
            raise CannotBeDone(f"{error} ($JS.API.{what})") from error
        return name, made.get("num_pending", 0)

    def _read(self, message: Any) -> Optional[Dict[str, Any]]:
        headers = message.headers or {}
        origin = Origin.of(message.reply or "")
        if headers.get("Falco-Function") != f"{self._function.namespace}/{self._function.name}":
            return None
        try:
            found = json.loads(message.data)
        except ValueError:
            return None
        stored = str(origin.stored) if origin else ""
        return {**found, "recorded": stored} if isinstance(found, dict) else None


async def _next(subscription: Any, asked: str) -> Any:
    try:
        message = await subscription.next_msg(timeout=WAIT)
    except Exception as error:
        raise CannotBeDone(
            f"the stream broke off, or this NATS user may not publish on {asked}"
        ) from error
    if Origin.of(message.reply or "") is None:
        raise CannotBeDone(f"the stream broke off: {dict(message.headers or {})}")
    return message


async def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    asked = _parser().parse_args(arguments)
    count = 0
    try:
        settings = read(IDENTITY + NATS, environ)
        connection = await connected(settings, "falco-playbook history")
        jetstream = jetstream_of(connection, settings)
        history = History(jetstream, connection, function_of(settings, asked.uid))
        await history.open()
        if asked.what == "note":
            await history.note(json.loads(asked.document))
        else:
            start = Instant(time.time_ns() - asked.since * NANOSECONDS)
            async for found in history.since(start):
                print(json.dumps(found))
                count += 1
    except NoJetStream as error:
        return fail(f"this NATS keeps nothing: {error}")
    except BrokenPipeError:
        raise
    except (CannotBeDone, Unusable, ApiError, PlaybookError) as error:
        return fail(str(error))
    except Exception as error:
        return fail(repr(error))
    return end(count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="history_desk", allow_abbrev=False)
    parser.add_argument("what", choices=("list", "note"))
    parser.add_argument("--uid", required=True)
    parser.add_argument("--since", type=int, default=OUTCOME_HOURS * 3600, help="seconds")
    parser.add_argument("--document", default="{}", help="JSON to be noted")
    return parser


if __name__ == "__main__":
    main(run)
