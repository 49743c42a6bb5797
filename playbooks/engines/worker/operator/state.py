"""What ``falco-playbook status`` asks a worker: which version runs, and whether it reaches NATS."""

from __future__ import annotations

import argparse
import platform
from typing import Any, AsyncIterator, Dict

from playbooks.core import VERSION
from playbooks.core.settings import Settings
from playbooks.engines.worker.nats import connection as nats_connection
from playbooks.engines.worker.nats.jetstream import JetStream
from playbooks.engines.worker.operator.inspection import connect_once, in_words, stream_of


async def told(_asked: argparse.Namespace, settings: Settings) -> AsyncIterator[Dict[str, Any]]:
    """One line. ``stream`` as the inspection has it: its ``name`` and ``messages``, or why there is
    none; missing where ``why`` says that NATS is not reached. It changes nothing."""
    found: Dict[str, Any] = {
        "version": VERSION,
        "python": platform.python_version(),
        "servers": nats_connection.shown(settings),
    }
    try:
        connection = await connect_once(settings)
    except Exception as error:
        yield {**found, "why": in_words(error)}
        return
    jetstream = JetStream(connection, max_age_hours=1, max_megabytes=1, replicas=1)
    stream, _, _ = await stream_of(jetstream)
    yield {**found, "stream": stream}
