"""Alerts as they lie in files."""

import json

from playbooks.testing import CONTAINER, a_document

# A pod of Deployment web, but for the last five characters.
DEPLOYED = "web-7d9f8b6c5-"


def a_body(
    *, pod="web-0", namespace="shop", uid=None, container_id=CONTAINER[:12], **changes
) -> bytes:
    fields = {
        "k8s.ns.name": namespace,
        "k8s.pod.name": pod,
        "k8s.pod.uid": uid,
        "container.id": container_id,
    }
    return json.dumps(a_document(output_fields=fields, **changes)).encode()


def bodies(number, seconds=1, prefix="u", **changes):
    """Of as many pods, one after the other."""
    return [
        a_body(
            pod=f"pod{n}",
            uid=f"{prefix}-{n}",
            time=f"2026-01-02T03:{n * seconds // 60:02d}:{n * seconds % 60:02d}Z",
            **changes,
        )
        for n in range(number)
    ]
