"""What a playbook may ask of the Kubernetes API, declared beside its reaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple


@dataclass(frozen=True)
class Permission:
    """One RBAC rule. ``cluster_wide`` resources, such as nodes, belong to no namespace.

    ``only_with``: the setting without which it is not needed, where it is ``off`` or empty.
    ``namespace``: the only one in which it is needed, wherever the playbook may act.
    """

    resource: str
    verbs: Tuple[str, ...]
    group: str = ""
    cluster_wide: bool = False
    only_with: str = ""
    namespace: str = ""
