"""The functions of which a cluster has a record."""

from __future__ import annotations

from typing import List, Optional

from playbooks.core.cluster.manifest import KUBELESS_API, Manifest, reference
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.deployment.manifests import record


def find(cluster: ClusterObjects, namespace: str, function: str) -> Optional[Manifest]:
    """Its Function, or what is recorded of one to which alerts are pushed, in the same form."""
    found = cluster.get([reference(KUBELESS_API, "Function", function, namespace)])
    return found[0] if found else find_pushed(cluster, namespace, function)


def find_pushed(cluster: ClusterObjects, namespace: str, function: str) -> Optional[Manifest]:
    """The same of those to which alerts are pushed alone."""
    found = map(record.of_binding, cluster.get([record.binding_of(function, namespace)]))
    return next((each for each in found if each), None)


def pushed(cluster: ClusterObjects, namespace: str) -> List[Manifest]:
    """All of these, in a namespace or, where it is empty, in all. Raises a PlaybookError where they
    may not be listed."""
    found = cluster.list((record.RECORDS,), namespace=namespace, selector=record.SELECTOR)
    return [each for each in map(record.of_binding, found) if each]
