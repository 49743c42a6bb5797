"""Slack's incoming webhooks on the loopback: a real HTTP server that answers as Slack does.

Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Tuple

from specs.support.loopback.server import Answer, Asked, LoopbackServer

PATH = "/services/T00000000/B00000000/spec-webhook"


def said(status: int, words: str, **headers: str) -> Answer:
    """In Slack's form."""
    return Answer(status, words.encode(), {"Content-Type": "text/html", **headers})


OK = said(200, "ok")
INVALID_TOKEN = said(403, "invalid_token")
NO_SERVICE = said(404, "no_service")


def rate_limited(seconds: int) -> Answer:
    return said(429, "rate_limited", **{"Retry-After": str(seconds)})


class SlackServer(LoopbackServer):
    """``url``: the webhook, which is a secret of Slack's too. ``messages``: that it took."""

    def __init__(self, *refusals: Answer, address: str = "127.0.0.1") -> None:
        super().__init__(host=address, answer=self._take)
        self.refusals.extend(refusals)
        self.messages: List[Dict[str, Any]] = []
        self.url += PATH

    def _take(self, asked: Asked) -> Answer:
        if asked.path != PATH:
            return NO_SERVICE
        message, problem = _message(asked.content)
        if message is None:
            return said(400, problem)
        self.messages.append(message)
        return OK


def _message(body: bytes) -> Tuple[Optional[Dict[str, Any]], str]:
    try:
        document = json.loads(body)
    except ValueError:
        return None, "invalid_payload"
    if not isinstance(document, dict):
        return None, "invalid_payload"
    if not any(document.get(key) for key in ("text", "blocks", "attachments")):
        return None, "no_text"
    return document, ""
