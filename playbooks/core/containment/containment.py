"""What a playbook leaves on a target for a time, as undo and expiry see it."""

from __future__ import annotations

import json
import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    ClassVar,
    Dict,
    Generic,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    cast,
)

from playbooks.core.cluster.api_object import ReadObject
from playbooks.core.cluster.manifest import PREFIX
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.permissions import Permission
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment.note import UNREADABLE, N, Note
from playbooks.core.errors import Refused
from playbooks.core.instant import Instant
from playbooks.core.ledger.contained import Contained, Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster
from playbooks.core.settings import all_names, matches_any

Target = ReadObject

# What keys of ours begin with, so that nobody chooses one of them for a label or an annotation of
# his own.
OWN_KEYS = f"{PREFIX}containment."

# Kinds of targets, as people type them.
POD, NODE = "pod", "node"

# What is said after what was done to a target that has no room for the annotations of ours.
UNNOTED = (
    "; the API server takes no further annotation there, so that the ledger alone has the note"
)


class Containment(ABC):
    """What one playbook left on one target, as it was read, and how it is released.

    A reaction that contains its target names its subclass in ``CONTAINMENT``: ``falco-playbook
    undo`` and ``sweep``, and the worker, use nothing else of it. Subclass ``PodContainment`` or
    ``NodeContainment``, which say how targets are found.

    What it goes by are notes in the ledger, where no tenant writes; the same stand as annotations
    on the target, for people.

    ``target``: as it was read. ``KINDS``: of targets, as in ``falco-playbook undo pod/NAME``.
    ``KEYS``: of its notes, which are annotations too; they begin with ``OWN_KEYS``. ``NOTHING``:
    what is said after the name of a target on which nothing is left (``is not isolated``).
    ``EXPIRED``: the reason code of an expiry. ``REMOVES``: the target is gone, and ``restored``
    makes it anew. ``RELEASING``: what a person needs to find the targets and to release them.
    """

    REMOVES: ClassVar[bool] = False
    RELEASING: ClassVar[Tuple[Permission, ...]] = ()
    KINDS: ClassVar[Tuple[str, ...]]
    KEYS: ClassVar[Tuple[str, ...]]
    NOTHING: ClassVar[str]
    EXPIRED: ClassVar[str]

    target: Target

    @classmethod
    @abstractmethod
    def read(cls, cluster: Cluster, kind: str, name: str, namespace: str) -> Target:
        """The target as it is now. ``kind``: one of ``KINDS``. One call. Raises NotFound."""

    @classmethod
    def listed(
        cls,
        cluster: Cluster,  # noqa: ARG003
        namespaces: Tuple[str, ...],  # noqa: ARG003
    ) -> Optional[Sequence[Target]]:
        """The targets on which it may stand, for ``falco-playbook status`` and ``contained`` alone.
        ``namespaces``: names or globs; none means all. None: nothing finds them, and those in the
        ledger are shown.

        One call, or one for each of ``namespaces`` where all of them are names.
        """
        return None

    @classmethod
    @abstractmethod
    def is_due(cls, notes: Notes, now: Instant, look: Callable[[], Target]) -> bool:
        """Whether what the notes say has ended, by its TTL or because somebody took it off. Calls
        ``look`` for the target only where the notes do not tell."""

    @classmethod
    @abstractmethod
    def of(cls, target: Target, cluster: Cluster, notes: Notes) -> Containment:
        """What is left on the target, by these notes. May make reads."""

    @classmethod
    def restored(cls, cluster: Cluster, known: Contained) -> Optional[Tuple[str, str]]:  # noqa: ARG003
        """Make a target anew that was removed: its uid, and what was done. None where the notes do
        not tell how. Raises AlreadyExists."""
        return None

    @classmethod
    def of_ledgers(cls, notes: Sequence[Notes]) -> Dict[str, str]:
        """The notes of several ledgers about one target."""
        return {key: value for each in notes for key, value in each.items() if key in cls.KEYS}

    @property
    @abstractmethod
    def there(self) -> bool:
        """Whether anything of it is left."""

    @property
    def until(self) -> Optional[Instant]:
        """When it ends by its TTL; None where a person has to release it."""
        return None

    @property
    def changes(self) -> List[str]:
        """What somebody changed since, in words: it is left alone then, unless it is forced."""
        return []

    def over(self, now: Instant) -> Containment:  # noqa: ARG002
        """The part that has ended by its TTL, where there may be several with a TTL each."""
        return self

    def obstacle(self, cluster: Cluster) -> str:  # noqa: ARG002
        """Why releasing it would harm something else, in words, even where it is forced; or empty.
        May make reads."""
        return ""

    @property
    def left(self) -> Dict[str, str]:
        """The notes that stand after the release, where only a part is released."""
        return {}

    @abstractmethod
    def release(self, cluster: Cluster) -> str:
        """Take off what is left, and nothing else. The answer says what was done.

        Raises NotFound, or Conflict where the target was written since it was read.
        """

    def expire(self, cluster: Cluster) -> Outcome:
        """End it, since its TTL is over. Raises NotFound or Conflict, as ``release`` does."""
        return self.expired(f"{self.release(cluster)}, its time is over", self.EXPIRED)

    def expired(self, message: str, reason: str) -> Outcome:
        return Outcome.acted(str(self.target), reason, message, uid=self.target.uid)

    def left_alone(self, changes: Sequence[str]) -> Outcome:
        """The outcome of an expiry that something else prevents."""
        said = f"{self.target} has expired and is not released, because it was modified since"
        return Outcome.skipped("changed-since", f"{said}: {'; '.join(changes)}", str(self.target))


