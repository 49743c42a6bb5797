"""A command in a container, over a WebSocket.

Source: k8s.io/apimachinery/pkg/util/remotecommand (subprotocols v4 and v5). Each frame begins with
the number of its stream; the last one of stream 3 says how the command ended.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, Dict, Generator, Iterator, Mapping, Sequence, Tuple
from urllib.parse import urlencode, urlsplit

from playbooks.core.cluster.objects import LONGEST_COMMAND, Executed
from playbooks.core.errors import ClusterUnavailable, NoCluster, Refused
from playbooks.core.evidence.steps import Log
from playbooks.infrastructure.kubernetes.api import (
    AGENT,
    KubernetesApi,
    error_of,
    json_object,
    shown,
    typed,
    url_of,
)
from playbooks.infrastructure.kubernetes.connect import Connection, Route

# Seconds to connect, and bytes that the command may write: it can be a stranger's program.
CONNECT, MOST = 10.0, 256 * 1024 * 1024

SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")

_OUT, _ERR, _STATUS = 1, 2, 3


def execute(
    api: KubernetesApi,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    *,
    seconds: float = LONGEST_COMMAND,
) -> Executed:
    """Needs the right to get pods/exec, and from Kubernetes 1.35 on the right to create it.

    Raises NotFound, NotPermitted, Refused (the program is not there, or writes more than is read),
    ClusterUnavailable (also for a command that takes longer than ``seconds``) or NoCluster.
    """
    streams: Dict[int, bytearray] = {}
    what, left = f"{command[0]} in pod {namespace}/{pod}", MOST
    with closing(_run(api, namespace, pod, container, command, seconds)) as frames:
        for stream, data in frames:
            left -= len(data)
            if left < 0:
                raise Refused(f"{what} writes more than {MOST} bytes, and no more is read")
            streams.setdefault(stream, bytearray()).extend(data)
    return _executed(streams, what)


def output(
    api: KubernetesApi,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    *,
    most: int,
    seconds: float,
) -> Log:
    """The first ``most`` bytes of what the command writes: it is a stranger's program. Raises as
    ``execute``, and Refused where it fails."""
    streams = {_OUT: bytearray(), _ERR: bytearray(), _STATUS: bytearray()}
    with closing(_run(api, namespace, pod, container, command, seconds)) as frames:
        for stream, data in frames:
            held = streams.setdefault(stream, bytearray())
            held.extend(data[: most + 1 - len(held)])
            if len(streams[_OUT]) > most:
                cut = f"only the first {most} bytes were read"
                return Log(bytes(streams[_OUT][:most]), cut)
    done = _executed(streams, f"{command[0]} in pod {namespace}/{pod}")
    if done.code:
        why = " ".join(done.err.split())[:200]
        raise Refused(f"{command[0]} ended with exit code {done.code}: {why}")
    return Log(bytes(streams[_OUT]))


def _run(
    api: KubernetesApi,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    seconds: float,
) -> Generator[Tuple[int, bytes], None, None]:
    path = ("api", "v1", "namespaces", namespace, "pods", pod, "exec")
    asked = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query = urlencode([*asked, *(("command", word) for word in command)])
    with typed("GET", path):
        yield from _frames(api.connection(), path, query, time.monotonic() + seconds)


def _frames(
    connection: Connection, path: Sequence[str], query: str, deadline: float
) -> Iterator[Tuple[int, bytes]]:
    """What comes on which stream until the API server closes them."""
    import websocket  # falco-playbook needs it, and what looks into a container

    opened = _socket(connection.route)
    try:
        channel = _channel(opened, connection, path, query)
        while True:
            opened.settimeout(max(deadline - time.monotonic(), 0.001))
            kind, frame = channel.recv_data()
            if kind == websocket.ABNF.OPCODE_CLOSE:
                return
            if frame:
                yield frame[0], frame[1:]
    except websocket.WebSocketTimeoutException as error:
        raise ClusterUnavailable("the command did not end in time") from error
    except websocket.WebSocketConnectionClosedException:
        return
    except websocket.WebSocketException as error:
        raise ClusterUnavailable(f"the API server speaks no WebSocket: {error}") from error
    finally:
        opened.close()


def _channel(opened: socket.socket, connection: Connection, path: Sequence[str], query: str) -> Any:
    import websocket

    url = url_of(connection.server, path)
    headers = [("User-Agent", AGENT), *connection.headers()]
    try:
        channel = websocket.create_connection(
            f"ws{url[4:]}?{query}",
            socket=opened,
            header=[f"{name}: {value}" for name, value in headers],
            subprotocols=list(SUBPROTOCOLS),
            suppress_origin=True,
            # Credentials are for this server only.
            redirect_limit=0,
            timeout=CONNECT,
        )
        if channel.getstatus() != 101:
            raise ClusterUnavailable(f"GET {shown(path)}: no WebSocket ({channel.getstatus()})")
        return channel
    except websocket.WebSocketBadStatusException as error:
        answer = json_object(error.resp_body or b"")
        raise error_of(
            error.status_code, answer, error.resp_headers or {}, f"GET {shown(path)}"
        ) from error


def _socket(route: Route) -> socket.socket:
    """Connected to the API server, through the proxy if there is one."""
    server, proxy = urlsplit(route.server), urlsplit(route.proxy)
    host = server.hostname or ""
    port = server.port or (443 if route.tls else 80)
    if proxy.scheme == "https":
        raise NoCluster(f"a command cannot be run through a proxy of HTTPS: {route.proxy}")
    if route.proxy:
        tunnel = HTTPConnection(proxy.hostname or "", proxy.port or 80, timeout=CONNECT)
        tunnel.set_tunnel(host, port, dict(route.proxy_headers))
        tunnel.connect()
        opened = tunnel.sock
    else:
        opened = socket.create_connection((host, port), CONNECT)
    if not route.tls:
        return opened
    return route.tls().wrap_socket(opened, server_hostname=route.server_name or host)


def _executed(streams: Mapping[int, bytearray], what: str) -> Executed:
    status = json_object(bytes(streams.get(_STATUS, b"")))
    if status is None:
        raise ClusterUnavailable(f"the connection ended before {what} did")
    # Decoded as a whole: a frame may end within a character.
    out, err = (bytes(streams.get(n, b"")).decode("utf-8", "replace") for n in (_OUT, _ERR))
    if status.get("status") == "Success":
        return Executed(0, out, err)
    causes = (status.get("details") or {}).get("causes") or ()
    code = next((c.get("message") for c in causes if c.get("reason") == "ExitCode"), "")
    if not str(code).isdigit():
        raise Refused(f"{what} was not run: {status.get('message') or json.dumps(status)}")
    return Executed(int(code), out, err)
