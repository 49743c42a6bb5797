"""Kubeless: a process per alert, ``handler(event, context)``, a plain dict or an error back."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Mapping, Optional

from playbooks.core.playbook import Playbook
from playbooks.core.tracing.traceparent import TraceParent
from playbooks.engines.retrying import SHARE
from playbooks.engines.runtime import Event, handle

Handler = Callable[[Mapping[str, Any], Mapping[str, Any]], Dict[str, Any]]

# Kubeless' own default for a function's timeout, in seconds.
TIMEOUT = 180.0


def handler(playbook: Playbook) -> Handler:
    """The function that Kubeless calls: ``delete.handler`` for ``playbooks/delete.py``.

    Kubeless calls once and never again, so what is worth retrying is retried here. A failed
    outcome is raised, so that Kubeless answers 500 and counts a failure; everything else is
    returned as a plain dict.
    """

    def handler(event: Mapping[str, Any], context: Mapping[str, Any]) -> Dict[str, Any]:
        timeout = float(context.get("timeout") or TIMEOUT)
        called = Event(event.get("data"), event.get("event-id") or "", _trace(event))
        reply = handle(playbook, called, os.environ, seconds=timeout * SHARE)
        if reply.outcome.error is not None:
            raise reply.outcome.error
        return reply.outcome.to_dict()

    return handler


def _trace(event: Mapping[str, Any]) -> Optional[TraceParent]:
    """Of the request that Kubeless' runtime passes on, where the event came by one."""
    request = (event.get("extensions") or {}).get("request")
    try:
        return TraceParent.of_headers(dict(request.headers.items())) if request else None
    except Exception:
        return None
