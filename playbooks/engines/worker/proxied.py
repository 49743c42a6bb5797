"""Calls that came through the API server's proxy, as ``kubeless function call`` makes them.

The API server takes the caller's token off and adds where the call was headed. Anybody can write
that header, so that it proves nothing: such a call gets a dry run, never an action.
Source: k8s.io/apimachinery, pkg/util/proxy/transport.go
"""

from __future__ import annotations

from typing import Mapping

EXPLANATION = (
    "a dry run: nothing was changed. A call through the API server's proxy (kubeless function"
    " call) comes without a token, because the API server takes it off. To act, post the alert to"
    " the function's Service with Authorization: Bearer TOKEN (falco-playbook token prints it)"
)


def looks_proxied(headers: Mapping[str, str], *, namespace: str, function: str) -> bool:
    """Whether the headers are those of a call to this function through the proxy."""
    asked = headers.get("x-forwarded-uri", "")
    return any(
        asked.startswith(f"/api/v1/namespaces/{namespace}/{kind}")
        for kind in (f"services/{function}", f"services/http:{function}", f"pods/{function}-")
    )
