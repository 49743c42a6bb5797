"""Calls of the Kubernetes API: plain dicts in and out, a deadline each, errors of our own tree.

The kubernetes package is not used: its typed calls take nearly twice as long as the JSON itself,
and it finds another cluster than kubectl where KUBECONFIG names several files.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote, urlencode

import urllib3
from urllib3._collections import HTTPHeaderDict  # 1.26, which s3fs needs, exports it nowhere

from playbooks.core.errors import (
    AlreadyExists,
    ClusterUnavailable,
    Conflict,
    CredentialsRefused,
    NamespaceTerminating,
    NotFound,
    NotPermitted,
    NotTheSameObject,
    ObjectTooLarge,
    PlaybookError,
    Refused,
    Throttled,
    retry_after,
)
from playbooks.infrastructure.kubernetes.connect import Connection, connecting, of_playbook
from playbooks.infrastructure.kubernetes.credentials import IMPERSONATED
from playbooks.infrastructure.kubernetes.limits import LIMITS
from playbooks.infrastructure.kubernetes.wire import is_json_object

# Seconds to connect, and between two bytes of an answer.
TIMEOUT = urllib3.Timeout(connect=3.0, read=10.0)

AGENT = "falco-playbooks"

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"

# The least that an answer can be, where nothing of it is looked at: a pod's spec and status cost
# the API server as much as they cost who reads them. One that cannot do it answers with all of it.
# Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

GONE = 410


class VersionGone(Refused):
    """The API server no longer has the changes since that resourceVersion (410)."""


class AnswerTooLong(PlaybookError):
    """More than who asked reads of it."""


class KubernetesApi:
    """Connects at the first call, and keeps its connections. Threads may share it.

    ``connect`` finds the cluster: the pod's own, or that of the kubeconfig. It is called again when
    what it gave is over, or is refused.

    Every call raises an error of playbooks.core.errors, whatever went wrong.
    """

    def __init__(
        self,
        *,
        connect: Optional[Callable[[], Connection]] = None,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> None:
        self._connect = connect or connecting(of_playbook)
        self._timeout = timeout
        self._connection: Optional[Connection] = None
        self._lock = threading.Lock()

    def get(self, *path: str, **query: str) -> Dict[str, Any]:
        return self._call("GET", path, query=query)

    def post(
        self, *path: str, body: Mapping[str, Any], user: str = "", **query: str
    ) -> Dict[str, Any]:
        """``user``: as somebody else."""
        return self._call("POST", path, body=body, query=query, headers=_impersonating(user))

    def put(self, *path: str, body: Mapping[str, Any], **query: str) -> Dict[str, Any]:
        return self._call("PUT", path, body=body, query=query)

    def patch(
        self, *path: str, body: Mapping[str, Any], user: str = "", **query: str
    ) -> Dict[str, Any]:
        """A JSON merge patch: null takes a key off, a list replaces the list. ``user``: as somebody
        else."""
        headers = {"Content-Type": MERGE_PATCH, **_impersonating(user)}
        return self._call("PATCH", path, body=body, query=query, headers=headers)

    def strategic_patch(self, *path: str, body: Mapping[str, Any], **query: str) -> Dict[str, Any]:
        """A strategic merge patch, which only Kubernetes' own kinds take: of a long text it costs
        the API server half as much as a JSON merge patch. Answered with the metadata alone.

        Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
        """
        headers = {"Content-Type": STRATEGIC_MERGE_PATCH, "Accept": METADATA}
        return self._call("PATCH", path, body=body, query=query, headers=headers)

    def delete(self, *path: str, body: Mapping[str, Any], user: str = "") -> Dict[str, Any]:
        """Options are in the body: the API server then reads no query. ``user``: as somebody
        else."""
        return self._call("DELETE", path, body=body, headers=_impersonating(user))

    def tell(self, method: str, *path: str, body: Mapping[str, Any]) -> None:
        """A call of which nothing but the success matters: what it is answered with is not read."""
        with typed(method, path):
            response = self._request(
                method, path, self._timeout, body=body, headers={"Accept": METADATA}
            )
            if not _is_good(response) or not is_json_object(response.data):
                raise _error(response, method, path)

    def _call(
        self,
        method: str,
        path: Tuple[str, ...],
        *,
        body: Optional[Mapping[str, Any]] = None,
        query: Optional[Mapping[str, str]] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Dict[str, Any]:
        with typed(method, path):
            response = self._request(
                method, path, self._timeout, body=body, query=query, headers=headers
            )
            document = json_object(response.data)
            if not _is_good(response) or document is None:
                raise _error(response, method, path)
            return document

    def may(self, verb: str, resource: str, group: str, namespace: str) -> bool:
        """Whether this account may do that, which every account may ask. ``namespace`` empty: in
        the whole cluster.

        Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
        """
        asked = {"verb": verb, "resource": resource, "group": group, "namespace": namespace}
        api, review = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
        body = {"apiVersion": api, "kind": review, "spec": {"resourceAttributes": asked}}
        answer = self.post("apis", *api.split("/"), "selfsubjectaccessreviews", body=body)
        return bool((answer.get("status") or {}).get("allowed"))

    def status(self, *path: str) -> int:
        """The HTTP status of a GET, whatever the answer says: health endpoints say plain words."""
        with typed("GET", path):
            return int(self._request("GET", path, self._timeout).status)

    def read(self, *path: str, most: int, seconds: Optional[float] = None, **query: str) -> bytes:
        """The answer as it came, for who reads only some of it. ``seconds`` between two parts of
        it, at most. Raises AnswerTooLong where it has more than ``most`` bytes."""
        parts, left = [], most
        timeout = self._timeout if seconds is None else _between(seconds)
        with self._opened(path, query, timeout) as response:
            for part in response.stream(65536):
                left -= len(part)
                if left < 0:
                    raise AnswerTooLong(f"GET {shown(path)}: more than {most} bytes")
                parts.append(part)
        return b"".join(parts)

    def stream(self, *path: str, seconds: float, **query: str) -> Iterator[bytes]:
        """An answer as it comes, with at most ``seconds`` between two parts of it."""
        with self._opened(path, query, _between(seconds)) as response:
            yield from response.stream(65536)

    @contextmanager
    def lines(self, *path: str, seconds: float, **query: str) -> Iterator[Iterator[bytes]]:
        """Entered once the answer has begun. ``seconds`` between two parts of it, at most."""
        timeout = urllib3.Timeout(connect=3.0, read=seconds)
        with self._opened(path, query, timeout) as response:
            yield _lines(response.stream(65536))

    @contextmanager
    def watch(
        self, *path: str, seconds: int, **query: str
    ) -> Iterator[Iterator[Mapping[str, Any]]]:
        """The events of a watch, for as long as the API server is asked to keep it open. Entered
        once it has begun; of an event that is an error the error is raised."""
        asked = {**query, "watch": "true", "timeoutSeconds": str(seconds)}
        # It ends a watch by itself; one that is silent for longer is a connection that is lost.
        with self.lines(*path, seconds=seconds + 5.0, **asked) as lines:
            yield map(_event, lines)

    @contextmanager
    def _opened(
        self, path: Tuple[str, ...], query: Mapping[str, str], timeout: urllib3.Timeout
    ) -> Iterator[Any]:
        with typed("GET", path):
            response = self._request("GET", path, timeout, query=query, preload_content=False)
            try:
                if not _is_good(response):
                    raise _error(response, "GET", path)
                yield response
            finally:
                # Closed, not given back to the pool: the rest of the stream is still to come.
                response.close()

    def _request(
        self,
        method: str,
        path: Tuple[str, ...],
        timeout: urllib3.Timeout,
        *,
        body: Optional[Mapping[str, Any]] = None,
        query: Optional[Mapping[str, str]] = None,
        headers: Optional[Mapping[str, str]] = None,
        preload_content: bool = True,
    ) -> Any:
        connection = self.connection()
        LIMITS.wait()
        url = url_of(connection.server, path)
        url = f"{url}?{urlencode(query)}" if query else url
        given = {
            "User-Agent": AGENT,
            "Accept": "application/json",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        asked = [each for each in connection.headers() if each[0] not in given]
        asked += given.items()
        text = json.dumps(body) if body is not None else None
        response: Any
        if preload_content and connection.wire is not None:
            response = connection.wire.request(
                method, url, headers=asked, body=text, timeout=timeout
            )
        else:
            response = connection.pool.request(
                method,
                url,
                body=text,
                headers=HTTPHeaderDict(asked),
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=preload_content,
            )
        if response.status == 401:
            self._refused(connection)
        return response

    def connection(self) -> Connection:
        """The present one. Raises NoCluster."""
        with self._lock:
            if self._connection is None or self._connection.is_over:
                self._connection = self._connect()
            return self._connection

    def _refused(self, connection: Connection) -> None:
        """Credentials are read anew, and an exec plugin is run again, for the next call."""
        with self._lock:
            if self._connection is connection:
                self._connection = None


def _between(seconds: float) -> urllib3.Timeout:
    return urllib3.Timeout(connect=min(3.0, seconds), read=seconds)


@contextmanager
def typed(method: str, path: Tuple[str, ...]) -> Iterator[None]:
    """Nothing leaves but errors of our tree. Most of the transport's are an HTTPError; but a name
    that cannot be encoded is a ValueError, and a lost connection may be any OSError."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
        said = f"the API server did not answer {method} {shown(path)}: {error}"
        raise ClusterUnavailable(said) from error


