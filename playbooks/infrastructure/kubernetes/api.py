"""Calls of the Kubernetes API: plain dicts in and out, a deadline each, errors of our own tree.

The typed calls of the kubernetes package are not used: they take nearly twice as long as the JSON
itself. It reads the kubeconfig where there is one to be read.
"""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional, Tuple
from urllib.parse import quote, urlencode

import urllib3

from playbooks.core.errors import (
    AlreadyExists,
    ClusterUnavailable,
    Conflict,
    NamespaceTerminating,
    NoCluster,
    NotFound,
    NotPermitted,
    NotTheSameObject,
    PlaybookError,
    Refused,
    Throttled,
)
from playbooks.infrastructure import kubeconfig
from playbooks.infrastructure.connection import Connection
from playbooks.infrastructure.kubernetes import connect as in_cluster
from playbooks.infrastructure.kubernetes.limits import LIMITS

# Seconds to connect, and between two bytes of an answer.
TIMEOUT = urllib3.Timeout(connect=3.0, read=10.0)

MERGE_PATCH = "application/merge-patch+json"

# Set to 1 to act on the cluster of the kubeconfig instead of the one that the process runs in.
KUBECONFIG_VARIABLE = "KUBERNETES_LOAD_KUBE_CONFIG"


class KubernetesApi:
    """Connects at the first call, and keeps its connections. Threads may share it.

    ``connect`` finds the cluster: the pod's own, or that of the kubeconfig.
    """

    def __init__(
        self,
        *,
        connect: Optional[Callable[[], Connection]] = None,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        self._connect = connect or _connect
        self._timeout = timeout
        self._connection: Optional[Connection] = None
        self._lock = threading.Lock()

    def get(self, *path: str, **query: str) -> Dict[str, Any]:
        return self._call("GET", path, query=query)

    def post(self, *path: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        return self._call("POST", path, body=body)

    def put(self, *path: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        return self._call("PUT", path, body=body)

    def patch(self, *path: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        """A JSON merge patch: null takes a key off, a list replaces the list."""
        return self._call("PATCH", path, body=body, content_type=MERGE_PATCH)

    def delete(self, *path: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        return self._call("DELETE", path, body=body)

    def _call(
        self,
        method: str,
        path: Tuple[str, ...],
        *,
        body: Optional[Mapping[str, Any]] = None,
        query: Optional[Mapping[str, str]] = None,
        content_type: str = "application/json",
    ) -> Dict[str, Any]:
        try:
            response = self._request(method, path, body, query, content_type, self._timeout)
            document = json.loads(response.data)
        except urllib3.exceptions.HTTPError as error:
            raise _silent(method, path, error) from error
        except ValueError:
            document = None
        if not 200 <= response.status <= 299 or not isinstance(document, dict):
            raise _error(response.status, document, response.headers, f"{method} {_shown(path)}")
        return document

    def status(self, *path: str) -> int:
        """The HTTP status of a GET, whatever the answer says: health endpoints say plain words."""
        try:
            response = self._request("GET", path, None, None, "application/json", self._timeout)
        except urllib3.exceptions.HTTPError as error:
            raise _silent("GET", path, error) from error
        return int(response.status)

    def watch(self, *path: str, seconds: int, **query: str) -> Iterator[Dict[str, Any]]:
        """The events of a watch, for as long as the API server is asked to keep it open."""
        # It ends a watch by itself; one that is silent for longer is a connection that is lost.
        timeout = urllib3.Timeout(connect=3.0, read=seconds + 5.0)
        asked = {**query, "watch": "true", "timeoutSeconds": str(seconds)}
        yield from map(_object, _lines(self._stream(path, asked, timeout)))

    def stream(self, *path: str, seconds: float, **query: str) -> Iterator[bytes]:
        """An answer as it comes, with at most ``seconds`` between two parts of it."""
        timeout = urllib3.Timeout(connect=min(3.0, seconds), read=seconds)
        yield from self._stream(path, query, timeout)

    def _stream(
        self, path: Tuple[str, ...], query: Mapping[str, str], timeout: urllib3.Timeout
    ) -> Iterator[bytes]:
        try:
            response = self._request(
                "GET", path, None, query, "application/json", timeout, preload_content=False
            )
            try:
                if not 200 <= response.status <= 299:
                    document = _object(response.read())
                    call = f"GET {_shown(path)}"
                    raise _error(response.status, document, response.headers, call)
                yield from response.stream(65536)
            finally:
                # Closed, not given back to the pool: the rest of the stream is still to come.
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise _silent("GET", path, error) from error

    def _request(
        self,
        method: str,
        path: Tuple[str, ...],
        body: Optional[Mapping[str, Any]],
        query: Optional[Mapping[str, str]],
        content_type: str,
        timeout: urllib3.Timeout,
        preload_content: bool = True,
    ) -> Any:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
        connection = self._connection
        LIMITS.wait()
        headers = {
            "Accept": "application/json",
            "Content-Type": content_type,
            "User-Agent": "falco-playbooks",
        }
        authorization = connection.authorization()
        if authorization:
            headers["Authorization"] = authorization
        url = connection.server + "/" + "/".join(quote(p, safe="") for p in path)
        return connection.pool.request(
            method,
            f"{url}?{urlencode(query)}" if query else url,
            body=json.dumps(body) if body is not None else None,
            headers=headers,
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=preload_content,
        )


def connect_as_kubectl() -> Connection:
    """To the cluster of the kubeconfig; in a pod that has none, to its own."""
    given = "KUBECONFIG" in os.environ or Path("~/.kube/config").expanduser().exists()
    return _connect(given or "KUBERNETES_SERVICE_HOST" not in os.environ)


def _connect(by_kubeconfig: Optional[bool] = None) -> Connection:
    try:
        if os.environ.get(KUBECONFIG_VARIABLE) if by_kubeconfig is None else by_kubeconfig:
            return kubeconfig.connect()
        return in_cluster.connect(os.environ)
    except Exception as error:  # a malformed kubeconfig makes it raise anything
        raise NoCluster(
            f"no cluster to act on: {error} (in a pod its service account is used; elsewhere"
            f" {KUBECONFIG_VARIABLE}=1 uses the kubeconfig)"
        ) from error


def _error(status: int, document: Any, headers: Mapping[str, str], call: str) -> PlaybookError:
    """The error that a Status object of the API stands for.

    Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and
    k8s.io/apimachinery/pkg/api/errors.
    """
    answer: Mapping[str, Any] = document if isinstance(document, dict) else {}
    said = f"{call}: {answer.get('message') or 'no Kubernetes answer'} ({status})"
    causes = (answer.get("details") or {}).get("causes") or ()
    if status == 404:
        return NotFound(said)
    if status == 409:
        if answer.get("reason") == "AlreadyExists":
            return AlreadyExists(said)
        # One reason for both, and only the message tells them apart. It has two wordings:
        # rest.BeforeDelete's, and that of the storage when the object changes meanwhile.
        other_uid = re.search(r"UID in (the )?precondition", str(answer.get("message")))
        return NotTheSameObject(said) if other_uid else Conflict(said)
    if status == 403 and any(c.get("reason") == "NamespaceTerminating" for c in causes):
        return NamespaceTerminating(said)
    if status in (401, 403):
        return NotPermitted(said)
    if status == 429:
        return Throttled(said, retry_after=_retry_after(headers))
    if 400 <= status <= 499:
        return Refused(said)
    return ClusterUnavailable(said, retry_after=_retry_after(headers))


def _retry_after(headers: Mapping[str, str]) -> Optional[float]:
    value = headers.get("Retry-After") or ""
    return float(value) if value.isdigit() else None


def _silent(method: str, path: Tuple[str, ...], error: Exception) -> ClusterUnavailable:
    return ClusterUnavailable(f"the API server did not answer {method} {_shown(path)}: {error}")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)


def _object(text: bytes) -> Dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _shown(path: Tuple[str, ...]) -> str:
    return "/" + "/".join(path)
