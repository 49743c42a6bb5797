"""What of the engines there is in the cluster: the image of what ``deploy_playbook -E kubernetes``
deploys, and Kubeless' own controllers, wherever they run."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Dict

from specs.support.cluster.real_cluster import (
    a_name,
    create,
    kubectl,
    kubectl_json,
    stored,
)
from specs.support.conditions import CLUSTER, Condition, program
from specs.support.processes import eventually

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

KUBELESS = program("kubeless")

# In full: another group may have functions too, and kubectl would take either.
FUNCTIONS, TRIGGERS = "functions.kubeless.io", "natstriggers.kubeless.io"

FINALIZER = "kubeless.io/function"

# Seconds that a controller has on a busy machine. One that is at work takes a tenth of one.
PATIENCE = 15.0


@lru_cache(maxsize=None)
def controller_at_work() -> bool:
    """Whether a controller puts its finalizer on a new Function. Asked once a process, so that
    all spec files go by the same answer."""
    if not CLUSTER.holds or stored("crd", FUNCTIONS) is None:
        return False
    name = a_name()
    probe: Dict[str, Any] = {
        "apiVersion": "kubeless.io/v1beta1",
        "kind": "Function",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {},
    }

    def taken_up() -> bool:
        found = stored(FUNCTIONS, name, "default")
        return bool(found) and FINALIZER in found["metadata"].get("finalizers", ())

    create(probe)
    try:
        return bool(eventually(taken_up, PATIENCE))
    except AssertionError:
        return False
    finally:
        kubectl("delete", FUNCTIONS, name, "-n", "default", "--wait=false", "--ignore-not-found")


def no_controller_at_work() -> Condition:
    """For specs whose functions the worker runs, and nothing else."""
    return Condition(
        not controller_at_work(), "a controller of Kubeless is at work in this cluster"
    )
