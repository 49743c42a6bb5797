"""``python -m playbooks.engines.worker.operator.alerts --seconds N``: run in a worker's pod.

``falco-playbook simulate --since`` runs it there, because only the worker has the way to NATS. It
prints the alerts that the stream has of so many seconds, one JSON object a line with the body in
base64; the last line is ``{"end": COUNT}``, or ``{"error": WHY}``: an answer without it broke off.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from typing import Mapping, Sequence

from playbooks.core.errors import PlaybookError
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.settings import read
from playbooks.engines.worker import stream_reader
from playbooks.engines.worker.function import ALERT_STREAM, ALERTS
from playbooks.engines.worker.in_pod import connected, end, fail, jetstream_of, main
from playbooks.engines.worker.jetstream_errors import ApiError, NoJetStream, Unusable
from playbooks.engines.worker.operator.dead_letters import Undone
from playbooks.engines.worker.settings import IDENTITY, NATS

# Seconds for reading all.
READ = 300.0


async def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="past_alerts", allow_abbrev=False)
    parser.add_argument("--seconds", type=int, required=True)
    asked = parser.parse_args(arguments)
    since = Instant(time.time_ns() - asked.seconds * NANOSECONDS)
    try:
        return await _print_since(since, environ)
    except NoJetStream as error:
        return fail(f"this NATS keeps nothing: {error}")
    except (Undone, Unusable, ApiError, PlaybookError) as error:
        return fail(str(error))


async def _print_since(since: Instant, environ: Mapping[str, str]) -> int:
    settings = read(IDENTITY + NATS, environ)
    connection = await connected(settings, "falco-playbook simulate")
    jetstream = jetstream_of(connection, settings)
    stream = await jetstream.stream(ALERTS, ALERT_STREAM)
    start = {"deliver_policy": "by_start_time", "opt_start_time": str(since)}
    deadline, count, left = time.monotonic() + READ, 0, 0
    async for batch in stream_reader.batches(connection, jetstream, stream, start, deadline):
        for _, message in batch:
            print(json.dumps({"body": base64.b64encode(message.data).decode("ascii")}))
        count, left = count + len(batch), batch[-1][0].pending
    if left:
        return fail(f"{left} alerts are left after {READ:.0f} s: ask for a shorter time")
    return end(count)


if __name__ == "__main__":
    main(run)
