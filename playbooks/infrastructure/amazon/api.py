"""Calls of the APIs of AWS, as the execution role of the function.

botocore signs them: Lambda's runtime has it, and no function installs it. Its clients are not used:
one takes six times as long to make as the signer takes to import.
"""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any, Callable, Dict, Mapping, Tuple

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from playbooks.core.errors import ClusterUnavailable, NoCluster, NotPermitted, PlaybookError

# Seconds to connect, and between two bytes of an answer.
TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)

# Seconds before the one other attempt.
PAUSE = 0.5

# Of keys that another instance has anew.
_OVER = ("ExpiredTokenException", "ExpiredToken", "RequestExpired")

# What it signs, the session's token among it, is in its log for debugging.
logging.getLogger("botocore.auth").setLevel(logging.INFO)


def region(environ: Mapping[str, str]) -> str:
    """That of the function. Raises NoCluster."""
    found = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not found:
        raise NoCluster("no region of AWS: AWS_REGION is not set")
    return found


def keys(environ: Mapping[str, str]) -> Credentials:
    """Those of the function's execution role, which Lambda puts into its environment. Raises
    NoCluster."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    access, secret, token = (environ.get(name) for name in names)
    if not access or not secret:
        raise NoCluster(f"no role of AWS: {names[0]} and {names[1]} are not set")
    return Credentials(access, secret, token or None)


def domain(name: str) -> str:
    """Of the partition of a region.
    Source: https://docs.aws.amazon.com/general/latest/gr/rande.html"""
    return "amazonaws.com.cn" if name.startswith("cn-") else "amazonaws.com"


class AwsApi:
    """``environ``: has the keys, the region, and endpoints of one's own by the names that AWS's
    programs have for them."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._environ = environ
        self._sleep = sleep
        self._pool = urllib3.PoolManager()

    def get(self, service: str, path: str, *, what: str, action: str) -> Dict[str, Any]:
        """``service``: as its host begins. ``what``: that is asked for, and ``action``: that it
        takes, for messages. Tried twice.

        Raises ClusterUnavailable, NotPermitted or NoCluster.
        """
        return self._call(service, ("GET", path, {}, b""), what, action)

    def post(
        self, service: str, target: str, body: Mapping[str, Any], *, what: str, action: str
    ) -> Dict[str, Any]:
        """The same of an API that takes JSON 1.1. ``target``: the operation."""
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        request = ("POST", "/", headers, json.dumps(body).encode())
        return self._call(service, request, what, action)

    def _call(
        self,
        service: str,
        request: Tuple[str, str, Dict[str, str], bytes],
        what: str,
        action: str,
    ) -> Dict[str, Any]:
        status, answer = self._asked(service, request)
        if _may_succeed(status, answer):
            self._sleep(PAUSE)
            status, answer = self._asked(service, request)
        if status == 200:
            return answer
        raise _error(status, answer, what, action)

    def _asked(
        self, service: str, request: Tuple[str, str, Dict[str, str], bytes]
    ) -> Tuple[int, Dict[str, Any]]:
        """Status 0: no answer."""
        method, path, headers, body = request
        place = region(self._environ)
        url = self._endpoint(service, place) + path
        signed = AWSRequest(method, url, headers=headers, data=body)
        SigV4Auth(keys(self._environ), service, place).add_auth(signed)
        try:
            said = self._pool.request(
                method,
                url,
                headers=dict(signed.headers),
                body=body or None,
                timeout=TIMEOUT,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return 0, {"message": str(error)}
        return int(said.status), _document(bytes(said.data), said.headers)

    def _endpoint(self, service: str, place: str) -> str:
        """Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html"""
        own = {"secretsmanager": "SECRETS_MANAGER"}.get(service, service.upper())
        given = self._environ.get(f"AWS_ENDPOINT_URL_{own}") or self._environ.get(
            "AWS_ENDPOINT_URL"
        )
        return (given or f"https://{service}.{place}.{domain(place)}").rstrip("/")


def _document(data: bytes, headers: Mapping[str, str]) -> Dict[str, Any]:
    """The answer, with the kind of an error under ``__type`` wherever it stood."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    answer = found if isinstance(found, dict) else {}
    kind = str(headers.get("x-amzn-errortype") or answer.get("__type") or "")
    return {**answer, "__type": kind.partition(":")[0].rpartition("#")[2]}


def _may_succeed(status: int, answer: Mapping[str, Any]) -> bool:
    throttled = "Throttl" in str(answer.get("__type")) or status == 429
    return status == 0 or status >= 500 or throttled


def _error(status: int, answer: Mapping[str, Any], what: str, action: str) -> PlaybookError:
    kind = str(answer.get("__type") or "")
    words = str(answer.get("message") or answer.get("Message") or "")
    if status == 0:
        return ClusterUnavailable(f"{what}: AWS did not answer: {words}")
    said = f"{what}: AWS answers {status} {kind}".rstrip() + (f": {words}" if words else "")
    if _may_succeed(status, answer) or kind in _OVER:
        return ClusterUnavailable(said)
    if status == 403 or kind.startswith("AccessDenied"):
        return NotPermitted(f"{said} (the execution role needs {action})")
    return NoCluster(said)
