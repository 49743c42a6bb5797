"""Whether a worker keeps a view of the cluster, where, and the rights that this takes."""

from __future__ import annotations

from typing import Mapping, Optional, Tuple

from playbooks.core.cluster.permissions import Permission
from playbooks.core.evidence import settings as evidence
from playbooks.core.guards.filters import acts_in
from playbooks.core.playbook import Playbook
from playbooks.engines.worker.settings import WATCH

# Namespaces that are watched one by one, at most.
MOST = 20

_VERBS = ("list", "watch")


def places(playbook: Playbook, values: Mapping[str, str]) -> Optional[Tuple[str, ...]]:
    """The namespaces whose pods are watched; an empty tuple for all, None for no view.

    There is none where nothing would be answered from it: what keeps evidence reads the whole pod,
    and nothing holds a change of a node to what is known of a pod.
    """
    off = values.get(WATCH.name, WATCH.default) == "off"
    if off or not playbook.remembers or values.get(evidence.URL.name):
        return None
    given = acts_in(values)
    return given if len(given) <= MOST else None


def rights(playbook: Playbook, values: Mapping[str, str]) -> Tuple[Permission, ...]:
    """What a worker needs beside the rights that the playbook has with any engine."""
    has = set(playbook.rights(values))
    looks = tuple(p for p in playbook.rights(values, looks=True) if p not in has)
    return (*looks, *permissions(playbook, values))


def permissions(playbook: Playbook, values: Mapping[str, str]) -> Tuple[Permission, ...]:
    """What the view takes, beside the rights of the playbook."""
    where = places(playbook, values)
    if where is None:
        return ()
    everywhere = (Permission("namespaces", _VERBS, cluster_wide=True),) if not where else ()
    return (
        Permission("pods", ("watch",)),
        Permission("replicationcontrollers", _VERBS),
        Permission("replicasets", _VERBS, group="apps"),
        Permission("statefulsets", _VERBS, group="apps"),
        Permission("daemonsets", _VERBS, group="apps"),
        Permission("jobs", _VERBS, group="batch"),
        *everywhere,
    )