class PodContainment(Containment):
    """On pods. ``LABEL``: the one that every contained pod has; it begins with ``OWN_KEYS``."""

    KINDS = (POD,)
    RELEASING: ClassVar[Tuple[Permission, ...]] = (Permission("pods", ("get", "list", "patch")),)
    LABEL: ClassVar[str]

    @classmethod
    def read(cls, cluster: Cluster, kind: str, name: str, namespace: str) -> Pod:  # noqa: ARG003
        return cluster.pod(name, namespace=namespace)

    @classmethod
    def listed(cls, cluster: Cluster, namespaces: Tuple[str, ...]) -> List[Pod]:
        return labelled_pods(cluster, cls.LABEL, namespaces)


class NodeContainment(Containment):
    """On nodes, which belong to no namespace."""

    KINDS = (NODE,)
    RELEASING: ClassVar[Tuple[Permission, ...]] = (
        Permission("nodes", ("get", "list", "patch"), cluster_wide=True),
    )

    @classmethod
    def read(cls, cluster: Cluster, kind: str, name: str, namespace: str) -> Node:  # noqa: ARG003
        return cluster.node(name)

    @classmethod
    def listed(cls, cluster: Cluster, namespaces: Tuple[str, ...]) -> List[Node]:  # noqa: ARG003
        return cluster.nodes()

    @classmethod
    @abstractmethod
    def is_noted(cls, node: Node) -> bool:
        """Whether a containment of ours stands on the node: it then counts towards MAX_NODES."""


@dataclass(frozen=True)
class NotedContainment(Containment, Generic[N]):
    """By one note: JSON, under the first of ``KEYS``. ``NOTE``: its class. Without a note that says
    something, what is there is somebody else's."""

    target: Any
    note: Optional[N]

    NOTE: ClassVar[Type[Note]] = Note

    @classmethod
    def noted(cls, notes: Notes) -> Optional[N]:
        """None where there is none, or it says nothing."""
        try:
            return cast("N", cls.NOTE.of_dict(json.loads(notes[cls.KEYS[0]])))
        except UNREADABLE:
            return None

    @classmethod
    def to_notes(cls, note: N) -> Dict[str, str]:
        """What is written in the ledger, and on the target as its annotation."""
        return {cls.KEYS[0]: json.dumps(note.to_dict(), sort_keys=True)}

    @classmethod
    def is_due(cls, notes: Notes, now: Instant, look: Callable[[], Any]) -> bool:  # noqa: ARG003
        found = cls.noted(notes)
        return found is not None and found.is_over(now)

    @classmethod
    def of(cls, target: Any, cluster: Cluster, notes: Notes) -> NotedContainment[N]:  # noqa: ARG003
        return cls(target, cls.noted(notes))

    @property
    def there(self) -> bool:
        return self.note is not None

    @property
    def until(self) -> Optional[Instant]:
        return self.note.until if self.note else None


def labelled_pods(cluster: Cluster, label: str, namespaces: Tuple[str, ...]) -> List[Pod]:
    """The pods with a label, in these namespaces, as ``Containment.listed`` has them."""
    found = cluster.labelled_pods(label, namespaces=all_names(namespaces))
    return [pod for pod in found if matches_any(pod.namespace, namespaces)]


def contained(target: Target, notes: Notes) -> Contained:
    """What the ledger remembers of a target."""
    return Contained(target.uid, target.typed, target.namespace, target.name, notes)


def noting(
    write: Callable[[Mapping[str, Optional[str]]], None], notes: Mapping[str, Optional[str]]
) -> str:
    """Write with these notes as annotations, or without them where the API server refuses that:
    whoever may write the target may have used up all that annotations may take, and by these notes
    goes nobody. What is to be said of that, or empty. Raises what ``write`` raises."""
    try:
        write(notes)
    except Refused:
        write({})
        return UNNOTED
    return ""


def undo_command(target: Target) -> str:
    """What a person types to release it. Names of RBAC may have blanks, and what a shell takes for
    something else."""
    place = f" -n {target.namespace}" if target.namespace else ""
    return f"falco-playbook undo {shlex.quote(f'{target.typed}/{target.name}')}{place} -A"
