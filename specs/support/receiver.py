"""A program on the loopback that takes what is posted to it, over real HTTP."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, List, Mapping, Tuple

Answer = Tuple[int, str, Mapping[str, str]]


@dataclass(frozen=True)
class Posted:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Listens while it is entered. ``refusals`` are given, one a request, before 204 for all."""

    def __init__(self, *refusals: Answer) -> None:
        self.refusals: List[Answer] = list(refusals)
        self.posted: List[Posted] = []
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), daemon=True
        )

    @property
    def address(self) -> str:
        return "{}:{}".format(*self._server.server_address)

    @property
    def url(self) -> str:
        return f"http://{self.address}/hooks/s3cret-path"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.posted.append(Posted(self.path, known, body))
        refusals = self.receiver.refusals
        code, words, headers = refusals.pop(0) if refusals else (204, "", {})
        self.send_response(code)
        self.send_header("Content-Length", str(len(words)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):  # the caller gave up
            self.wfile.write(words.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Specs print nothing."""
