"""Alerts that are posted to a function, whose server is told text, status and headers."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from playbooks.core.playbook import Playbook
from playbooks.core.ports import Collaborators
from playbooks.core.settings import Setting, read
from playbooks.engines.http import bearer
from playbooks.engines.http.content_encoding import LARGEST, TOO_LARGE, BodyRefused, decoded
from playbooks.engines.pushed import PATIENCE, PushedAlerts, http_status

#: Text, status, headers, as Flask makes a response of them.
Answer = Tuple[str, int, Dict[str, str]]


class Post:
    """Answers a request, without its server. Raises InvalidSetting, when it is made.

    200 with the outcome, also of a skipped alert; 400 for what is no alert or would fail again; 429
    or 500 for what may succeed later; 401, 405, 413 and 415 for what is not read at all.

    ``token``: made by ``bearer.setting``, where there may be one. It is read for each alert, so
    that it can be changed. ``seconds``: within which an alert is tried again.
    """

    def __init__(
        self,
        playbook: Playbook,
        environ: Mapping[str, str],
        collaborators: Optional[Collaborators] = None,
        *,
        token: Optional[Setting] = None,
        seconds: float = PATIENCE,
    ) -> None:
        self._environ, self._token = environ, token
        self._alerts = PushedAlerts(playbook, environ, collaborators, seconds=seconds)
        self._expected()

    def answer(
        self, method: str, headers: Mapping[str, str], body: Callable[[], bytes], *, event_id: str
    ) -> Answer:
        """``headers``: with a ``get`` that takes a name in any case, or as it is written here.
        ``body``: reads it, bounded and decoded, and may raise BodyRefused. ``event_id``: the name
        of this request, for the log."""
        if method != "POST":
            return answered({"error": "alerts are sent by POST"}, 405, {"Allow": "POST"})
        expected = self._expected()
        if expected and not bearer.allowed(headers.get("Authorization", ""), expected):
            return answered({"error": bearer.REFUSED}, 401, bearer.CHALLENGE)
        try:
            alert = body()
        except BodyRefused as error:
            return answered({"error": str(error)}, error.status, {})
        reply = self._alerts.handle(alert, event_id=event_id)
        return answered(reply.outcome.to_dict(), *http_status(reply))

    def _expected(self) -> str:
        if self._token is None:
            return ""
        found: str = read((self._token,), self._environ)[self._token.name]
        return found


def answered(document: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Answer:
    """The document as JSON."""
    text = json.dumps(document, default=str) + "\n"
    return text, status, {"Content-Type": "application/json", **headers}


def body_of(request: Any, most: int = LARGEST) -> bytes:
    """That of a request of Flask. At most so many bytes of it are read. Raises BodyRefused."""
    content = b""
    if (request.content_length or 0) <= most:
        content = request.stream.read(most + 1)
    if len(content) > most or (request.content_length or 0) > most:
        raise BodyRefused(413, TOO_LARGE)
    return decoded(content, request.headers.get("Content-Encoding", ""), longest=most)
