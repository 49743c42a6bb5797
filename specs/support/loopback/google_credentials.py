"""google-auth's credentials without an account: the tokens are those of a cloud on loopback."""

from __future__ import annotations

import json
from typing import Any

from google.auth import credentials, exceptions

from specs.support.loopback.google_cloud import GoogleCloud


class FakeCredentials(credentials.Credentials):
    """Asks the metadata server of ``cloud``, by whatever transport it is given."""

    def __init__(self, cloud: GoogleCloud) -> None:
        super().__init__()
        self._cloud = cloud

    def refresh(self, request: Any) -> None:
        url = f"{self._cloud.server.url}/computeMetadata/v1/instance/service-accounts/x/token"
        answer = request(url, headers={"Metadata-Flavor": "Google"})
        if answer.status != 200:
            raise exceptions.RefreshError(f"it answers {answer.status}")
        self.token = json.loads(answer.data)["access_token"]
