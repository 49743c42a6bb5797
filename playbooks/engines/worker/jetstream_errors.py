"""What JetStream refuses, and what keeps it from being used."""

from __future__ import annotations

from typing import Any, Mapping

# error codes of JetStream. Source: nats-io/nats-server, server/errors.json
NOT_FOUND = 404
OVERLAP = 10065
NAME_IN_USE = 10058


class Unusable(Exception):
    """JetStream cannot be used as it is. The words say why, and what to do."""


class NoJetStream(Exception):
    """This server has none, or this account may not use it."""


class ApiError(Exception):
    """What JetStream answered."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.status = error.get("code", 0)
        self.code = error.get("err_code", 0)
        super().__init__(f"{error.get('description', 'no description')} ({self.code})")
