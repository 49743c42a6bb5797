"""``python -m playbooks.engines.worker.dead_letter_desk list|redeliver|drop``, in a worker's pod.

``falco-playbook dead`` runs it there, because only the worker has the way to NATS, its settings and
its credentials. It prints one JSON object a line on standard output, of which the last is
``{"end": COUNT}``, or ``{"error": WHY}``: an answer without it broke off.

Beyond what the worker needs, its NATS user must be allowed to publish on
``$JS.API.STREAM.MSG.GET.FALCO_DEAD`` and, to put letters back or drop them, on
``$JS.API.STREAM.MSG.DELETE.FALCO_DEAD``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence

from playbooks.core.errors import PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.settings import Settings, read
from playbooks.engines.records import write_line
from playbooks.engines.worker import nats_connection
from playbooks.engines.worker.jetstream import JetStream
from playbooks.engines.worker.jetstream_errors import ApiError, NoJetStream, Unusable
from playbooks.engines.worker.letters import Desk, Letter, Undone
from playbooks.engines.worker.names import Function
from playbooks.engines.worker.settings import IDENTITY, NATS

# Seconds for the connection: the worker itself waits for ever.
CONNECT = 15.0

# Characters of an alert that is dropped which are put on record.
SHOWN = 4096

# Standard error of the worker, whose log a container's log is. Ours goes to who asked.
WORKERS_LOG = "/proc/1/fd/2"


async def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    asked = _parser().parse_args(arguments)
    count = 0
    try:
        settings = read(IDENTITY + NATS, environ)
        connection = await connected(settings, "falco-playbook dead")
        function = function_of(settings, asked.uid)
        desk = Desk(jetstream_of(connection, settings), function, by=asked.by)
        await desk.open()
        if asked.what == "list":
            async for letter in desk.letters():
                _print({**letter.to_dict(), "own": desk.is_own(letter)})
                count += 1
        else:
            note = _note(asked.log, asked.by)
            doing = desk.drop(asked.ids, note) if asked.what == "drop" else desk.put_back(asked.ids)
            async for done in doing:
                _print(done)
                count += 1
    except NoJetStream as error:
        return _fail(f"this NATS keeps nothing, so that there are no dead letters: {error}")
    except BrokenPipeError:
        raise
    except (Undone, Unusable, ApiError, PlaybookError) as error:
        return _fail(str(error))
    except Exception as error:
        return _fail(repr(error))
    _print({"end": count})
    return 0


async def connected(settings: Settings, name: str) -> Any:
    """``name`` shows in NATS' own monitoring. Raises Undone."""

    async def nothing() -> None: ...

    try:
        return await asyncio.wait_for(
            nats_connection.connect(settings, name=name, back=nothing, closed=nothing), CONNECT
        )
    except asyncio.TimeoutError:
        shown = nats_connection.shown(settings)
        raise Undone(f"no connection to NATS ({shown}) within {CONNECT:.0f} s") from None


def jetstream_of(connection: Any, settings: Settings) -> JetStream:
    return JetStream(
        connection,
        max_age_hours=settings["STREAM_MAX_AGE_HOURS"],
        max_megabytes=settings["STREAM_MAX_MEGABYTES"],
        replicas=int(settings["STREAM_REPLICAS"]),
    )


def function_of(settings: Settings, uid: str) -> Function:
    return Function(settings["FUNCTION_NAMESPACE"], settings["FUNCTION_NAME"], uid, Instant(0), {})


def _note(path: str, who: str) -> Callable[[Letter], None]:
    """Writes into the worker's log what is dropped, and by whom. Raises Undone."""

    def note(letter: Letter) -> None:
        line = {
            "level": "warning",
            "message": f"dead letter {letter.sequence} is dropped",
            "by": who,
            "reason": letter.says("Reason"),
            "origin": letter.says("Origin"),
            "body": letter.body.decode("utf-8", "replace")[:SHOWN],
        }
        try:
            with Path(path).open("a", encoding="utf-8") as log:
                write_line(json.dumps(line), log)
        except OSError as error:
            raise Undone(
                f"{letter.sequence} is not dropped, since that cannot be put on record: {error}"
            ) from error

    return note


def _parser() -> argparse.ArgumentParser:
    """``uid``: the Function's, which the caller has from the API server."""
    parser = argparse.ArgumentParser(prog="dead_letter_desk", allow_abbrev=False)
    parser.add_argument("what", choices=("list", "redeliver", "drop"))
    parser.add_argument("--uid", required=True)
    parser.add_argument("--by", default="somebody", help="who asks, for the record")
    parser.add_argument("--ids", nargs="*", type=int, default=[], help="none: all")
    parser.add_argument("--log", default=WORKERS_LOG, help="where that is put on record")
    return parser


def _fail(why: str) -> int:
    _print({"error": why})
    return 1


def _print(document: Mapping[str, Any]) -> None:
    print(json.dumps(document), flush=True)


def main(arguments: Optional[List[str]] = None) -> None:
    try:
        code = asyncio.run(run(sys.argv[1:] if arguments is None else arguments, os.environ))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever asked is gone. What was put back by now is removed from the dead letters.
        code = 1
    # Without waiting for a connection that is of no use any more.
    os._exit(code)


if __name__ == "__main__":
    main()
