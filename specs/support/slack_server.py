"""Slack's incoming webhooks on the loopback: a real HTTP server that answers as Slack does.

Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List, Mapping, Optional, Tuple

PATH = "/services/T00000000/B00000000/spec-webhook"

Answer = Tuple[int, str, Mapping[str, str]]

OK: Answer = (200, "ok", {})
INVALID_TOKEN: Answer = (403, "invalid_token", {})
NO_SERVICE: Answer = (404, "no_service", {})


def rate_limited(seconds: int) -> Answer:
    return 429, "rate_limited", {"Retry-After": str(seconds)}


class SlackServer:
    """Listens while it is entered. ``refusals`` are given, one a request, before anything else."""

    def __init__(self, *refusals: Answer, address: str = "127.0.0.1") -> None:
        self.refusals: List[Answer] = list(refusals)
        self.messages: List[Dict[str, Any]] = []
        self.requests = 0
        handler = type("Handler", (_Handler,), {"slack": self})
        self._server = ThreadingHTTPServer((address, 0), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), daemon=True
        )

    @property
    def url(self) -> str:
        """The webhook, which is a secret of Slack's too."""
        return "http://{}:{}{}".format(*self._server.server_address, PATH)

    def __enter__(self) -> SlackServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: bytes) -> Answer:
        self.requests += 1
        if self.refusals:
            return self.refusals.pop(0)
        if path != PATH:
            return NO_SERVICE
        message, problem = _message(body)
        if message is None:
            return 400, problem, {}
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


class _Handler(BaseHTTPRequestHandler):
    slack: SlackServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        code, words, headers = self.slack.answer(self.path, body)
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(words)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):  # the caller gave up
            self.wfile.write(words.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Specs print nothing."""
