"""Google Cloud Functions: alerts by HTTP, and alerts in messages of Pub/Sub.

Both are HTTP functions. functions-framework's own functions for CloudEvents ignore what is
returned, and answer what can never succeed such that Pub/Sub delivers it again for a day.

Source: https://cloud.google.com/run/docs/write-functions and
https://cloud.google.com/eventarc/docs/cloudevents.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from typing import Any, Callable, Mapping, Optional, Tuple

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.engines.http.cloud_events import STRUCTURED, NoCloudEvent, of_request
from playbooks.engines.http.content_encoding import LARGEST, TOO_LARGE, BodyRefused
from playbooks.engines.http.posted import Answer, Post, answered, body_of
from playbooks.engines.pushed import PATIENCE, SHORT_PATIENCE, PushedAlerts
from playbooks.engines.runtime import Intent, Reply

# It is given a request of Flask.
Function = Callable[[Any], Answer]


def alert(
    playbook: Playbook,
    environ: Mapping[str, str] = os.environ,
    collaborators: Optional[Collaborators] = None,
    *,
    patience: float = PATIENCE,
) -> Function:
    """A function to which an alert is posted, as Falcosidekick's Cloud Run output does, and which
    ``CallFunction`` calls where it is one of the first generation. Its answers are those of Post.
    Raises InvalidSetting when it is made.
    """
    post = Post(playbook, environ, collaborators, seconds=patience)

    def alert(request: Any) -> Answer:
        name = request.headers.get("X-Request-Id", "")
        return post.answer(request.method, request.headers, lambda: body_of(request), event_id=name)

    return alert


def event(
    playbook: Playbook,
    environ: Mapping[str, str] = os.environ,
    collaborators: Optional[Collaborators] = None,
    *,
    patience: float = SHORT_PATIENCE,
) -> Function:
    """A function for messages of Pub/Sub, each of which is an alert: from Eventarc, from a
    subscription that pushes, or as background functions of the first generation get them.

    500 for what may succeed later, so that it is delivered again, and 200 for everything else.
    Raises InvalidSetting when it is made.
    """
    alerts = PushedAlerts(playbook, environ, collaborators, seconds=patience)

    def event(request: Any) -> Answer:
        if request.method != "POST":
            return answered({"error": "messages are sent by POST"}, 405, {"Allow": "POST"})
        name = request.headers.get("Ce-Id", "")
        try:
            # The base64 of a message, and what stands around it, take more than the alert.
            name, body = _message(request.headers, body_of(request, 2 * LARGEST))
            if isinstance(body, bytes) and len(body) > LARGEST:
                raise BodyRefused(413, TOO_LARGE)
        except (BodyRefused, NoCloudEvent) as error:
            return _taken(alerts.refuse(str(error), event_id=name))
        return _taken(alerts.handle(body, event_id=name, redelivers=True))

    return event


def _message(headers: Mapping[str, str], body: bytes) -> Tuple[str, Any]:
    """The name of the delivery, and the alert in it. Raises NoCloudEvent."""
    kind = headers.get("Content-Type", "").lower()
    if "Ce-Specversion" in headers or kind.startswith(STRUCTURED):
        event = of_request(dict(headers), body)
        return event.id, _data(event.data)
    # Pub/Sub itself and the first generation send no CloudEvents.
    return "", _data(body)


def _data(envelope: Any) -> Any:
    """The data of a message, in ``{"message": {"data": ...}}``, in ``{"data": {"data": ...}}`` of
    the first generation, or what is in no such envelope. What cannot be read stays as it is."""
    document = envelope
    if isinstance(envelope, bytes):
        try:
            document = json.loads(envelope.decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError):
            return envelope
    if not isinstance(document, Mapping):
        return envelope
    for key in ("message", "data"):
        message = document.get(key)
        if isinstance(message, Mapping):
            try:
                return base64.b64decode(message.get("data") or "", validate=True)
            except (TypeError, ValueError, binascii.Error):
                return message.get("data")
    return envelope


def _taken(reply: Reply) -> Answer:
    """Any status but one of success has Pub/Sub deliver it again."""
    return answered(reply.outcome.to_dict(), 500 if reply.intent is Intent.AGAIN else 200, {})
