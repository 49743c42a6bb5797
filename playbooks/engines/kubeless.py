"""Kubeless: a process per alert, ``handler(event, context)``, a plain dict or an error back."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Mapping

from playbooks.core.errors import InvalidSetting
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Playbook
from playbooks.engines import recorders, retrying
from playbooks.engines.outcome_log import record

Event = Mapping[str, Any]
Handler = Callable[[Event, Mapping[str, Any]], Dict[str, Any]]

# Kubeless' own default for a function's timeout, in seconds.
TIMEOUT = 180.0

# No attempt starts after this share of the timeout, so that the last one has time to end.
SHARE = 0.5

# Seconds that each recorder may take after that, at most.
RECORDING = 5.0


def handler(playbook: Playbook, *, recorded: bool = False) -> Handler:
    """The function that Kubeless calls: ``delete.handler`` for ``playbooks/delete.py``.

    Kubeless calls once and never again, so what is worth retrying is retried here. A failed
    outcome is raised, so that Kubeless answers 500 and counts a failure; everything else is
    returned as a plain dict. ``recorded``: for alerts of a file, whose own time is the clock.
    """

    def handler(event: Event, context: Mapping[str, Any]) -> Dict[str, Any]:
        body = event.get("data")
        identity = event.get("event-id") or ""
        timeout = float(context.get("timeout") or TIMEOUT)
        try:
            responder = playbook.responder(os.environ)
        except InvalidSetting as error:
            record(playbook.name, body, Outcome.failed(error), event_id=identity)
            raise
        outcome = retrying.answer(responder, body, seconds=timeout * SHARE, recorded=recorded)
        redaction = responder.redaction
        record(playbook.name, body, outcome, event_id=identity, redaction=redaction)
        recorders.record_all(
            responder.recorders,
            body,
            outcome,
            playbook=playbook.name,
            redaction=redaction,
            seconds=RECORDING,
        )
        if outcome.error is not None:
            raise outcome.error
        return outcome.to_dict()

    return handler
