"""Alerts that are posted, on the loopback."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Mapping

from playbooks.core.errors import InvalidAlert
from playbooks.core.outcome import Outcome, Status
from playbooks.engines.http.content_encoding import LARGEST, TOO_LARGE, BodyRefused, decoded
from playbooks.engines.local import CannotStart
from playbooks.engines.local.interruption import Interruption

# Where alerts are taken.
HOST = "127.0.0.1"

Publish = Callable[[bytes, str], Outcome]


class _Server(ThreadingHTTPServer):
    # Closing waits for the requests that are being answered.
    daemon_threads = False


class Endpoint:
    """Listens from the start. ``port`` 0 takes a free one.

    Answers 200 with the outcome as JSON, 500 with it where it failed (as Kubeless does), 400 where
    the body is no alert. Nothing that a web page can send is taken. Raises CannotStart.
    """

    def __init__(self, port: int, publish: Publish, *, interruption: Interruption) -> None:
        handler = type("Handler", (_Handler,), {"publish": staticmethod(publish)})
        try:
            self._server = _Server((HOST, port), handler)
        except (OSError, OverflowError) as error:
            raise CannotStart(f"port {port} of {HOST} cannot be listened on: {error}") from error
        self._interruption = interruption
        self.url = f"http://{HOST}:{self._server.server_port}/"

    def serve(self) -> None:
        """Until interrupted."""
        self._server.timeout = 0.5
        try:
            while not self._interruption.requested:
                self._server.handle_request()
        finally:
            self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    publish: Publish
    timeout = 10  # seconds for each part of a request to come

    def do_POST(self) -> None:
        if self.path != "/":
            return self._refuse(404, "alerts are posted to /")
        # A page in a browser can post here too, and says where it comes from when it does.
        if self.headers.get("Origin") or not self._asked_for_this_host():
            return self._refuse(403, "alerts are not taken from web pages")
        length = self.headers.get("Content-Length") or ""
        if not (length.isascii() and length.isdigit()):
            return self._refuse(411, "Content-Length is missing")
        if int(length) > LARGEST:
            return self._refuse(413, TOO_LARGE)
        encoding = self.headers.get("Content-Encoding") or ""
        try:
            body = decoded(self.rfile.read(int(length)), encoding)
        except BodyRefused as error:
            return self._refuse(error.status, str(error))
        outcome = self.publish(body, self.client_address[0])
        return self._answer(_code(outcome), outcome.to_dict())

    def _not_allowed(self) -> None:
        if self.path != "/":
            return self._refuse(404, "alerts are posted to /")
        return self._refuse(405, "alerts are posted", Allow="POST")

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _not_allowed  # noqa: N815

    def _asked_for_this_host(self) -> bool:
        return (self.headers.get("Host") or HOST).partition(":")[0] in (HOST, "localhost")

    def _refuse(self, code: int, why: str, **headers: str) -> None:
        self.close_connection = True
        self._answer(code, {"error": why}, **headers)

    def _answer(self, code: int, document: Mapping[str, Any], **headers: str) -> None:
        body = json.dumps(document).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The report has a line an alert; no access log beside it."""


def _code(outcome: Outcome) -> int:
    if outcome.status is not Status.FAILED:
        return 200
    return 400 if isinstance(outcome.error, InvalidAlert) else 500
