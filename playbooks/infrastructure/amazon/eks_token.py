"""The token by which EKS knows a role: a signed request that asks STS who it comes from.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator, pkg/token/token.go.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from typing import Callable, Mapping

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from playbooks.infrastructure.amazon.api import domain, keys, region

PREFIX = "k8s-aws-v1."

# The header that ties a token to one cluster.
CLUSTER = "x-k8s-aws-id"

# Seconds for which a token is used. EKS takes it for 15 minutes.
FRESH = 13 * 60

_ASKED = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


class EksToken:
    """Of the execution role, for one cluster. Threads may share it."""

    def __init__(
        self,
        cluster: str,
        environ: Mapping[str, str] = os.environ,
        # Not a monotonic one: Lambda stops an instance between two invocations, and some clocks.
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._environ = environ
        self._clock = clock
        self._header, self._until = "", 0.0
        self._lock = threading.Lock()

    def header(self) -> str:
        """The value of the header Authorization. Raises NoCluster where there is no role."""
        with self._lock:
            now = self._clock()
            if now >= self._until:
                self._header, self._until = f"Bearer {self._signed()}", now + FRESH
            return self._header

    def renew(self) -> None:
        """The next token is another one."""
        with self._lock:
            self._until = 0.0

    def _signed(self) -> str:
        place = region(self._environ)
        url = f"https://sts.{place}.{domain(place)}/"
        asked = AWSRequest("GET", url, headers={CLUSTER: self._cluster}, params=_ASKED)
        SigV4QueryAuth(keys(self._environ), "sts", place, expires=60).add_auth(asked)
        return PREFIX + base64.urlsafe_b64encode(asked.url.encode()).decode().rstrip("=")
