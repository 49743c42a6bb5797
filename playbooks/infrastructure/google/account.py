"""The service account that a function runs as, by google-auth."""

from __future__ import annotations

import threading
from typing import Any, Callable, Mapping, Optional

import google.auth
import urllib3
from google.auth import exceptions, transport

from playbooks.core.errors import ClusterUnavailable, NoCluster

# GKE knows an account by its e-mail, and wants a token that says it.
# Source: https://cloud.google.com/kubernetes-engine/docs/how-to/api-server-authentication
SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)

# Seconds to connect, and between two bytes of an answer.
TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)


class ServiceAccount:
    """Its access token, renewed before it is over. Threads may share it. Nothing is asked before
    the first token is wanted."""

    def __init__(self, find: Optional[Callable[[], Any]] = None) -> None:
        """``find``: gives google-auth's credentials; the default ones of the process."""
        self._find = find or _default
        self._request = _Transport()
        self._credentials: Any = None
        self._lock = threading.Lock()

    def header(self) -> str:
        """The value of the header Authorization. Raises ClusterUnavailable, and NoCluster where
        there is no account."""
        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials = self._find()
                if not self._credentials.valid:
                    self._credentials.refresh(self._request)
                return f"Bearer {self._credentials.token}"
            except exceptions.DefaultCredentialsError as error:
                raise NoCluster(f"no service account of Google Cloud: {error}") from error
            except exceptions.GoogleAuthError as error:
                raise ClusterUnavailable(f"no token of Google Cloud: {error}") from error

    def renew(self) -> None:
        """The next token is another one."""
        with self._lock:
            if self._credentials is not None:
                self._credentials.expiry, self._credentials.token = None, None


def _default() -> Any:
    return google.auth.default(scopes=SCOPES)[0]


class _Transport(transport.Request):
    """google-auth's calls over urllib3: its own transports import requests, or much else."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager()

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
        **_: Any,
    ) -> transport.Response:
        try:
            answer = self._pool.request(
                method,
                url,
                body=body,
                headers=dict(headers or {}),
                timeout=timeout or TIMEOUT,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise exceptions.TransportError(error) from error  # type: ignore[no-untyped-call]
        return _Answer(answer)


class _Answer(transport.Response):
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return int(self._answer.status)

    @property
    def headers(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self._answer.headers
        return found

    @property
    def data(self) -> bytes:
        return bytes(self._answer.data)
