"""The labels and annotations that a playbook wrote on one pod or node, and how they come off."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment import isolation, revocation, scaling, tainting
from playbooks.core.containment.containment import (
    NODE,
    OWN_KEYS,
    POD,
    NotedContainment,
    PodContainment,
    Target,
)
from playbooks.core.containment.cordoning import Cordoning, Draining
from playbooks.core.containment.note import Note
from playbooks.core.errors import NotPermitted
from playbooks.core.guards import exempt, protected
from playbooks.core.instant import Instant
from playbooks.core.ports import Cluster

# An annotation, JSON: when, why and until when; and of each key what was written and was before.
NOTED = "falco/labels"

# On everything that has such a note, so that it can be found.
LABEL = "falco/labeled"
MARK = "true"

# Keys that say something to playbooks beside those that begin with OWN_KEYS: of guards, and of
# containments that are older than that rule.
RESERVED = frozenset(
    (
        *(NOTED, LABEL, network_policy.LABEL, *isolation.KEYS),
        *(*tainting.Tainting.KEYS, *Cordoning.KEYS, *Draining.KEYS, *scaling.Scaling.KEYS),
        *revocation.Revocation.KEYS,
        *(exempt.EXEMPT, exempt.UNTIL, exempt.REASON, protected.PROTECTED_OWNERS),
    )
)


def is_reserved(key: str) -> bool:
    """Whether it says something to playbooks, and so is no key of a person's choice."""
    return key in RESERVED or key.startswith(OWN_KEYS)


# Characters of JSON up to which a value of before is kept: a tenant writes it, and the ledger is
# one object of the cluster. No value of a label is longer.
LONGEST_BEFORE = 150

Patch = Mapping[str, Optional[str]]


@dataclass(frozen=True)
class Written:
    """What was written under one key, None where the key was taken off; and what was there
    ``before``, None where it was not. ``lost``: that was too long to be kept."""

    now: Optional[str]
    before: Optional[str] = None
    lost: bool = False

    @classmethod
    def over(cls, before: Optional[str], now: Optional[str]) -> Written:
        lost = before is not None and len(json.dumps(before)) > LONGEST_BEFORE
        return cls(now, None if lost else before, lost)

    def to_list(self) -> List[Any]:
        return [self.now, self.before, *([True] if self.lost else [])]


@dataclass(frozen=True)
class LabelNote(Note):
    """And of each key of both parts what was written."""

    labels: Mapping[str, Written] = field(default_factory=dict)
    annotations: Mapping[str, Written] = field(default_factory=dict)

    @classmethod
    def of_dict(cls, entry: Mapping[str, Any]) -> LabelNote:
        labels, annotations = (_read(entry.get(part) or {}) for part in _PARTS)
        return replace(super().of_dict(entry), labels=labels, annotations=annotations)

    def to_dict(self) -> Dict[str, Any]:
        parts = {
            name: {key: each.to_list() for key, each in part.items()}
            for name, part in zip(_PARTS, (self.labels, self.annotations))
            if part
        }
        return {**super().to_dict(), **parts}

    def where(self, holds: Callable[[Mapping[str, str], str, Written], bool], on: Target) -> Any:
        """The same, of those keys only of which it holds."""
        labels, annotations = (
            {key: each for key, each in part.items() if holds(there, key, each)}
            for part, there in ((self.labels, on.labels), (self.annotations, on.annotations))
        )
        return replace(self, labels=labels, annotations=annotations)

    @property
    def empty(self) -> bool:
        return not self.labels and not self.annotations


_PARTS = ("labels", "annotations")


def _read(part: Mapping[str, Any]) -> Dict[str, Written]:
    """Nothing that would be put back under a key of ours, whoever wrote the note."""
    found = {}
    for key, (now, before, *lost) in part.items():
        if not all(each is None or isinstance(each, str) for each in (now, before)):
            raise ValueError(key)
        if not is_reserved(key):
            found[key] = Written(now, before, bool(lost))
    return found


def _same(there: Mapping[str, str], key: str, written: Written) -> bool:
    return there.get(key) == written.now


@dataclass(frozen=True)
class Labeling(NotedContainment[LabelNote]):
    """A key that somebody else wrote since is his: an expiry leaves it."""

    target: Target
    theirs: Tuple[str, ...] = ()

    NOTE = LabelNote
    KINDS = (POD, NODE)
    KEYS = (NOTED,)
    NOTHING = "has no label or annotation that a playbook wrote"
    EXPIRED = "unlabeled"

    @classmethod
    def read(cls, cluster: Cluster, kind: str, name: str, namespace: str) -> Target:
        if kind == NODE:
            return cluster.node(name)
        return cluster.pod(name, namespace=namespace)

    @classmethod
    def listed(cls, cluster: Cluster, namespaces: Tuple[str, ...]) -> List[Target]:
        """Also one call for nodes, where these may be listed."""
        found: List[Target] = list(_LabeledPods.listed(cluster, namespaces))
        with suppress(NotPermitted):
            found += [node for node in cluster.nodes() if LABEL in node.labels]
        return found

    @property
    def changes(self) -> List[str]:
        return list(self._changes())

    def over(self, now: Instant) -> Labeling:  # noqa: ARG002
        """Without the keys that somebody changed."""
        if self.note is None:
            return self
        return replace(
            self, note=self.note.where(_same, self.target), theirs=tuple(self._changes())
        )

    def release(self, cluster: Cluster) -> str:
        note = self.note or LabelNote()
        labels = {key: each.before for key, each in note.labels.items()}
        annotations = {key: each.before for key, each in note.annotations.items()}
        write(cluster, self.target, {**labels, LABEL: None}, {**annotations, NOTED: None})
        done = shown({**labels, **annotations})
        left = f"; {'; '.join(self.theirs)}, which stays" if self.theirs else ""
        return f"{self.target}: {done or 'nothing of it was left'}{left}"

    def _changes(self) -> Iterator[str]:
        if self.note is None:
            return
        labels, annotations = self.target.labels, self.target.annotations
        of_both = (
            (_PARTS[0], self.note.labels, labels),
            (_PARTS[1], self.note.annotations, annotations),
        )
        for what, written, there in of_both:
            for key, each in written.items():
                if not _same(there, key, each):
                    now = f"set to {there[key]:.100}" if key in there else "taken off"
                    yield f"{what[:-1]} {key} was {now}"


class _LabeledPods(PodContainment):
    """How they are found."""

    LABEL = LABEL


def write(cluster: Cluster, target: Target, labels: Patch, annotations: Patch) -> None:
    """Raises NotFound, or Conflict where the target was written since it was read."""
    if isinstance(target, Node):
        cluster.patch_node(target, spec={}, labels=labels, annotations=annotations)
    elif isinstance(target, Pod):
        cluster.patch_pod(target, labels=labels, annotations=annotations)


def shown(patch: Patch) -> str:
    """As kubectl label takes it: ``key=value``, and ``key-`` for one that is taken off."""
    return ", ".join(f"{k}-" if v is None else f"{k}={v}" for k, v in patch.items())
