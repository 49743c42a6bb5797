"""The Secret that holds the values of secret settings, one key each."""

from __future__ import annotations

import base64
from typing import List

from playbooks.core.cluster.manifest import Manifest, labels
from playbooks.deployment.request.request import Request


def secrets(request: Request, namespace: str) -> List[Manifest]:
    """One, or none where no secret setting was given a value."""
    if not request.secrets:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": request.function,
                "namespace": namespace,
                "labels": labels(request.function),
            },
            "type": "Opaque",
            "data": {
                name: base64.b64encode(request.values[name].encode("utf-8")).decode("ascii")
                for name in request.secrets
            },
        }
    ]
