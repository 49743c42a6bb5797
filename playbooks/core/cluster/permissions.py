"""What a playbook may ask of the Kubernetes API, declared beside its reaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Tuple

# Labels, annotations and taints of ours begin with this.
PREFIX = "falco/"


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


@dataclass(frozen=True)
class Changes:
    """What the account of a playbook may change of one resource, where its role gives it more.

    The admission policy is rendered from it. Without further words the account may change the
    annotations ``falco/*`` of an object that is there, and nothing else.

    ``spec``: the fields of the spec that it may change. ``takes_labels``: it may take labels off,
    and give the object none but ``falco/*``. ``own``: it creates, replaces and deletes objects of
    its own, which ``rules`` alone describe. ``rules``: CEL that has to hold as well, of ``object``
    and ``oldObject``, and what the playbook does then, in words after "the taint playbook".
    Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
    """

    resource: str
    group: str = ""
    spec: Tuple[str, ...] = ()
    takes_labels: bool = False
    own: bool = False
    rules: Mapping[str, str] = field(default_factory=dict)
