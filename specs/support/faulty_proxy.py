"""A proxy before the real API server, which answers some requests in its own way.

Plain HTTP on a loopback port; what it passes on has the rights of the kubeconfig.
"""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Mapping, Optional

import urllib3

from playbooks.infrastructure.kubernetes.api import TIMEOUT, KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.connect import Connection, Route, as_kubectl


@dataclass
class Fault:
    """What happens to the next ``times`` requests that it is for.

    ``method`` and ``path`` are regular expressions. ``status`` and ``body`` are answered instead of
    what the API server would have said; with neither, the connection is cut. ``passed_on``: the API
    server does what it was asked to, and only its answer is lost. ``hangs``: seconds of silence.
    ``then`` is called before the answer. ``first``: called before the request is passed on, and
    that is all that is wrong with it.
    """

    method: str = ".*"
    path: str = ".*"
    times: int = 1
    status: Optional[int] = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    passed_on: bool = False
    hangs: float = 0.0
    then: Callable[[], Any] = lambda: None
    first: Optional[Callable[[], Any]] = None

    def is_for(self, method: str, path: str) -> bool:
        wanted = re.fullmatch(self.method, method) and re.search(self.path, path)
        return self.times > 0 and wanted is not None


def says(status: int, reason: str, message: str, **more: Any) -> Fault:
    """A Status object of the API, as it answers with."""
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return Fault(status=status, body=json.dumps({**body, "code": status}).encode(), **more)


class FaultyProxy:
    def __init__(self, *faults: Fault) -> None:
        self.faults, self.seen = list(faults), []  # type: List[Fault], List[str]
        self._upstream = as_kubectl().connect()
        self._lock = threading.Lock()
        self._port = 0
        self._server: Optional[ThreadingHTTPServer] = None
        self.start()

    def start(self) -> None:
        """Listen, after ``stop`` at the same port."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    def cluster(self, timeout: urllib3.Timeout = TIMEOUT) -> KubernetesCluster:
        """The cluster behind it."""

        def connect() -> Connection:
            return Connection(Route(f"http://127.0.0.1:{self._port}"))

        return KubernetesCluster(KubernetesApi(connect=connect, timeout=timeout))

    def calls(self, method: str) -> int:
        """How many requests of a method it got."""
        return sum(call.startswith(f"{method} ") for call in self.seen)

    def fault_for(self, method: str, path: str) -> Optional[Fault]:
        with self._lock:
            self.seen.append(f"{method} {path}")
            found = next((fault for fault in self.faults if fault.is_for(method, path)), None)
            if found:
                found.times -= 1
            return found

    def pass_on(self, method: str, path: str, body: bytes, content_type: str) -> Any:
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        return self._upstream.pool.request(
            method,
            self._upstream.server + path,
            body=body or None,
            headers={**headers, **dict(self._upstream.headers())},
            timeout=10,
            retries=False,
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """A client that went away is what some specs are about."""


def _handler(proxy: FaultyProxy) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.fault_for(self.command, self.path)
            if fault and fault.first:
                fault.first()
                fault = None
            if fault is None or fault.passed_on:
                kind = self.headers.get("Content-Type", "")
                answer = proxy.pass_on(self.command, self.path, body, kind)
            if fault is None:
                self._answer(answer.status, answer.data, {})
                return
            time.sleep(fault.hangs)
            fault.then()
            if fault.status:
                self._answer(fault.status, fault.body, fault.headers)
            self.close_connection = True

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            with suppress(ConnectionError):
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
