"""What a request comes to: the objects of a function, as any engine has them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import List

from playbooks.core.cluster.manifest import Manifest, owned_by


@dataclass(frozen=True)
class Objects:
    """``accessories``: what the function needs beside it. ``earlier``: references to what another
    deployment of it may have made. ``afterwards``: what some accessories become once everything is
    up. ``owns_triggers``: whether these go when the function goes."""

    function: Manifest
    accessories: List[Manifest]
    triggers: List[Manifest]
    earlier: List[Manifest] = field(default_factory=list)
    afterwards: List[Manifest] = field(default_factory=list)
    owns_triggers: bool = False

    @property
    def in_order(self) -> List[Manifest]:
        """Such that each finds what it refers to."""
        return [*self.accessories, self.function, *self.triggers]

    def owned_by(self, function: Manifest) -> Objects:
        """The same objects with the stored function as their owner."""
        triggers = self.triggers
        if self.owns_triggers:
            triggers = [owned_by(function, trigger) for trigger in triggers]
        return replace(
            self,
            accessories=[owned_by(function, manifest) for manifest in self.accessories],
            triggers=triggers,
            afterwards=[owned_by(function, manifest) for manifest in self.afterwards],
        )