def _is_good(response: Any) -> bool:
    return 200 <= int(response.status) <= 299


def _error(response: Any, method: str, path: Tuple[str, ...]) -> PlaybookError:
    """What an answer says that is not good, or is no JSON."""
    document = json_object(response.data)
    return error_of(response.status, document, response.headers, f"{method} {shown(path)}")


def error_of(
    status: int, document: Optional[Mapping[str, Any]], headers: Mapping[str, str], call: str
) -> PlaybookError:
    """The error that a Status object of the API stands for.

    Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and
    k8s.io/apimachinery/pkg/api/errors.
    """
    answer: Mapping[str, Any] = document or {}
    asked = retry_after(headers.get("Retry-After") or headers.get("retry-after"))
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
    if status == 401:
        return CredentialsRefused(said)
    if status == 403:
        return NotPermitted(said)
    if status == 429:
        return Throttled(said, retry_after=asked)
    if status == GONE:
        return VersionGone(said)
    if 400 <= status <= 499:
        return Refused(said)
    if status == 500 and "request is too large" in str(answer.get("message")):
        return ObjectTooLarge(f"{said}: take labels or annotations off it, then delete it")
    return ClusterUnavailable(said, retry_after=asked)


def watch_error(status: Mapping[str, Any]) -> PlaybookError:
    """The error that the Status in an event of type ERROR stands for: it ends the watch."""
    said = f"the watch ended: {status.get('message')} ({status.get('code')})"
    return VersionGone(said) if status.get("code") == GONE else PlaybookError(said)


def _event(line: bytes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(line)
    if found["type"] == "ERROR":
        raise watch_error(found["object"])
    return found


def _impersonating(user: str) -> Dict[str, str]:
    return {IMPERSONATED: user} if user else {}


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)


def json_object(text: bytes) -> Optional[Dict[str, Any]]:
    """None for what is no JSON object, such as the page of a proxy."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def delete_options(**options: Any) -> Dict[str, Any]:
    """The body of a deletion. Source:
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/delete-options/
    """
    return {"apiVersion": "v1", "kind": "DeleteOptions", **options}


def url_of(server: str, path: Sequence[str]) -> str:
    return f"{server}/{'/'.join(map(_quoted, path))}"


@lru_cache(maxsize=1024)
def _quoted(part: str) -> str:
    return quote(part, safe="")


def shown(path: Sequence[str]) -> str:
    """A path as messages have it."""
    return "/" + "/".join(path)
