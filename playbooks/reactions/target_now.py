"""What was acted upon, as it is some time after that."""

from __future__ import annotations

from typing import Union

from playbooks.core.action import Action
from playbooks.core.cluster.api_object import ApiObject
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.errors import NotFound
from playbooks.core.ports import Cluster
from playbooks.core.reaction import Verified


def node_now(action: Action, cluster: Cluster) -> Union[Node, Verified]:
    """Verified where it is gone: nothing of it is left that could act. Raises a PlaybookError."""
    node = action.node
    assert node is not None
    try:
        found = cluster.node(node.name)
    except NotFound:
        return Verified(True, f"{node} is gone")
    return found if found.uid == node.uid else _another(action)


def pod_now(action: Action, cluster: Cluster) -> Union[Pod, Verified]:
    """The same of a pod."""
    pod = action.pod
    assert pod is not None
    try:
        found = cluster.pod(pod.name, namespace=pod.namespace)
    except NotFound:
        return Verified(True, f"{pod} is gone")
    return found if found.uid == pod.uid else _another(action)


def object_now(action: Action, cluster: Cluster) -> Union[ApiObject, Verified]:
    """The same of an object of another kind."""
    changed = action.changed
    assert changed is not None
    try:
        found = cluster.object(changed.kind, changed.name, namespace=changed.namespace)
    except NotFound:
        return Verified(True, f"{changed} is gone")
    return found if found.uid == changed.uid else _another(action)


def _another(action: Action) -> Verified:
    return Verified(True, f"{action.target} is gone, and another has its name")
