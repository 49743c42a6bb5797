"""The cluster of the current kubeconfig, as the kubernetes package reads it: exec plugins,
identity providers, certificates in files and in place.

Importing that package takes over 30 MB and 0.2 s, so it waits until it is needed: in a pod never.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from playbooks.infrastructure.connection import Connection
from playbooks.infrastructure.kubernetes.limits import LIMITS


def connect() -> Connection:
    """Raises anything: a malformed kubeconfig makes the package do so."""
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config

    configuration = Configuration()
    load_kube_config(client_configuration=configuration)
    return configured(configuration)


def configured(configuration: Any) -> Connection:
    """By a configuration of the kubernetes package."""
    from kubernetes.client import ApiClient

    configuration.connection_pool_maxsize = max(
        configuration.connection_pool_maxsize, LIMITS.connections
    )
    client = ApiClient(configuration)

    def authorization() -> Optional[str]:
        headers: Dict[str, str] = {}
        client.update_params_for_auth(headers, [], ["BearerToken"])
        return headers.get("authorization")

    return Connection(configuration.host, client.rest_client.pool_manager, authorization)
