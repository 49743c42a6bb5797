"""One NATSTrigger a topic, as ``kubeless trigger nats create`` makes it, but for one label."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Sequence

from playbooks.core.cluster.manifest import KUBELESS_API, Manifest, labels


def triggers(function: str, namespace: str, topics: Sequence[str]) -> List[Manifest]:
    return [
        {
            "apiVersion": KUBELESS_API,
            "kind": "NATSTrigger",
            "metadata": {
                "name": f"{function}-trigger-{index}",
                "namespace": namespace,
                "labels": labels(function),
            },
            "spec": {"functionSelector": {"matchLabels": labels(function)}, "topic": topic},
        }
        for index, topic in enumerate(topics)
    ]


def is_trigger_of(function: str, manifest: Mapping[str, Any]) -> bool:
    """By its name: the kubeless CLI gives a trigger no label that tells its function."""
    name = manifest["metadata"]["name"]
    return bool(re.fullmatch(re.escape(function) + "-trigger-[0-9]+", name))
