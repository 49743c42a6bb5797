"""The log of an engine: one JSON line an outcome, and a traceback for every error."""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any, Dict, Mapping, Optional, TextIO, Union

from playbooks.core.alert import Alert
from playbooks.core.errors import InvalidAlert
from playbooks.core.notifications.plain_text import plain_lines
from playbooks.core.outcome import Outcome
from playbooks.core.redaction.redaction import Redaction

_ALL = Redaction()


def record(
    playbook: str,
    body: Any,
    outcome: Outcome,
    *,
    event_id: str = "",
    redaction: Redaction = _ALL,
    stream: Optional[TextIO] = None,
) -> None:
    """Write what became of an alert, to standard error unless told otherwise."""
    stream = stream or sys.stderr
    if outcome.error is not None:
        error = outcome.error
        said = traceback.format_exception(type(error), error, error.__traceback__)
        stream.write(plain_lines(redaction.text("".join(said))))
    made = line(playbook, body, outcome, event_id=event_id, redaction=redaction)
    write_line(json.dumps(made), stream)


def line(
    playbook: str,
    body: Any,
    outcome: Outcome,
    *,
    event_id: str = "",
    redaction: Redaction = _ALL,
) -> Dict[str, Any]:
    """The outcome's own keys, behind ``playbook``, ``event_id`` (the engine's, new for each
    delivery) and ``alert`` (rule, priority, time, hostname, uuid; null where it is none)."""
    about = redaction.document(named(body))
    return {"playbook": playbook, "event_id": event_id, "alert": about, **outcome.to_dict()}


def write_line(line: str, stream: TextIO) -> None:
    """In one piece: threads and processes that share a log would tear what is written in two."""
    stream.write(line + "\n")
    stream.flush()


def named(body: Union[Alert, Mapping[str, Any], str, bytes, None]) -> Any:
    """The alert as a line names it; None where it is none."""
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
