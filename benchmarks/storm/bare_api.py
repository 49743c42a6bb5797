"""The API server's own limit: read the pod, delete it, from some connections and nothing else; and
the same of the deletion alone, with the pod's uid and resourceVersion as preconditions.

Requests are written as bytes that were made before; of answers only the end is looked for. The
connections are shared out among processes, one a processor, so that no interpreter's lock counts.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import socket
import ssl
import threading
import time
from typing import Any, Callable, Dict, List, Sequence, Tuple

from benchmarks.storm.ground import Ground, Manifest

# Seconds to answer one request.
TIMEOUT = 30.0


class Connection:
    """HTTP/1.1 over TLS, kept open, as the account of the ground."""

    def __init__(self, ground: Ground, address: Tuple[str, int]) -> None:
        server = ground.view["clusters"][0]["cluster"]
        host, port = ground.api_server
        context = ssl.create_default_context()
        if "certificate-authority-data" in server:
            pem = base64.b64decode(server["certificate-authority-data"]).decode()
            context.load_verify_locations(cadata=pem)
        plain = socket.create_connection(address, timeout=TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = server.get("tls-server-name", host)
        self._socket = context.wrap_socket(plain, server_hostname=name)
        self._head = (
            f"Host: {host}:{port}\r\nAuthorization: Bearer {ground.token}\r\n"
            "Accept: application/json\r\nContent-Type: application/json\r\n"
        )

    def read_and_delete(self, pod: Manifest) -> None:
        self._ask("GET", _path(pod), "")
        self._delete(pod, "uid")

    def delete(self, pod: Manifest) -> None:
        self._delete(pod, "uid", "resourceVersion")

    def _delete(self, pod: Manifest, *held: str) -> None:
        metadata = pod["metadata"]
        body = json.dumps(
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "gracePeriodSeconds": 1,
                "preconditions": {key: metadata[key] for key in held},
            }
        )
        self._ask("DELETE", _path(pod), body)

    def _ask(self, method: str, path: str, body: str) -> None:
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall((head + body).encode())
        answer = self._socket.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{method} {path}: {answer[:300]!r}")
        while not _whole(answer):
            answer += self._socket.recv(65536)


def _path(pod: Manifest) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return body.endswith(b"0\r\n\r\n")


def limit(
    ground: Ground,
    pods: Sequence[Manifest],
    connections: int,
    seconds: float,
    *,
    calls: int = 2,
) -> float:
    """Pods a second that are gone, from the first request to the last pod's end. ``calls``: 2, or
    1 for the deletion alone."""
    context = multiprocessing.get_context("fork")
    processes = min(os.cpu_count() or 1, connections)
    ready, go = context.Semaphore(0), context.Event()
    shares = _shares(list(pods), connections)
    children = [
        context.Process(
            target=_child, args=(ground, shares[n::processes], calls, ready, go), daemon=True
        )
        for n in range(processes)
    ]
    for child in children:
        child.start()
    for _ in children:
        if not ready.acquire(timeout=TIMEOUT):
            raise RuntimeError("the API server lets nobody connect")
    began = time.monotonic()
    go.set()
    moments = ground.gone.wait(pods, seconds)
    for child in children:
        child.join(TIMEOUT)
    if len(moments) < len(pods):
        raise RuntimeError(f"{len(pods) - len(moments)} pods are left after {seconds:.0f} s")
    return len(pods) / (moments[-1] - began)


def idle(
    ground: Ground, pods: Sequence[Manifest], spacing: float, *, calls: int = 2
) -> List[float]:
    """Seconds from the first of the requests to the pod's end, one pod after the other, through
    the tap as everybody."""
    connection, taken = Connection(ground, ground.tap.address), []
    for pod in pods:
        time.sleep(spacing)
        began = time.monotonic()
        _CALLS[calls](connection, pod)
        taken += [moment - began for moment in ground.gone.wait([pod], TIMEOUT)]
    return taken


def _shares(pods: List[Manifest], count: int) -> List[List[Manifest]]:
    return [pods[n::count] for n in range(count)]


def _child(ground: Ground, shares: List[List[Manifest]], calls: int, ready: Any, go: Any) -> None:
    pairs: List[Tuple[Connection, List[Manifest]]] = [
        (Connection(ground, ground.api_server), share) for share in shares
    ]
    ready.release()
    go.wait()
    threads = [threading.Thread(target=_work, args=(*pair, calls)) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Without the clean-up that the parent does at its end.
    os._exit(0)


def _work(connection: Connection, pods: List[Manifest], calls: int) -> None:
    for pod in pods:
        _CALLS[calls](connection, pod)


_CALLS: Dict[int, Callable[[Connection, Manifest], None]] = {
    1: Connection.delete,
    2: Connection.read_and_delete,
}
