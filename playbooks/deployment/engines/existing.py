"""What the objects of a worker depend on beside what was typed."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Tuple

from playbooks.core.cluster.manifest import Manifest, reference
from playbooks.core.errors import InvalidSetting
from playbooks.deployment.kubectl import Kubectl, KubectlError
from playbooks.deployment.manifests.network_policy import outward_ports
from playbooks.deployment.request import worker_settings

# Kubernetes' own Service has 443; behind it the API server listens, mostly here.
API_PORTS = (443, 6443)

#: The key that hashes of settings are made with: nobody can guess a password from such a hash.
HASH_KEY = "FALCO_HASH_KEY"


@dataclass(frozen=True)
class Surroundings:
    """``api_ports``: where the API server is. ``ports_before``: those that the workers reach which
    run now, if any do. ``referenced``: the texts of Secrets' keys that
    settings refer to, by setting. ``token`` and ``hash_key``: generated once, and kept."""

    api_ports: Tuple[int, ...] = API_PORTS
    ports_before: Tuple[int, ...] = ()
    referenced: Mapping[str, str] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    hash_key: str = field(default_factory=lambda: secrets.token_urlsafe(32))


def look(
    kubectl: Kubectl, function: str, namespace: str, referenced: Mapping[str, str]
) -> Surroundings:
    secret = kubectl.get([reference("v1", "Secret", function, namespace)])
    policy = kubectl.get([reference("networking.k8s.io/v1", "NetworkPolicy", function, namespace)])
    return Surroundings(
        api_ports=_api_ports(kubectl),
        ports_before=tuple(port for each in policy for port in outward_ports(each)),
        referenced=referenced,
        **_kept(secret[0] if secret else {}),
    )


def _kept(secret: Mapping[str, Any]) -> Dict[str, str]:
    """What was generated before, unless it is not there or cannot be used."""
    kept: Dict[str, str] = {}
    for name, key in (("token", worker_settings.TOKEN.name), ("hash_key", HASH_KEY)):
        try:
            text = base64.b64decode((secret.get("data") or {})[key]).decode("ascii")
            kept[name] = worker_settings.TOKEN.check(text)
        except (KeyError, UnicodeDecodeError, binascii.Error, InvalidSetting):
            continue
    return kept


def _api_ports(kubectl: Kubectl) -> Tuple[int, ...]:
    """A policy is held against a packet when its Service's port is already translated."""
    slice_ = reference("discovery.k8s.io/v1", "EndpointSlice", "kubernetes", "default")
    try:
        found = kubectl.get([slice_])
    except KubectlError:
        return API_PORTS
    ports = sorted(port for each in found for port in _ports(each))
    return tuple(dict.fromkeys((443, *ports))) if ports else API_PORTS


def _ports(endpoint_slice: Manifest) -> Tuple[int, ...]:
    return tuple(port["port"] for port in endpoint_slice.get("ports") or () if port.get("port"))
