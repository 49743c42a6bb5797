"""What a deployment will do to each object, decided before the first one is changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import List, Optional, Sequence, Union

from playbooks.core.cluster.manifest import Manifest, owned_by, without_zeros
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError

# What changes with every write.
_COUNTED = ("generation", "managedFields", "resourceVersion")


@dataclass(frozen=True)
class Create:
    wanted: Manifest


@dataclass(frozen=True)
class Replace:
    wanted: Manifest
    previous: Manifest


@dataclass(frozen=True)
class Keep:
    previous: Manifest


@dataclass(frozen=True)
class Remove:
    """``waits``: until it is gone, because another of its name follows."""

    previous: Manifest
    waits: bool = False


Step = Union[Create, Replace, Keep, Remove]


def step(wanted: Manifest, previous: Optional[Manifest]) -> Step:
    if previous is None:
        return Create(wanted)
    is_there = {**previous, "metadata": _without_managed(previous)}
    same = without_zeros(merged(wanted, previous)) == without_zeros(is_there)
    return Keep(previous) if same else Replace(wanted, previous)


def without_idle(cluster: ClusterObjects, steps: Sequence[Step]) -> List[Step]:
    """The same, where replacing an object by ours and the API server's defaults changes nothing.

    Which defaults these are, only the API server knows: it is asked.
    """
    return [_idle(cluster, each) or each for each in steps]


def _idle(cluster: ClusterObjects, one: Step) -> Optional[Keep]:
    if not isinstance(one, Replace):
        return None
    try:
        answer = cluster.replace([merged(one.wanted, one.previous)], dry_run=True)
    except PlaybookError:
        return None  # dry_run asks again, and says what is wrong.
    same = bool(answer) and compared(answer[0]) == compared(one.previous)
    return Keep(one.previous) if same else None


def compared(manifest: Manifest) -> Manifest:
    """Without what every write changes, the status and zeros."""
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in _COUNTED}
    stored = {key: part for key, part in manifest.items() if key != "status"}
    return dict(without_zeros({**stored, "metadata": metadata}))


def merged(wanted: Manifest, previous: Manifest) -> Manifest:
    """The stored object with what we declare in it: others keep their labels, annotations and
    finalizers, and its resourceVersion tells the API server what was read."""
    metadata = _without_managed(previous)
    metadata.update(wanted["metadata"])
    for part in ("annotations", "labels"):
        old = previous["metadata"].get(part) or {}
        new = wanted["metadata"].get(part) or {}
        if old or new:
            metadata[part] = {**old, **new}
    return {**previous, **wanted, "metadata": metadata}


def _without_managed(manifest: Manifest) -> Manifest:
    return {k: v for k, v in manifest["metadata"].items() if k != "managedFields"}


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
    def name(self) -> str:
        """Of the function."""
        return str(self.function["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Of the function."""
        return str(self.function["metadata"]["namespace"])

    def here(self) -> Objects:
        """Without what lies outside of the function's namespace, which others granted."""

        def kept(manifests: List[Manifest]) -> List[Manifest]:
            return [m for m in manifests if m["metadata"].get("namespace") == self.namespace]

        return replace(self, accessories=kept(self.accessories), afterwards=kept(self.afterwards))

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
