"""The cluster that a pod runs in, as its service account.

Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ and client-go's
rest.InClusterConfig.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Callable, Mapping, Optional

import urllib3

from playbooks.infrastructure.connection import Connection
from playbooks.infrastructure.kubernetes.limits import LIMITS
from playbooks.infrastructure.proxies import proxy_for

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# Seconds for which a token that was read holds: the kubelet renews it long before its end.
FRESH = 60.0

# Connections that are kept at least, for an engine that says nothing about them.
CONNECTIONS = 4


class Token:
    """The service account's. Raises OSError or ValueError where there is none to begin with."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._header = self._read()
        self._until = clock() + FRESH

    def header(self) -> str:
        """The value of the header Authorization. A token that cannot be read leaves the old."""
        if self._clock() >= self._until:
            self._until = self._clock() + FRESH
            with contextlib.suppress(OSError, ValueError):
                self._header = self._read()
        return self._header

    def _read(self) -> str:
        token = self._path.read_text(encoding="ascii").strip()
        if not token:
            raise ValueError(f"{self._path} is empty")
        return f"Bearer {token}"


def connect(environ: Mapping[str, str], account: Optional[Path] = None) -> Connection:
    """Raises OSError or ValueError outside of a pod, or in one without a service account.

    ``account``: the directory of the service account.
    """
    account = account or SERVICE_ACCOUNT
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise ValueError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    authorities = account / "ca.crt"
    if not authorities.read_text(encoding="ascii").strip():
        raise ValueError(f"{authorities} is empty")
    token = Token(account / "token")
    return Connection(
        f"https://{f'[{host}]' if ':' in host else host}:{port}",
        _pool(proxy_for(host, environ), str(authorities)),
        token.header,
    )


def _pool(proxy: Optional[str], authorities: str) -> urllib3.PoolManager:
    kept = max(CONNECTIONS, LIMITS.connections)
    if not proxy:
        return urllib3.PoolManager(maxsize=kept, cert_reqs="CERT_REQUIRED", ca_certs=authorities)
    credentials = urllib3.util.parse_url(proxy).auth
    return urllib3.ProxyManager(
        proxy,
        proxy_headers=urllib3.make_headers(proxy_basic_auth=credentials) if credentials else None,
        maxsize=kept,
        cert_reqs="CERT_REQUIRED",
        ca_certs=authorities,
    )
