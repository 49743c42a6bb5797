"""The image of what ``deploy_playbook -E kubernetes`` deploys, where the node has it."""

from __future__ import annotations

import os

from specs.support.cluster.real_cluster import kubectl_json
from specs.support.conditions import CLUSTER, Condition

IMAGE = os.environ.get("SPEC_WORKER_IMAGE", "local/falco-playbooks:dev")


def on_the_node(image: str) -> bool:
    """Whether the node says that it has the image."""
    nodes = kubectl_json("get", "nodes")["items"]
    found = [i for node in nodes for i in node["status"].get("images") or ()]
    return any(name.endswith(image) for i in found for name in i.get("names") or ())


WORKER_IMAGE = Condition(
    CLUSTER.holds and on_the_node(IMAGE),
    f"no node has the image {IMAGE} (Containerfile builds it)",
)
