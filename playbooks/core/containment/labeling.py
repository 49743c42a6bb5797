"""The labels and annotations that a playbook wrote on one pod or node, and how they come off."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

from playbooks.core.cluster import network_policy
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment import isolation, revocation, scaling, tainting
from playbooks.core.containment.containment import (
    NODE,
    OWN_KEYS,
    POD,
    NodeContainment,
    NotedContainment,
    PodContainment,
    Target,
    labelled_pods,
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


ByPart = Mapping[str, Mapping[str, Written]]

# The parts of an object's metadata that are written, as the note has them, too.
PARTS = LABELS, ANNOTATIONS = "labels", "annotations"


def parts_of(target: Target) -> Mapping[str, Mapping[str, str]]:
    return {LABELS: target.labels, ANNOTATIONS: target.annotations}


def _nothing() -> ByPart:
    return {part: {} for part in PARTS}


@dataclass(frozen=True)
class LabelNote(Note):
    """``written``: of each part, by key."""

    written: ByPart = field(default_factory=_nothing)

    @classmethod
    def of_dict(cls, entry: Mapping[str, Any]) -> LabelNote:
        written = {part: _read(entry.get(part) or {}) for part in PARTS}
        return replace(super().of_dict(entry), written=written)

    def to_dict(self) -> Dict[str, Any]:
        parts = {
            part: {key: each.to_list() for key, each in keys.items()}
            for part, keys in self.written.items()
            if keys
        }
        return {**super().to_dict(), **parts}


def _read(part: Mapping[str, Any]) -> Dict[str, Written]:
    """Nothing that would be put back under a key of ours, whoever wrote the note."""
    found = {}
    for key, (now, before, *lost) in part.items():
        if not all(each is None or isinstance(each, str) for each in (now, before)):
            raise ValueError(key)
        if not is_reserved(key):
            found[key] = Written(now, before, bool(lost))
    return found


@dataclass(frozen=True)
class Labeling(NotedContainment[LabelNote]):
    """A key that somebody else wrote since is his: an expiry leaves it."""

    target: Target
    theirs: Tuple[str, ...] = ()

    NOTE = LabelNote
    KINDS = (POD, NODE)
    RELEASING = (*PodContainment.RELEASING, *NodeContainment.RELEASING)
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
        found: List[Target] = list(labelled_pods(cluster, LABEL, namespaces))
        with suppress(NotPermitted):
            found += [node for node in cluster.nodes() if LABEL in node.labels]
        return found

    @property
    def changes(self) -> List[str]:
        there, written = parts_of(self.target), self.note.written if self.note else {}
        return [
            f"{part[:-1]} {key} was {_found(there[part], key)}"
            for part, keys in written.items()
            for key, each in keys.items()
            if there[part].get(key) != each.now
        ]

    def over(self, now: Instant) -> Labeling:  # noqa: ARG002
        """Without the keys that somebody changed."""
        if self.note is None:
            return self
        there = parts_of(self.target)
        same = {
            part: {key: each for key, each in keys.items() if there[part].get(key) == each.now}
            for part, keys in self.note.written.items()
        }
        return replace(self, note=replace(self.note, written=same), theirs=tuple(self.changes))

    def release(self, cluster: Cluster) -> str:
        written = (self.note or LabelNote()).written
        labels, annotations = (
            {key: each.before for key, each in written[part].items()} for part in PARTS
        )
        write(cluster, self.target, {**labels, LABEL: None}, {**annotations, NOTED: None})
        done = shown({**labels, **annotations})
        left = f"; {'; '.join(self.theirs)}, which stays" if self.theirs else ""
        return f"{self.target}: {done or 'nothing of it was left'}{left}"


def _found(there: Mapping[str, str], key: str) -> str:
    return f"set to {there[key]:.100}" if key in there else "taken off"


def write(cluster: Cluster, target: Target, labels: Patch, annotations: Patch) -> None:
    """Raises NotFound, or Conflict where the target was written since it was read."""
    if isinstance(target, Node):
        cluster.patch_node(target, spec={}, labels=labels, annotations=annotations)
    elif isinstance(target, Pod):
        cluster.patch_pod(target, labels=labels, annotations=annotations)


def shown(patch: Patch) -> str:
    """As kubectl label takes it: ``key=value``, and ``key-`` for one that is taken off."""
    return ", ".join(f"{k}-" if v is None else f"{k}={v}" for k, v in patch.items())
