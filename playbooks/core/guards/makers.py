"""Who made a pod, as far as the cluster vouches for it: an owner reference alone is a claim."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Tuple

from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.selectors import Selector
from playbooks.core.cluster.workload import Owner, controller
from playbooks.core.errors import NotFound
from playbooks.core.ports import Cluster


def makers(pod: Pod, cluster: Cluster) -> Iterator[Tuple[Owner, Mapping[str, Any]]]:
    """Up the chain of controllers, such as its ReplicaSet and then its Deployment: each that is
    there with the uid that is named, and selects the pod. One call each.

    A controller lets go of a pod that it does not select, and deletes one that is too many.
    """
    owner = pod.owner
    while owner is not None and owner.uid:
        try:
            found = cluster.owner(owner, namespace=pod.namespace)
        except NotFound:
            return
        if not made(pod, owner, found):
            return
        yield owner, found
        owner = controller(found["metadata"])


def made(pod: Pod, owner: Owner, found: Mapping[str, Any]) -> bool:
    """Whether the object of an owner's name has the uid that is named, and selects the pod."""
    if not owner.uid or found["metadata"].get("uid") != owner.uid:
        return False
    spec = found.get("spec") or {}
    if not spec.get("selector"):
        return False
    return Selector.of_controller(owner.kind, spec).selects(pod.labels)
