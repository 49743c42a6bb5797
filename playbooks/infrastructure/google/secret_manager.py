"""Secret Manager, over REST: its client has 43 MB, and tries for half a minute.

Source: https://cloud.google.com/secret-manager/docs/reference/rest
"""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any, Callable, Mapping, Optional, Tuple
from urllib.parse import quote

import urllib3

from playbooks.core.errors import ClusterUnavailable, NoCluster, NotPermitted
from playbooks.infrastructure.google.account import TIMEOUT, ServiceAccount
from playbooks.infrastructure.google.settings import NAME

# As gcloud has it, for an endpoint of one's own.
OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"

# Seconds before the one other attempt.
PAUSE = 0.5


class SecretManager:
    """Reads secrets as this account."""

    def __init__(
        self,
        account: ServiceAccount,
        environ: Mapping[str, str] = os.environ,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._account = account
        self._endpoint = environ.get(OVERRIDE, "")
        self._pool = urllib3.PoolManager()
        self._sleep = sleep

    def text(self, name: str) -> str:
        """Of a version of a secret, by its whole name. Tried twice, with another token after a 401.

        Raises ClusterUnavailable, NotPermitted or NoCluster, which name the secret.
        """
        status, data = self._asked(name)
        if status == 401:
            self._account.renew()
            status, data = self._asked(name)
        elif status == 0 or status == 429 or status >= 500:
            self._sleep(PAUSE)
            status, data = self._asked(name)
        if status == 200:
            return _payload(name, data)
        said = f"secret {name}: {_message(status, data)}"
        if status == 403:
            raise NotPermitted(f"{said} (roles/secretmanager.secretAccessor lets it be read)")
        if 400 <= status < 500 and status not in (401, 429):
            raise NoCluster(said)
        raise ClusterUnavailable(said)

    def _asked(self, name: str) -> Tuple[int, bytes]:
        """Status 0: no answer."""
        headers = {"Authorization": self._account.header(), "Accept": "application/json"}
        url = f"{self._server(name)}/v1/{quote(name, safe='/:')}:access"
        try:
            answer = self._pool.request(
                "GET", url, headers=headers, timeout=TIMEOUT, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            return 0, str(error).encode()
        return int(answer.status), bytes(answer.data)

    def _server(self, name: str) -> str:
        """That of its region, where the secret is kept in one."""
        found = NAME.fullmatch(name)
        location: Optional[str] = found["location"] if found else None
        own = f"secretmanager.{location}.rep" if location else "secretmanager"
        return self._endpoint.rstrip("/") or f"https://{own}.googleapis.com"


def _payload(name: str, data: bytes) -> str:
    try:
        return base64.b64decode(json.loads(data)["payload"]["data"], validate=True).decode("utf-8")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise NoCluster(f"secret {name} is no text in UTF-8") from error


def _message(status: int, data: bytes) -> str:
    """What the API says; never what a secret holds."""
    if status == 0:
        return f"Secret Manager did not answer: {data.decode('utf-8', 'replace')}"
    try:
        error: Any = json.loads(data)["error"]
        return f"Secret Manager answers {status}: {error['message']}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return f"Secret Manager answers {status}"
