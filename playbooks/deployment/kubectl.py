"""The cluster as deploy_playbook sees it: a port, and the errors of whoever answers it.

::

    KubectlError           what kubectl said
     +-- NotThere          404
     +-- Exists            409 on create
     +-- Conflicting       409 on replace: somebody else wrote the object first
     +-- Forbidden         403
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import List, Mapping, Sequence

from playbooks.core.cluster.manifest import Manifest
from playbooks.deployment.errors import DeploymentError


class KubectlError(DeploymentError):
    pass


class NotThere(KubectlError):
    pass


class Exists(KubectlError):
    pass


class Conflicting(KubectlError):
    pass


class Forbidden(KubectlError):
    pass


class Kubectl(ABC):
    """Every method has a deadline and raises a KubectlError."""

    @abstractmethod
    def current_namespace(self) -> str:
        """The namespace of the kubeconfig's context. Asks no cluster."""

    @abstractmethod
    def raw(self, path: str) -> Manifest:
        """What the API answers to GET on a path. Raises NotThere."""

    @abstractmethod
    def get(self, manifests: Sequence[Mapping[str, object]]) -> List[Manifest]:
        """Those of the objects that are there, by kind, namespace and name."""

    @abstractmethod
    def list(
        self, resources: Sequence[str], *, namespace: str = "", selector: str = ""
    ) -> List[Manifest]:
        """Objects of some resources, in one namespace or, where it is empty, in all."""

    @abstractmethod
    def logs(
        self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False
    ) -> str:
        """The last lines of a container's log, or of the container it was before a restart."""

    @abstractmethod
    def create(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> List[Manifest]:
        """Create objects. A dry run asks the API server whether it would. Raises Exists."""

    @abstractmethod
    def replace(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> List[Manifest]:
        """Write whole objects, if their resourceVersion is still the one there.

        Raises NotThere or Conflicting.
        """

    @abstractmethod
    def delete(self, manifest: Manifest, *, dry_run: bool = False) -> None:
        """Ask for an object's deletion and do not wait for it; it may be gone already."""
