"""EKS: who a token of AWS comes from, and a cluster that knows who asks by it.

That is found as aws-iam-authenticator and STS find it between them: the signature is computed anew.
moto is no help: it says yes to every token.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator, pkg/token/token.go, and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import parse_qsl, quote, urlsplit

import urllib3

from playbooks.infrastructure.kubernetes.connect import as_kubectl
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.server import Answer, Asked, LoopbackServer

# What may stand in the query, each once.
KNOWN = (
    *("Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date"),
    *("X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-Signature", "X-Amz-SignedHeaders"),
)
_HOST = re.compile(r"sts(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")

_UNAUTHORIZED = {"kind": "Status", "message": "Unauthorized", "reason": "Unauthorized", "code": 401}


class NotVerified(Exception):
    """The words say which rule does not hold."""


@dataclass(frozen=True)
class Role:
    """``arn``: without path and session, as an access entry has it. ``session_token``: that its
    keys need."""

    arn: str
    secret_key: str
    session_token: str = ""


@dataclass(frozen=True)
class Verifier:
    """Of one cluster. ``roles``: by the access key that is in use."""

    cluster: str
    roles: Mapping[str, Role]

    def role_of(self, token: str, now: Optional[datetime] = None) -> str:
        """The ARN. Raises NotVerified."""
        query, parts = _read(token)
        signed = query["X-Amz-SignedHeaders"].split(";")
        _must("x-k8s-aws-id" in signed and "host" in signed, "a header is not signed")
        made = _time(query["X-Amz-Date"])
        now = now or datetime.now(timezone.utc)
        _must(made - timedelta(minutes=5) <= now <= made + timedelta(minutes=15), "it is over")
        _must(0 <= int(query["X-Amz-Expires"]) <= 900, "X-Amz-Expires")
        access_key, date, region, service, kind = query["X-Amz-Credential"].split("/")
        _must((service, kind) == ("sts", "aws4_request"), "another service's")
        _must(date == query["X-Amz-Date"][:8], "the dates differ")
        _must(access_key in self.roles, "STS knows no such key")
        role = self.roles[access_key]
        _must(query.get("X-Amz-Security-Token", "") == role.session_token, "the session's token")
        # STS is called with the cluster's own name in this header, whatever the token was for.
        headers = {"host": parts, "x-k8s-aws-id": self.cluster}
        wanted = _signature(query, headers, signed, role.secret_key, (date, region))
        _must(hmac.compare_digest(wanted, query["X-Amz-Signature"]), "the signature differs")
        return role.arn


class EksProxy:
    """The cluster of the kubeconfig, which decides itself what they may do.

    ``entries``: the groups of each role, by its ARN. ``refused``: why tokens were, and
    ``passed``: what was asked with the others, by verb and path."""

    def __init__(self, verifier: Verifier, entries: Mapping[str, Sequence[str]]) -> None:
        authority = an_authority()
        self.authority = base64.b64encode(authority.pem).decode()
        self.refused: List[str] = []
        self.passed: List[Tuple[str, str]] = []
        self._verifier, self._entries = verifier, entries
        self._cluster = as_kubectl().connect()
        self._server = LoopbackServer(a_certificate(authority, "127.0.0.1"), answer=self._answer)
        self.url = self._server.url

    def stop(self) -> None:
        self._server.stop()

    def _answer(self, asked: Asked) -> Answer:
        token = asked.headers.get("authorization", "").partition("Bearer ")[2]
        try:
            role = self._verifier.role_of(token)
            groups = self._entries[role]
        except (NotVerified, KeyError) as error:
            self.refused.append(str(error))
            return Answer(401, _UNAUTHORIZED)
        self.passed.append((asked.method, asked.path))
        return self._forwarded(asked, role, groups)

    def _forwarded(self, asked: Asked, role: str, groups: Sequence[str]) -> Answer:
        headers = urllib3.HTTPHeaderDict(self._cluster.headers())
        headers["Impersonate-User"] = role
        for group in groups:
            headers.add("Impersonate-Group", group)
        for name in ("accept", "content-type"):
            if name in asked.headers:
                headers[name] = asked.headers[name]
        said = self._cluster.pool.request(
            asked.method,
            self._cluster.server + asked.path,
            body=None if asked.body is None else json.dumps(asked.body),
            headers=headers,
            retries=False,
            redirect=False,
        )
        kind = {"Content-Type": said.headers.get("Content-Type", "application/json")}
        return Answer(int(said.status), bytes(said.data), kind)


def _read(token: str) -> Tuple[Dict[str, str], str]:
    prefix = "k8s-aws-v1."
    _must(len(token) <= 4096 and token.startswith(prefix), "it is too long, or has no prefix")
    encoded = token[len(prefix) :]
    _must(re.fullmatch(r"[\w-]+", encoded, re.ASCII) is not None, "it is padded, or not base64url")
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    parts = urlsplit(url)
    _must(parts.scheme == "https", "it is not HTTPS")
    _must(_HOST.fullmatch(parts.netloc) is not None, "another host than STS'")
    _must(parts.path == "/", "another path")
    pairs: List[Tuple[str, str]] = parse_qsl(parts.query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    _must(len(set(names)) == len(names) and set(names) <= set(KNOWN), "a parameter too many")
    query = dict(pairs)
    missing = set(KNOWN) - set(names) - {"X-Amz-Security-Token"}
    _must(not missing, f"a parameter is missing: {missing}")
    _must(query["Action"] == "GetCallerIdentity", "another action")
    _must(query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256", "another algorithm")
    return query, parts.netloc


def _signature(
    query: Mapping[str, str],
    headers: Mapping[str, str],
    signed: List[str],
    secret_key: str,
    place: Tuple[str, str],
) -> str:
    asked = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in query.items()
        if name != "X-Amz-Signature"
    )
    request = "\n".join(
        [
            "GET",
            "/",
            "&".join(f"{name}={value}" for name, value in asked),
            *(f"{name}:{headers[name]}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(b"").hexdigest(),
        ]
    )
    date, region = place
    key = b"AWS4" + secret_key.encode()
    for part in (date, region, "sts", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{date}/{region}/sts/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, hashed])
    return hmac.digest(key, text.encode(), "sha256").hex()


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotVerified(otherwise)
