"""A small server on loopback, of HTTPS or HTTP, and a proxy before it. Both note what they are
asked, and with which credentials."""

from __future__ import annotations

import json
import socket
import ssl
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, Mapping, Optional, TypeVar

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.connect import Connection, Route
from specs.support.loopback.certificates import Certificate

_Self = TypeVar("_Self", bound="LoopbackServer")


@dataclass(frozen=True)
class Asked:
    """``headers``: by name in lower case, with ``|`` between several of one name. ``certificate``:
    the common name in the client's. ``name``: that the client asked TLS for."""

    method: str
    path: str
    headers: Dict[str, str]
    certificate: str = ""
    name: Optional[str] = None
    content: bytes = b""

    @property
    def body(self) -> Any:
        """Its JSON, None where it has none."""
        return json.loads(self.content) if self.content else None


@dataclass
class Answer:
    """``body``: bytes as they are, anything else as JSON. ``then`` gets the connection afterwards,
    which is closed when it returns. ``cut``: it is closed without an answer."""

    status: int = 200
    body: Any = field(default_factory=lambda: {"kind": "Answer"})
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Optional[Callable[[Any], None]] = None
    cut: bool = False


def a_status(code: int, reason: str, message: str = "why", **more: Any) -> Answer:
    """A Status object, as an API server answers with."""
    status = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return Answer(code, {**status, "code": code, **more})


def nothing_there(_: Asked) -> Answer:
    """What an API server answers that has no object."""
    return a_status(404, "NotFound", "it is not there")


class LoopbackServer:
    """Listens until it is stopped, or while it is entered. ``answer`` gives what is answered to a
    request; ``refusals`` are given before, one a request. ``clients``: whose clients' certificates
    it knows."""

    def __init__(
        self,
        certificate: Optional[Certificate] = None,
        *,
        clients: Optional[Certificate] = None,
        host: str = "127.0.0.1",
        port: int = 0,
        answer: Callable[[Asked], Answer] = lambda asked: Answer(),
    ) -> None:
        self.asked: List[Asked] = []
        self.refusals: List[Answer] = []
        self.answer = answer
        self._server = _Server((host, port), _handler(self))
        self.port = self._server.server_address[1]
        self.scheme = "https" if certificate else "http"
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{self.scheme}://{shown}:{self.port}"
        if certificate:
            self._server.context = _context(certificate, clients)
        threading.Thread(target=self._server.serve, daemon=True).start()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.stop()


def api_of(server: LoopbackServer) -> KubernetesApi:
    """The client of an API server that it is."""
    return KubernetesApi(connect=lambda: Connection(Route(server.url)))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    context: Optional[ssl.SSLContext] = None
    stopped = False

    def __init__(self, address: Any, handler: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def serve(self) -> None:
        """Until it is stopped. ``serve_forever`` looks every moment whether it is."""
        while not self.stopped:
            self._handle_request_noblock()  # type: ignore[attr-defined]

    def stop(self) -> None:
        self.stopped = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the thread of the request: a client that refuses our certificate holds up nobody.
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, *_: Any) -> None:
        """Clients that go away, or refuse the certificate, are what some specs are about."""


def _context(certificate: Certificate, clients: Optional[Certificate]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.pem + certificate.key)
        file.flush()
        context.load_cert_chain(file.name)
    if clients:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=clients.pem.decode())

    def noted(connection: Any, name: Optional[str], _context: Any) -> None:
        connection.asked_for = name

    context.sni_callback = noted
    return context


def _handler(server: LoopbackServer) -> Any:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            asked = Asked(
                self.command,
                self.path,
                {key.lower(): "|".join(self.headers.get_all(key)) for key in self.headers},
                _common_name(self.connection),
                getattr(self.connection, "asked_for", None),
                self._content(),
            )
            server.asked.append(asked)
            self._say(server.refusals.pop(0) if server.refusals else server.answer(asked))

        def _content(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content, size = b"", 1
            while size:
                size = int(self.rfile.readline().partition(b";")[0], 16)
                content += self.rfile.read(size)
                self.rfile.readline()
            return content

        def _say(self, answer: Answer) -> None:
            if answer.cut:
                self.close_connection = True
                return
            body = answer.body
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            with suppress(OSError):
                self.send_response(answer.status)
                length = {} if answer.status == 101 else {"Content-Length": str(len(body))}
                for name, value in {**length, **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if answer.then:
                    answer.then(self.connection)
                    self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _common_name(connection: Any) -> str:
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    parts = [part for each in (certificate or {}).get("subject", ()) for part in each]
    return str(dict(parts).get("commonName", ""))


class Proxy:
    """Passes on what it is asked to, to one server, whatever name it is asked for.

    ``asked``: first lines of requests. ``credentials``: the header of the last one.
    """

    def __init__(self, server: LoopbackServer) -> None:
        self.asked: List[str] = []
        self.credentials = ""
        self._to = ("127.0.0.1", server.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = client.recv(4096)
            if not part:
                return
            head += part
        first, *lines = head.decode().split("\r\n")
        self.asked.append(first)
        given = [line.partition(": ") for line in lines]
        self.credentials = next(
            (value for name, _, value in given if name.lower() == "proxy-authorization"), ""
        )
        upstream = socket.create_connection(self._to)
        if first.startswith("CONNECT"):
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            upstream.sendall(head)
        threading.Thread(target=_copy, args=(client, upstream), daemon=True).start()
        _copy(upstream, client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while True:
            part = source.recv(65536)
            if not part:
                break
            target.sendall(part)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


class Receiver(LoopbackServer):
    """Answers 204. ``url``: its hook, whose path is a secret; ``address``: host and port."""

    def __init__(self, *refusals: Answer) -> None:
        super().__init__(answer=lambda _: Answer(204, b""))
        self.refusals.extend(refusals)
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}/hooks/s3cret-path"
