"""The cluster of the specs as EKS would show it: who asks is known by a token of AWS, and is the
role, in the groups of its access entry. The API server itself decides what those may do."""

from __future__ import annotations

import base64
import json
from typing import List, Mapping, Sequence, Tuple

import urllib3

from playbooks.infrastructure.kubernetes.connect import as_kubectl
from specs.support.loopback.certificates import a_certificate, an_authority
from specs.support.loopback.eks_verifier import NotVerified, Verifier
from specs.support.loopback.server import Answer, Asked, LoopbackServer

_UNAUTHORIZED = {"kind": "Status", "message": "Unauthorized", "reason": "Unauthorized", "code": 401}


class EksProxy:
    """``entries``: the groups of each role, by its ARN. ``refused``: why tokens were, and
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
