"""What a spec needs of the machine it runs on. Without it, its examples are reported as not run.

Written at the end of a spec file::

    not_run_unless(CLUSTER, globals())
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Dict


@dataclass(frozen=True)
class Condition:
    holds: bool
    otherwise: str


def program(name: str) -> Condition:
    return Condition(shutil.which(name) is not None, f"{name} is not on the PATH")


def package(name: str) -> Condition:
    return Condition(find_spec(name) is not None, f"{name} is not installed")


CLUSTER = Condition(
    os.environ.get("KUBERNETES_LOAD_KUBE_CONFIG") == "1",
    "real servers, and the cluster of the kubeconfig: only with KUBERNETES_LOAD_KUBE_CONFIG=1",
)

# Reads conditions, on Python 3.10 and later.
CEL = package("celpy")


def not_run_unless(condition: Condition, module: Dict[str, Any], *, title: str = "") -> None:
    """Make every example group of a spec module pending, and its title say why.

    ``title``: only those in whose own titles it stands.
    """
    if condition.holds:
        return
    for value in list(module.values()):
        if getattr(value, "_example_group", False) and title in value._example_name:
            value._pending = True
            value._example_name += f" [not run: {condition.otherwise}]"
