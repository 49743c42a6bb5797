"""What a function on Google Cloud finds around it, on loopback: the metadata server, which gives
the tokens of its service account, and Secret Manager's REST API.

Source: https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys and
https://cloud.google.com/secret-manager/docs/reference/rest
"""

from __future__ import annotations

import base64
import json
from itertools import count
from typing import Any, Dict, List, Tuple
from urllib.parse import urlsplit

from google.auth import credentials, exceptions

from playbooks.infrastructure.google.secret_manager import OVERRIDE
from specs.support.loopback.server import Answer, Asked, LoopbackServer

ACCOUNT = "falco@project-1.iam.gserviceaccount.com"
NAME = "projects/project-1/secrets/kubeconfig/versions/latest"


class GoogleCloud:
    """``secrets``: texts by name. ``tokens``: that were given out. ``failures``: statuses that the
    next calls of Secret Manager get. ``environ``: by which google-auth and we find it."""

    def __init__(self, tokens: Tuple[str, ...] = ()) -> None:
        self.secrets: Dict[str, str] = {}
        self.failures: List[int] = []
        self.tokens: List[str] = []
        self._given, self._numbers = list(tokens), count(1)
        self.server = LoopbackServer(answer=self._answer)
        host = self.server.url.partition("//")[2]
        self.environ = {
            "GCE_METADATA_HOST": host,
            "GCE_METADATA_IP": host,
            "GCE_METADATA_ROOT": host,
            OVERRIDE: self.server.url,
        }

    def stop(self) -> None:
        self.server.stop()

    @property
    def reads(self) -> List[str]:
        """The names of the secrets that were asked for."""
        paths = [asked.path for asked in self.server.asked if asked.path.startswith("/v1/")]
        return [path[len("/v1/") : -len(":access")] for path in paths]

    def _answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/v1/"):
            return self._secret(asked)
        if asked.headers.get("metadata-flavor") != "Google":
            return Answer(403, {"error": "Metadata-Flavor is missing"})
        flavor = {"Metadata-Flavor": "Google"}
        path = urlsplit(asked.path).path
        if path.endswith("/project/project-id"):
            return Answer(200, b"project-1", {**flavor, "Content-Type": "application/text"})
        kind = {**flavor, "Content-Type": "application/json"}
        if path.endswith("/token"):
            token = self._given.pop(0) if self._given else f"token-{next(self._numbers)}"
            self.tokens.append(token)
            given = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
            return Answer(200, given, kind)
        if "/service-accounts/" in path:
            account = {"email": ACCOUNT, "aliases": ["default"], "scopes": []}
            return Answer(200, account, kind)
        return Answer(200, b"", flavor)

    def _secret(self, asked: Asked) -> Answer:
        name = self.reads[-1]
        if self.failures:
            return _error(self.failures.pop(0))
        if asked.headers.get("authorization", "").partition("Bearer ")[2] not in self.tokens:
            return _error(401)
        if name not in self.secrets:
            return _error(404)
        data = base64.b64encode(self.secrets[name].encode()).decode()
        return Answer(200, {"name": name, "payload": {"data": data, "dataCrc32c": "0"}})


class FakeCredentials(credentials.Credentials):
    """Of no account: they ask the metadata server of ``cloud``, by the transport that is given."""

    def __init__(self, cloud: GoogleCloud) -> None:
        super().__init__()
        self._cloud = cloud

    def refresh(self, request: Any) -> None:
        url = f"{self._cloud.server.url}/computeMetadata/v1/instance/service-accounts/x/token"
        answer = request(url, headers={"Metadata-Flavor": "Google"})
        if answer.status != 200:
            raise exceptions.RefreshError(f"it answers {answer.status}")
        self.token = json.loads(answer.data)["access_token"]


def _error(status: int) -> Answer:
    said = {"code": status, "message": f"it answers {status}", "status": "SPEC"}
    return Answer(status, {"error": said})
