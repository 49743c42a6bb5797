"""What ``deploy_playbook -E kubernetes`` deploys, with the image that the node has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Tuple

from specs.support.conditions import CLUSTER, Condition
from specs.support.real_cluster import kubectl_json

ROOT = Path(__file__).resolve().parents[2]

IMAGE = os.environ.get("SPEC_WORKER_IMAGE", "local/falco-playbooks:dev")


def deploy_playbook(*words: str) -> Tuple[int, str]:
    """The exit code and what was said."""
    # A Python that has what is needed, which may lie in a virtual environment.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(ROOT / "deploy_playbook"), *words],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def on_the_node(image: str) -> bool:
    """Whether the node says that it has the image."""
    nodes = kubectl_json("get", "nodes")["items"]
    found = [i for node in nodes for i in node["status"].get("images") or ()]
    return any(name.endswith(image) for i in found for name in i.get("names") or ())


WORKER_IMAGE = Condition(
    CLUSTER.holds and on_the_node(IMAGE),
    f"no node has the image {IMAGE} (Containerfile builds it)",
)
