"""What is in the cluster already, and what is generated, for the objects of a worker."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Mapping, Set, Tuple
from urllib.parse import urlsplit

from playbooks.core.cluster.manifest import Manifest
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import InvalidSetting
from playbooks.deployment.apply import api_server
from playbooks.deployment.apply.api_server import HTTPS
from playbooks.deployment.manifests.admission_policies import Bound
from playbooks.deployment.manifests.network_policy import Sources, egress_ports
from playbooks.deployment.manifests.secret import HASH_KEY, text_of
from playbooks.deployment.request import worker_settings
from playbooks.deployment.request.request import Request
from playbooks.engines.worker.settings import ANY, SOURCES

#: The key by which a worker's releases are signed.
RELEASE_KEY = worker_settings.RELEASE_KEY.name

_DEFAULT_PORTS = {"http": 80, "https": HTTPS, "nats": 4222, "tls": 4222, "ws": 80, "wss": HTTPS}

# The ports of the node's metadata service at 169.254.169.254, which gives clients without a key
# their credentials.
# Sources: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html and
# https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
_METADATA_PORTS = {"s3": (80,), "gs": (80, 988)}

_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s,\"'<>/?#]+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Existing:
    """``api_ports``: where the API server listens. ``api_addresses``: those that its calls come
    from; empty where they are not known. ``ports_before``: those that the NetworkPolicy
    of an earlier deployment lets workers reach. ``referenced``: by setting, the texts of the
    Secrets' keys that ``-s`` names. ``bound``: what admission policies know of the settings.
    ``token``, ``hash_key`` and ``release_key``: of an earlier deployment, else generated.
    ``printed``: secrets are left out, and so is whatever is made of them."""

    api_ports: Tuple[int, ...] = api_server.PORTS
    api_addresses: Tuple[str, ...] = ()
    ports_before: Tuple[int, ...] = ()
    referenced: Mapping[str, str] = field(default_factory=dict)
    bound: Bound = field(default_factory=Bound)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    hash_key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    release_key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    printed: bool = False

    def ports(self, request: Request) -> Set[int]:
        """Those that a worker has to reach: of the API server, and of every URL in its settings."""
        defaults = {s.name: s.default for s in request.settings if s.default}
        texts = {**defaults, **request.values, **self.referenced}
        return {*self.api_ports, *ports_of_urls(text for text in texts.values() if text)}

    def sources(self, request: Request) -> Sources:
        """Where the settings can be read: what is wrong with one is said elsewhere."""
        alerts, metrics = (
            setting.check(request.values.get(setting.name, setting.default or ANY))
            for setting in SOURCES
        )
        posted = None if request.values.get("HTTP") == "off" else alerts
        return Sources(posted, metrics, self.api_addresses)

    @classmethod
    def to_print(cls) -> Existing:
        """Of no cluster, such that the same is printed each time, and nothing that is generated."""
        return cls(token="", hash_key="", release_key="", printed=True)


def look(
    cluster: ClusterObjects,
    function: str,
    namespace: str,
    referenced: Mapping[str, str],
    bound: Bound,
) -> Existing:
    secret = cluster.find("v1", "Secret", function, namespace)
    policy = cluster.find("networking.k8s.io/v1", "NetworkPolicy", function, namespace)
    found = api_server.endpoints(cluster)
    return Existing(
        api_ports=api_server.ports(found),
        api_addresses=api_server.addresses(cluster, found),
        ports_before=tuple(egress_ports(policy or {})),
        referenced=referenced,
        bound=bound,
        **_kept(secret or {}),
    )


def ports_of_urls(texts: Iterable[str]) -> Set[int]:
    """The ports of every URL in the texts, and that of HTTPS, which most of them have."""
    return {HTTPS} | {port for text in texts for port in _ports_of(text)}


def _ports_of(text: str) -> Iterable[int]:
    for match in _URL.finditer(text):
        scheme = match[1].lower()
        try:
            port = urlsplit(match[0]).port or _DEFAULT_PORTS.get(scheme)
        except ValueError:
            port = None  # no number: the check of the setting reports it
        if port:
            yield port
        yield from _METADATA_PORTS.get(scheme, ())


def _kept(secret: Manifest) -> Dict[str, Any]:
    """What was generated before, unless it is not there or cannot be used."""
    kept: Dict[str, str] = {}
    for name, key in (
        ("token", worker_settings.TOKEN.name),
        ("hash_key", HASH_KEY),
        ("release_key", RELEASE_KEY),
    ):
        try:
            kept[name] = worker_settings.TOKEN.check(text_of(secret, key))
        except (KeyError, ValueError, InvalidSetting):
            continue
    return kept
