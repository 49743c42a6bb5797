"""The port of whole objects of a cluster, for the programs that a person runs.

Reactions have a port of their own, which knows no more than they need: playbooks/core/ports.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence

from playbooks.core.cluster.manifest import Manifest, reference

# Seconds that a command in a container may take: one may read thousands of messages.
LONGEST_COMMAND = 600.0


@dataclass(frozen=True)
class Executed:
    """How a command ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


class ClusterObjects(ABC):
    """Every method has a deadline, and raises a PlaybookError: NotFound, NotPermitted, ..."""

    @abstractmethod
    def __str__(self) -> str:
        """Which cluster it is: ``the cluster of FILE (context NAME, server URL, ...)``."""

    @abstractmethod
    def current_namespace(self) -> str:
        """The namespace of the kubeconfig's context, else of the pod. Asks no cluster."""

    @abstractmethod
    def raw(self, path: str) -> Manifest:
        """What the API answers to GET on a path. Raises NotFound."""

    @abstractmethod
    def get(self, manifests: Sequence[Mapping[str, object]]) -> List[Manifest]:
        """Those of the objects that are there, by kind, namespace and name."""

    def find(self, api: str, kind: str, name: str, namespace: str = "") -> Optional[Manifest]:
        """The one object; None where it is not there."""
        return next(iter(self.get([reference(api, kind, name, namespace)])), None)

    @abstractmethod
    def list(
        self, resources: Sequence[str], *, namespace: str = "", selector: str = ""
    ) -> List[Manifest]:
        """Objects of some resources, such as ``pods`` or ``roles.rbac.authorization.k8s.io``, in
        one namespace or, where it is empty, in all."""

    @abstractmethod
    def logs(
        self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False
    ) -> str:
        """The last lines of a container's log, or of the container it was before a restart."""

    @abstractmethod
    def create(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> List[Manifest]:
        """Create objects. A dry run asks the API server whether it would. Raises AlreadyExists.

        Each is tried, whatever becomes of the others, and one error says all that was refused.
        """

    @abstractmethod
    def replace(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> List[Manifest]:
        """Write whole objects, if their resourceVersion is still the one there.

        Raises NotFound or Conflict; each is tried, as with ``create``.
        """

    @abstractmethod
    def delete(self, manifest: Manifest, *, dry_run: bool = False) -> None:
        """Ask for an object's deletion and do not wait for it; it may be gone already.

        A manifest with a uid means this one object: raises NotTheSameObject for another.
        """

    @abstractmethod
    def patch(self, manifest: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        """Merge a change into an object."""

    @abstractmethod
    def try_as(
        self,
        user: str,
        operation: str,
        manifest: Mapping[str, Any],
        body: Manifest,
        *,
        subresource: str = "",
    ) -> None:
        """Ask the API server in a dry run for what it refuses somebody else. Raises NotPermitted.

        ``operation``: CREATE of ``body``, UPDATE of the object by a merge patch, or DELETE with
        DeleteOptions. ``subresource``: of the object, such as ``eviction``.
        """

    @abstractmethod
    def execute(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        seconds: float = LONGEST_COMMAND,
    ) -> Executed:
        """Run a command in a container, without standard input. Raises ClusterUnavailable where it
        takes longer than ``seconds``."""

    @abstractmethod
    def whoami(self) -> str:
        """The name that the API server has for who asks, or "" where it does not tell."""
