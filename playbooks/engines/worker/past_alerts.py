"""``python -m playbooks.engines.worker.past_alerts --seconds N``: run in a worker's pod.

``falco-playbook simulate --since`` runs it there, because only the worker has the way to NATS. It
prints the alerts that the stream has of so many seconds, one JSON object a line with the body in
base64; the last line is ``{"end": COUNT}``, or ``{"error": WHY}``: an answer without it broke off.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
import time
from typing import List, Mapping, Optional, Sequence

from playbooks.core.errors import PlaybookError
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.settings import read
from playbooks.engines.worker import nats_connection, stream_reader
from playbooks.engines.worker.jetstream import JetStream
from playbooks.engines.worker.jetstream_errors import ApiError, NoJetStream, Unusable
from playbooks.engines.worker.names import ALERT_STREAM, ALERTS
from playbooks.engines.worker.settings import IDENTITY, NATS

# Seconds for the connection, and for reading all.
CONNECT, READ = 15.0, 300.0


async def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="past_alerts", allow_abbrev=False)
    parser.add_argument("--seconds", type=int, required=True)
    asked = parser.parse_args(arguments)
    since = Instant(time.time_ns() - asked.seconds * NANOSECONDS)
    try:
        return await _print_since(since, environ)
    except NoJetStream as error:
        return _fail(f"this NATS keeps nothing: {error}")
    except asyncio.TimeoutError:
        return _fail(f"no connection to NATS within {CONNECT:.0f} s")
    except (Unusable, ApiError, PlaybookError) as error:
        return _fail(str(error))


async def _print_since(since: Instant, environ: Mapping[str, str]) -> int:
    settings = read(IDENTITY + NATS, environ)

    async def nothing() -> None: ...

    connecting = nats_connection.connect(
        settings, name="falco-playbook simulate", back=nothing, closed=nothing
    )
    connection = await asyncio.wait_for(connecting, CONNECT)
    jetstream = JetStream(
        connection,
        max_age_hours=settings["STREAM_MAX_AGE_HOURS"],
        max_megabytes=settings["STREAM_MAX_MEGABYTES"],
        replicas=int(settings["STREAM_REPLICAS"]),
    )
    stream = await jetstream.stream(ALERTS, ALERT_STREAM)
    start = {"deliver_policy": "by_start_time", "opt_start_time": str(since)}
    deadline, count, left = time.monotonic() + READ, 0, 0
    async for batch in stream_reader.batches(connection, jetstream, stream, start, deadline):
        for _, message in batch:
            print(json.dumps({"body": base64.b64encode(message.data).decode("ascii")}))
        count, left = count + len(batch), batch[-1][0].pending
    if left:
        return _fail(f"{left} alerts are left after {READ:.0f} s: ask for a shorter time")
    print(json.dumps({"end": count}), flush=True)
    return 0


def _fail(why: str) -> int:
    print(json.dumps({"error": why}), flush=True)
    return 1


def main(arguments: Optional[List[str]] = None) -> None:
    code = asyncio.run(run(sys.argv[1:] if arguments is None else arguments, os.environ))
    sys.stdout.flush()
    # Without waiting for a connection that is of no use any more.
    os._exit(code)


if __name__ == "__main__":
    main()
