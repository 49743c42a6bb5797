"""A proxy before the real API server, which answers some requests in its own way.

Plain HTTP on a loopback port; what it passes on has the rights of the kubeconfig.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Optional

import urllib3

from playbooks.infrastructure.kubernetes.api import TIMEOUT, KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.connect import Connection, Route, as_kubectl
from specs.support.loopback.server import Answer, Asked, LoopbackServer, a_status

# One connection a request, so that none outlives the proxy.
_CLOSE = {"Connection": "close"}


@dataclass
class Fault:
    """What happens to the next ``times`` requests that it is for.

    ``method`` and ``path`` are regular expressions. ``answer`` is given instead of what the API
    server would have said; without one, the connection is cut. ``passed_on``: the API server does
    what it was asked to, and only its answer is lost. ``hangs``: seconds of silence. ``then`` is
    called before the answer. ``first``: called before the request is passed on, and that is all
    that is wrong with it.
    """

    method: str = ".*"
    path: str = ".*"
    times: int = 1
    answer: Answer = field(default_factory=lambda: Answer(cut=True))
    passed_on: bool = False
    hangs: float = 0.0
    then: Callable[[], Any] = lambda: None
    first: Optional[Callable[[], Any]] = None

    def is_for(self, method: str, path: str) -> bool:
        wanted = re.fullmatch(self.method, method) and re.search(self.path, path)
        return self.times > 0 and wanted is not None


def says(
    status: int,
    reason: str,
    message: str,
    *,
    headers: Optional[Mapping[str, str]] = None,
    **more: Any,
) -> Fault:
    """A Status object of the API, as it answers with."""
    return Fault(answer=replace(a_status(status, reason, message), headers=headers or {}), **more)


class FaultyProxy:
    def __init__(self, *faults: Fault) -> None:
        self.faults, self.seen = list(faults), []  # type: List[Fault], List[str]
        self._upstream = as_kubectl().connect()
        self._lock = threading.Lock()
        self._server = LoopbackServer(answer=self._answer)

    def start(self) -> None:
        """Listen, after ``stop``, at the same port."""
        self._server = LoopbackServer(port=self._server.port, answer=self._answer)

    def stop(self) -> None:
        """Refuse connections."""
        self._server.stop()

    def cluster(self, timeout: urllib3.Timeout = TIMEOUT) -> KubernetesCluster:
        """The cluster behind it."""

        def connect() -> Connection:
            return Connection(Route(self._server.url))

        return KubernetesCluster(KubernetesApi(connect=connect, timeout=timeout))

    def calls(self, method: str) -> int:
        """How many requests of a method it got."""
        return sum(call.startswith(f"{method} ") for call in self.seen)

    def _answer(self, asked: Asked) -> Answer:
        fault = self._fault_for(asked)
        if fault and fault.first:
            fault.first()
            fault = None
        if fault is None or fault.passed_on:
            passed = self._passed_on(asked)
        if fault is None:
            return Answer(passed.status, bytes(passed.data), _CLOSE)
        time.sleep(fault.hangs)
        fault.then()
        return replace(fault.answer, headers={**fault.answer.headers, **_CLOSE})

    def _fault_for(self, asked: Asked) -> Optional[Fault]:
        with self._lock:
            self.seen.append(f"{asked.method} {asked.path}")
            found = next((f for f in self.faults if f.is_for(asked.method, asked.path)), None)
            if found:
                found.times -= 1
            return found

    def _passed_on(self, asked: Asked) -> Any:
        kind = asked.headers.get("content-type", "")
        headers = {"Content-Type": kind, "Accept": "application/json"}
        return self._upstream.pool.request(
            asked.method,
            self._upstream.server + asked.path,
            body=asked.content or None,
            headers={**headers, **dict(self._upstream.headers())},
            timeout=10,
            retries=False,
        )
