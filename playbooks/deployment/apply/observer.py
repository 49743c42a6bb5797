"""Who looks on while a function is deployed, and can have all of it undone."""

from __future__ import annotations

from typing import Optional

from playbooks.core.cluster.manifest import Manifest


class Onlooker:
    """Every method may raise a DeploymentError: then nothing is changed, or all of it is undone."""

    def found(self, function: Optional[Manifest]) -> None:
        """The function as it is there, before anything is changed."""

    def created(self, function: Manifest) -> None:
        """It was not there, and is now, with nothing beside it yet."""

    def stored(self) -> None:
        """Everything is stored."""
