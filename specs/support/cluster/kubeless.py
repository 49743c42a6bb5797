"""Whether Kubeless' own controllers are at work in the cluster, wherever they run."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict

from specs.support.cluster.real_cluster import a_name, create, eventually, kubectl, stored
from specs.support.conditions import CLUSTER, program

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
