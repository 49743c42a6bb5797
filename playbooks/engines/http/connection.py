"""One connection of the HTTP server: requests in, answers out, each within its time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional

import h11

from playbooks.core.alert import SHORT
from playbooks.engines import log
from playbooks.engines.http.content_encoding import LARGEST, TOO_LARGE, BodyRefused, decoded

# Seconds for the first byte to come, from then on for a whole head, and for a whole request; and
# for a connection to stay open between two requests.
FIRST_BYTE = 5.0

HEAD = 5.0

PATIENCE = 10.0

IDLE = 60.0

# Seconds that a sender gets to end a request which is refused before it was read.
LINGER = 1.0

# Bytes of the largest head of a request; of all bodies that a server holds, beside short ones, for
# which there is always room: who has no token may send bodies, too.
LARGEST_HEAD, MOST_BODIES = 16 * 1024, 64 * 1024 * 1024

# States of a sender whose request was read to its end.
WHOLE = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, status: int, document: Mapping[str, Any], **headers: str) -> Response:
        return cls(status, json.dumps(document).encode() + b"\n", headers=headers)

    @classmethod
    def error(cls, status: int, why: str, **headers: str) -> Response:
        return cls.of_json(status, {"error": why}, **headers)

    @classmethod
    def of_probe(cls, missing: Optional[str]) -> Response:
        """``missing``: what it cannot do its work without; None or empty where that is nothing."""
        return cls.error(503, missing) if missing else cls(200, b"OK\n", "text/plain")


@dataclass(frozen=True)
class HttpRequest:
    """Header names are in lower case. ``body`` reads it: not before somebody wants it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Callable[[], Awaitable[bytes]]

    async def content(self) -> bytes:
        """The body without its Content-Encoding. Raises BodyRefused."""
        return decoded(await self.body(), self.headers.get("content-encoding", ""))


Handle = Callable[[HttpRequest], Awaitable[Response]]


class Bodies:
    """The bytes of those that a server holds."""

    held = 0


class HttpConnection:
    """``answering``: a whole request has come, and its answer is not made yet. Only then does the
    connection not give way to a new one."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handle: Handle,
        patience: float,
        bodies: Bodies,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._handle = handle
        self._patience = patience
        self._bodies = bodies
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        self._deadline = 0.0
        self._busy = False
        self._last = False
        self._size = 0
        self.answering = False
        peer = writer.get_extra_info("peername")
        self.source = peer[0] if peer else ""

    def abort(self) -> None:
        """Give way to a new one."""
        self._writer.transport.abort()

    def last(self) -> None:
        """End after the request under way."""
        self._last = True
        if not self._busy:
            self._writer.close()

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        idle = FIRST_BYTE
        while True:
            self._busy = False
            # Idle until the first byte; from then on the whole request has its time.
            if not self._parser.trailing_data[0]:
                data = await asyncio.wait_for(self._reader.read(65536), idle)
                self._parser.receive_data(data)
                if not data:
                    return
            idle = IDLE
            self._busy = True
            begun = loop.time()
            self._deadline = begun + min(HEAD, self._patience)
            try:
                head = await self._event()
            except (h11.RemoteProtocolError, asyncio.TimeoutError) as error:
                status = getattr(error, "error_status_hint", 408)
                await self._send(Response.error(status, "this is no HTTP request"), last=True)
                return
            if not isinstance(head, h11.Request):
                return
            self._deadline = begun + self._patience
            response = await self._answered(head)
            unread = self._parser.their_state not in WHOLE
            # From now on it is up to the sender, who may read nothing of it.
            self.answering = False
            await self._send(response, last=unread or self._last)
            if unread:
                await self._linger()
            if unread or self._last or self._parser.our_state is not h11.DONE:
                return
            self._parser.start_next_cycle()

    async def _linger(self) -> None:
        """Let the sender finish before it is hung up on: else it may never see the answer."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LINGER
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            self._writer.write_eof()
            while await asyncio.wait_for(self._reader.read(65536), until - loop.time()):
                pass

    async def _answered(self, head: h11.Request) -> Response:
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        path = head.target.decode("latin-1").partition("?")[0]
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LARGEST:
            return Response.error(413, TOO_LARGE)
        request = HttpRequest(head.method.decode(), path, headers, self._body)
        if length == "0" and "transfer-encoding" not in headers:
            await self._body()
        self.answering = True
        try:
            return await self._handle(request)
        except BodyRefused as refused:
            return Response.error(refused.status, str(refused))
        except h11.RemoteProtocolError as error:
            return Response.error(error.error_status_hint, "this is no HTTP request")
        except Exception as error:
            log.error(f"HTTP {request.method} {request.path}: {error!r}")
            return Response.error(500, "an error of the worker, see its log")
        finally:
            self._bodies.held -= self._size
            self._size = 0

    async def _body(self) -> bytes:
        before, self.answering = self.answering, False
        try:
            return await self._read_body()
        finally:
            self.answering = before

    async def _read_body(self) -> bytes:
        parts: List[bytes] = []
        if self._parser.their_state in WHOLE:
            return b""
        if self._parser.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            self._writer.write(self._parser.send(go_on) or b"")
        while True:
            try:
                event = await self._event()
            except asyncio.TimeoutError:
                said = f"the request took longer than {self._patience:.0f} s to come"
                raise BodyRefused(408, said) from None
            if isinstance(event, h11.EndOfMessage):
                return b"".join(parts)
            if not isinstance(event, h11.Data):
                raise BodyRefused(400, "the request ended early")
            self._size += len(event.data)
            self._bodies.held += len(event.data)
            if self._size > LARGEST:
                raise BodyRefused(413, TOO_LARGE)
            if self._size > SHORT and self._bodies.held > MOST_BODIES:
                raise BodyRefused(503, "too many long alerts are being sent")
            parts.append(bytes(event.data))

    async def _event(self) -> Any:
        while True:
            event = self._parser.next_event()
            if event is not h11.NEED_DATA:
                return event
            left = self._deadline - asyncio.get_running_loop().time()
            data = await asyncio.wait_for(self._reader.read(65536), max(left, 0.001))
            self._parser.receive_data(data)

    async def _send(self, response: Response, *, last: bool) -> None:
        headers: Dict[str, str] = {
            "Content-Type": response.type,
            "Content-Length": str(len(response.body)),
            **response.headers,
        }
        if last:
            headers["Connection"] = "close"
        if self._parser.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        head = h11.Response(status_code=response.status, headers=list(headers.items()))
        self._writer.write(self._parser.send(head) or b"")
        self._writer.write(self._parser.send(h11.Data(data=response.body)) or b"")
        self._writer.write(self._parser.send(h11.EndOfMessage()) or b"")
        await asyncio.wait_for(self._writer.drain(), self._patience)
