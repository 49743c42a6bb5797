"""OpenFaaS: alerts that its gateway posts to a function of the template python3-http.

The template's server gives a handler an event with ``body`` (bytes), ``headers``, ``method``,
``query`` and ``path``, and makes the response of a dict: without ``body`` in it the answer is
empty, and only a text is sent as it is.

Source: https://github.com/openfaas/python-flask-template, template/python3-http-debian/index.py.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Mapping, Optional

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.engines.http import bearer
from playbooks.engines.http.content_encoding import decoded
from playbooks.engines.http.posted import Post
from playbooks.engines.pushed import PATIENCE

# What the template's server makes a response of: statusCode, body, headers.
Answer = Dict[str, Any]

# It is given the template's Event and Context.
Handler = Callable[[Any, Any], Answer]

TOKEN = bearer.setting("gateway")


def handler(
    playbook: Playbook,
    environ: Mapping[str, str] = os.environ,
    collaborators: Optional[Collaborators] = None,
    *,
    patience: float = PATIENCE,
) -> Handler:
    """The ``handle`` of a function's ``handler.py``. Its answers are those of Post.

    Falcosidekick sends nothing twice, and the queue worker of ``/async-function`` where it is set
    up to. Raises InvalidSetting when it is made.
    """
    post = Post(playbook, environ, collaborators, token=TOKEN, seconds=patience)

    def handle(event: Any, _context: Any) -> Answer:
        # The gateway names each call.
        name = event.headers.get("X-Call-Id", "")
        text, status, headers = post.answer(
            event.method, event.headers, lambda: _body(event), event_id=name
        )
        return {"statusCode": status, "body": text, "headers": headers}

    return handle


def _body(event: Any) -> bytes:
    return decoded(event.body, event.headers.get("Content-Encoding", ""))
