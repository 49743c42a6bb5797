"""OpenFaaS: alerts that its gateway posts to a function of the template python3-http.

The template's server gives a handler an event with ``body`` (bytes), ``headers``, ``method``,
``query`` and ``path``, and makes the response of a dict: without ``body`` in it the answer is
empty, and only a text is sent as it is.

Source: https://github.com/openfaas/python-flask-template, template/python3-http-debian/index.py.
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Mapping, Optional

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.core.settings import Setting, read
from playbooks.engines.content_encoding import LARGEST, CannotDecode, decoded
from playbooks.engines.pushed import PATIENCE, PushedAlerts, http_status
from playbooks.engines.worker.http import bearer
from playbooks.engines.worker.settings import bearer_token

# What the template's server makes a response of: statusCode, body, headers.
Answer = Dict[str, Any]

# It is given the template's Event and Context.
Handler = Callable[[Any, Any], Answer]

#: Seconds that a request may take: the function is deployed with it.
TIMEOUT = 60


def _token_or_none(value: str) -> str:
    return value and bearer_token(value)


TOKEN = Setting(
    "HTTP_TOKEN",
    _token_or_none,
    "",
    "The bearer token with which alerts are posted; empty: they are taken from whoever reaches the"
    " gateway",
    secret=True,
)


def handler(
    playbook: Playbook,
    environ: Mapping[str, str] = os.environ,
    collaborators: Optional[Collaborators] = None,
    *,
    patience: float = PATIENCE,
) -> Handler:
    """The ``handle`` of a function's ``handler.py``.

    200 with the outcome, also of a skipped alert; 400 for what is no alert or would fail again; 429
    or 500 for what may succeed later: Falcosidekick sends nothing twice, and the queue worker of
    ``/async-function`` where it is set up to. Raises InvalidSetting when it is made. The token is
    read for each alert, so that it can be changed.
    """
    alerts = PushedAlerts(playbook, environ, collaborators, seconds=patience)
    read((TOKEN,), environ)

    def handle(event: Any, _context: Any) -> Answer:
        if event.method != "POST":
            return _answer({"error": "alerts are sent by POST"}, 405, {"Allow": "POST"})
        token: str = read((TOKEN,), environ)[TOKEN.name]
        if token and not bearer.allowed(event.headers.get("Authorization", ""), token):
            return _answer({"error": bearer.REFUSED}, 401, bearer.CHALLENGE)
        try:
            body = decoded(event.body, event.headers.get("Content-Encoding", ""))
            if len(body) > LARGEST:
                raise CannotDecode(413, f"an alert has at most {LARGEST} bytes")
        except CannotDecode as error:
            return _answer({"error": str(error)}, error.status, {})
        # The gateway names each call.
        reply = alerts.handle(body, event_id=event.headers.get("X-Call-Id", ""))
        return _answer(reply.outcome.to_dict(), *http_status(reply))

    return handle


def _answer(document: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Answer:
    text = json.dumps(document, default=str) + "\n"
    kind = {"Content-Type": "application/json"}
    return {"statusCode": status, "body": text, "headers": {**kind, **headers}}
