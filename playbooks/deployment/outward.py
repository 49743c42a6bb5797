"""The ports at which a worker's settings say that it has to reach somebody."""

from __future__ import annotations

import re
from typing import Iterable, Set
from urllib.parse import urlsplit

HTTPS = 443

_DEFAULTS = {"http": 80, "https": HTTPS, "nats": 4222, "tls": 4222, "ws": 80, "wss": HTTPS}

# Where a client asks who it is, when it has no key: a service of the node, at 169.254.169.254.
# Sources: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html and
# https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
_IDENTITY = {"s3": (80,), "gs": (80, 988)}

_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s,\"'<>/?#]+", re.ASCII | re.IGNORECASE)


def ports(texts: Iterable[str]) -> Set[int]:
    """Of every URL in the texts; and that of HTTPS, which most of them are."""
    return {HTTPS} | {port for text in texts for port in _of(text)}


def _of(text: str) -> Iterable[int]:
    for match in _URL.finditer(text):
        try:
            port = urlsplit(match[0]).port or _DEFAULTS.get(match[1].lower())
        except ValueError:
            port = None  # no number: whoever reads the setting complains
        if port:
            yield port
        yield from _IDENTITY.get(match[1].lower(), ())
