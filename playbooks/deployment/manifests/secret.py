"""A Secret, which holds texts in base64."""

from __future__ import annotations

import base64
from typing import Dict, Mapping

from playbooks.core.cluster.manifest import Manifest

#: The key that hashes of settings are made with: nobody can guess a password from such a hash.
HASH_KEY = "FALCO_HASH_KEY"


def secret(
    name: str, namespace: str, texts: Mapping[str, str], labels: Mapping[str, str]
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "type": "Opaque",
        "data": {key: encoded(text) for key, text in texts.items()},
    }


def encoded(text: str) -> str:
    """As a Secret has it."""
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def text_of(found: Manifest, key: str) -> str:
    """Of a Secret that is there. Raises KeyError where it has no such key, and ValueError where
    that is not UTF-8 text."""
    return base64.b64decode((found.get("data") or {})[key]).decode("utf-8")


def texts_of(found: Manifest) -> Dict[str, str]:
    """All of them, by key. Raises ValueError as ``text_of``."""
    return {key: text_of(found, key) for key in found.get("data") or {}}
