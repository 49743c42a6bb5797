"""The log of an engine: one JSON line an outcome, and a traceback for every error."""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any, Mapping, Optional, TextIO, Union

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.outcome import Outcome


def record(
    playbook: str,
    body: Any,
    outcome: Outcome,
    *,
    event_id: str = "",
    stream: Optional[TextIO] = None,
) -> None:
    """Write what became of an alert, to standard error unless told otherwise.

    The line has ``playbook``, ``event_id`` (the engine's, new for each delivery), ``alert`` (rule,
    priority, time, hostname, uuid; null where it is none) and the outcome's own keys.
    """
    stream = stream or sys.stderr
    line = {"playbook": playbook, "event_id": event_id, "alert": _named(body), **outcome.to_dict()}
    if outcome.error is not None:
        traceback.print_exception(
            type(outcome.error), outcome.error, outcome.error.__traceback__, file=stream
        )
    write_line(json.dumps(line), stream)


def write_line(line: str, stream: TextIO) -> None:
    """In one piece: threads and processes that share a log would tear what is written in two."""
    stream.write(line + "\n")
    stream.flush()


def _named(body: Union[Alert, Mapping[str, Any], str, bytes, None]) -> Any:
    try:
        alert = Alert.parse(body)
    except InvalidAlert:
        return None
    return {
        "rule": alert.rule,
        "priority": str(alert.priority),
        "time": str(alert.time),
        "hostname": alert.hostname,
        "uuid": alert.uuid,
    }
