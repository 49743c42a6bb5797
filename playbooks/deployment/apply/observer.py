"""What an engine does while its function is deployed, and how it has all of it undone."""

from __future__ import annotations

from typing import Optional

from playbooks.core.cluster.manifest import Manifest


class Observer:
    """Every method may raise a DeploymentError: then nothing is changed, or all of it is undone."""

    def found(self, function: Optional[Manifest]) -> None:
        """The function as it exists in the cluster, before anything is changed."""

    def created(self, function: Manifest) -> None:
        """The function did not exist and does now, without the objects beside it."""

    def stored(self) -> None:
        """Everything is stored."""
