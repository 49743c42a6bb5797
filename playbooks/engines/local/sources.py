"""Where alerts come from: files and standard input, HTTP, or a NATS server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence, Tuple

from playbooks.core.errors import InvalidAlert, InvalidSetting
from playbooks.core.outcome import Outcome, Status
from playbooks.core.settings import Settings, read
from playbooks.engines.http.content_encoding import LARGEST, CannotDecode, decoded
from playbooks.engines.local.errors import CannotStart
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.settings import NATS_SETTINGS

STANDARD_INPUT = "-"

# Where alerts are taken by HTTP.
HOST = "127.0.0.1"

# Seconds to wait for each NATS server at the start.
CONNECT = 5

# Alerts that wait for the one under way, as many as Kubeless' client keeps.
MOST_WAITING = 65_536

Publish = Callable[[bytes, str], Outcome]
Deliver = Callable[[bytes, str], Any]


def lines(files: Sequence[str]) -> Iterator[Tuple[bytes, str]]:
    """Each line that is not blank, and where it stands: ``alerts.jsonl:3``."""
    for file in files:
        if file == STANDARD_INPUT:
            yield from _numbered(iter(sys.stdin.buffer.readline, b""), "standard input")
        else:
            with Path(file).open("rb") as stream:
                yield from _numbered(iter(stream.readline, b""), Path(file).name)


def check(files: Sequence[str]) -> None:
    """Raises CannotStart where one cannot be read."""
    for file in files:
        if file == STANDARD_INPUT:
            continue
        # Not opened: of a pipe, that would be the only time.
        if not Path(file).exists():
            raise CannotStart(f"{file} cannot be read: there is no such file")
        if Path(file).is_dir() or not os.access(file, os.R_OK):
            raise CannotStart(f"{file} cannot be read")


def _numbered(stream: Iterator[bytes], name: str) -> Iterator[Tuple[bytes, str]]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield line.strip(), f"{name}:{number}"


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
    timeout = 10  # seconds for the whole request to come

    def do_POST(self) -> None:
        if self.path != "/":
            return self._refuse(404, "alerts are posted to /")
        # A page in a browser can post here too, and says where it comes from when it does.
        if self.headers.get("Origin") or not self._asked_for_this_host():
            return self._refuse(403, "alerts are not taken from web pages")
        length = self.headers.get("Content-Length") or ""
        if not length.isdigit():
            return self._refuse(411, "Content-Length is missing")
        if int(length) > LARGEST:
            return self._refuse(413, f"an alert has at most {LARGEST} bytes")
        encoding = self.headers.get("Content-Encoding") or ""
        try:
            body = decoded(self.rfile.read(int(length)), encoding)
        except CannotDecode as error:
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


def nats_settings(environ: Mapping[str, str]) -> Settings:
    """Raises CannotStart."""
    try:
        return read(NATS_SETTINGS, environ)
    except InvalidSetting as error:
        raise CannotStart(str(error)) from error


def subscribe(
    settings: Settings,
    topics: Sequence[str],
    deliver: Deliver,
    *,
    note: Callable[[str], None],
    interruption: Interruption,
) -> None:
    """Deliver every message until interrupted; reconnect for ever.

    A message that two topics match comes twice, as with Kubeless, and one that is published while
    the connection is down is lost. ``settings``: NATS_URL and the others of ``nats_settings``.
    Raises CannotStart.
    """
    try:
        from playbooks.engines.worker.nats import connection
    except ImportError as error:
        raise CannotStart(f"NATS_URL needs nats-py: pip install nats-py ({error})") from error
    asyncio.run(_Subscriber(settings, note, connection).run(topics, deliver, interruption))


class _Subscriber:
    """``connection``: the module, which needs nats-py."""

    def __init__(self, settings: Settings, note: Callable[[str], None], connection: Any) -> None:
        self._settings = settings
        self._module = connection
        self._shown = connection.shown(settings)
        self._note = note
        self._connected = False
        self._last_error: Any = "no answer"

    async def run(
        self, topics: Sequence[str], deliver: Deliver, interruption: Interruption
    ) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[Tuple[bytes, str]] = asyncio.Queue(MOST_WAITING)

        async def take(message: Any) -> None:
            await waiting.put((message.data, message.subject))

        connection = await self._connect()
        try:
            for topic in topics:
                await connection.subscribe(topic, cb=take)
            await connection.flush()
            self._note(f"listening on {self._shown} for {', '.join(topics)}; Ctrl-C ends it")
            while not interruption.requested:
                body, subject = await waiting.get()
                await loop.run_in_executor(None, deliver, body, subject)
        finally:
            self._connected = False
            await connection.close()
            if not waiting.empty():
                self._note(f"alerts that were waiting, and are lost: {waiting.qsize()}")

    async def _connect(self) -> Any:
        seconds = CONNECT * len(self._settings["NATS_URL"])
        try:
            connection = self._module.client(self._settings)
            await asyncio.wait_for(
                connection.connect(
                    name="falco-playbooks",
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                    **self._module.options(self._settings),
                ),
                seconds,
            )
        except asyncio.TimeoutError:
            raise CannotStart(
                f"the NATS server {self._shown} did not answer in {seconds} s: {self._last_error}"
            ) from None
        except InvalidSetting as error:
            raise CannotStart(str(error)) from None
        except Exception as error:
            said = f"NATS_URL ({self._shown}) cannot be used: {type(error).__name__}"
            raise CannotStart(said) from None
        self._connected = True
        return connection

    async def _on_error(self, error: Exception) -> None:
        self._last_error = error or type(error).__name__
        if self._connected:
            self._note(f"NATS: {error or type(error).__name__}")

    async def _on_disconnect(self) -> None:
        if self._connected:
            self._note(f"the connection to {self._shown} is lost, reconnecting")

    async def _on_reconnect(self) -> None:
        self._note(f"connected to {self._shown} again")
