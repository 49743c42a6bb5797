"""HTTP/1.1 on sockets that are kept, with parsers in C: what a call costs beside the API server.

Of a DELETE, urllib3 takes half a millisecond of the processor, and this a third of that. It is used
where httptools is installed, as for a worker, and no proxy stands in between; answers that are read
as they come are urllib3's. It does what urllib3 is asked for here: no redirect, no second try.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from http.client import HTTPException
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

import urllib3

try:
    import httptools
    import msgspec
except ImportError:  # urllib3 and json do it, too
    httptools = None  # type: ignore[assignment]

#: Whether it can be used.
THERE = httptools is not None

# Bytes that are taken from a socket at once.
CHUNK = 64 * 1024


@dataclass(frozen=True)
class WireAnswer:
    """``headers``: by name in small letters."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Wire:
    """Connections to one server. Threads may share it.

    ``name``: in its certificate. ``tls`` None: plain HTTP. ``most``: connections that are kept.
    """

    def __init__(
        self, server: str, *, tls: Optional[Callable[[], ssl.SSLContext]], name: str, most: int
    ) -> None:
        parts = urlsplit(server)
        host = parts.hostname or ""
        self._address = (host, parts.port or (443 if tls else 80))
        self._host = parts.netloc
        self._prefix = len(f"{parts.scheme}://{parts.netloc}")
        self._name = name or host
        self._context = tls() if tls else None
        self._most = most
        self._lock = threading.Lock()
        self._idle: List[socket.socket] = []

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Iterable[Tuple[str, str]],
        body: Optional[str],
        timeout: urllib3.Timeout,
    ) -> WireAnswer:
        """Raises OSError, HTTPException or ValueError."""
        content = (body or "").encode()
        lines = [f"{method} {url[self._prefix :] or '/'} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if content or method not in ("GET", "HEAD"):
            lines.append(f"Content-Length: {len(content)}")
        head = "\r\n".join(lines)
        if head.count("\r") >= len(lines) or head.count("\n") >= len(lines):
            raise ValueError("a header has a line break in it")
        asked = head.encode("latin-1") + b"\r\n\r\n" + content
        connecting, reading = _seconds_of(timeout)
        connection = self._kept() or self._connected(connecting)
        answer = _Parsed()
        try:
            if connection.gettimeout() != reading:
                # Each is a call of the system.
                connection.settimeout(reading)
            connection.sendall(asked)
            answer.read(connection)
        except BaseException:
            connection.close()
            raise
        finally:
            answer.end()
        if answer.keeps:
            self._keep(connection)
        else:
            connection.close()
        return WireAnswer(answer.status, answer.headers, b"".join(answer.parts))

    def _connected(self, seconds: Optional[float]) -> socket.socket:
        plain = socket.create_connection(self._address, timeout=seconds)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                return plain
            return self._context.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise

    def _kept(self) -> Optional[socket.socket]:
        """One that nobody closed, and that nothing waits on."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _is_readable(connection):
                return connection
            connection.close()

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._idle) < self._most:
                self._idle.append(connection)
                return
        connection.close()


class _Parsed:
    """What httptools calls while it parses."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Dict[str, str] = {}
        self.parts: List[bytes] = []
        self.keeps = False
        self._whole = self._headed = False
        self._parser: Any = httptools.HttpResponseParser(self)

    def read(self, connection: socket.socket) -> None:
        while not self._whole:
            received = connection.recv(CHUNK)
            if not received:
                if self._headed and not self._framed:
                    return
                raise ConnectionError("the connection was closed before the answer was whole")
            try:
                self._parser.feed_data(received)
            except httptools.HttpParserError as error:
                raise HTTPException(f"no answer of HTTP: {error}") from error

    def end(self) -> None:
        """The parser holds this, and what was read with it: a page of a list would stay in memory
        until somebody looks for cycles."""
        self._parser = None

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[_name(name)] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._headed = True

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        if 100 <= self.status <= 199:
            self.headers, self._headed = {}, False
            return
        self._whole = True
        self.keeps = self._parser.should_keep_alive() and self._framed

    @property
    def _framed(self) -> bool:
        return bool({"content-length", "transfer-encoding"} & set(self.headers))


@lru_cache(maxsize=16)
def _seconds_of(timeout: urllib3.Timeout) -> Tuple[Optional[float], Optional[float]]:
    """To connect, and between two parts of an answer."""
    begun = timeout.clone()
    begun.start_connect()
    return _seconds(begun.connect_timeout), _seconds(begun.read_timeout)


def _seconds(given: Any) -> Optional[float]:
    """None, and what urllib3 has for "not said", is no limit."""
    return float(given) if isinstance(given, (int, float)) and not isinstance(given, Enum) else None


@lru_cache(maxsize=64)
def _name(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _is_readable(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def is_json_object(text: bytes) -> bool:
    """Whether it is one, when nobody looks into it: nothing is made of what is in it."""
    if httptools is None:
        try:
            return isinstance(json.loads(text), dict)
        except (ValueError, RecursionError):
            return False
    try:
        _OBJECT.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


_OBJECT: Any = None if httptools is None else msgspec.json.Decoder(Dict[str, msgspec.Raw])
