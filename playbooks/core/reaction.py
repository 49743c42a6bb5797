"""What a playbook does about one alert, and everything that it declares about that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Type, Union

from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.changes import Changes
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment.containment import Containment, NodeContainment
from playbooks.core.errors import NotFound, NotTheSameObject
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster, Known
from playbooks.core.settings import Setting

# What a reaction can rely on: a network plugin that enforces NetworkPolicies.
NETWORK_POLICIES = "network policies"

# What a reaction changes that changes neither pods nor nodes.
OBJECTS = "objects"


@dataclass(frozen=True)
class Verified:
    """Whether what was done is so, some time after it, and ``words`` about what was found."""

    holds: bool
    words: str


def target_now(target: Optional[Known], cluster: Cluster) -> Union[Known, Verified]:
    """What was acted upon, as it is some time after that; Verified where it is gone: nothing of it
    is left that could act. Raises a PlaybookError."""
    assert target is not None
    try:
        return cluster.again(target)
    except NotFound:
        return Verified(True, f"{target} is gone")
    except NotTheSameObject:
        return Verified(True, f"{target} is gone, and another has its name")


class Reaction(ABC):
    """Answers one alert with one prescribed action, and declares what it takes to do so.

    ``TARGETS``: what of the cluster it changes, ``pods``, ``nodes`` or ``objects`` of other kinds;
    empty where nothing.
    ``VIEW``: whether pods that a worker remembers are of use to it.
    ``KINDS``: the kinds of the objects that it may change, where these are others than pods alone,
    or nodes alone.
    ``SETTINGS``, ``PERMISSIONS``: its own, beside those that the guards need.
    ``CHANGES``: what its account may change, where that is less than ``PERMISSIONS`` let it; its
    admission policies are rendered from it.
    ``CONTAINMENT``: what it leaves on a target, where ``falco-playbook undo`` can release that.
    ``TTL``: the setting that says how long that lasts, where it can end by itself.
    ``RELIES_ON``: what no role grants and it cannot do without, such as ``NETWORK_POLICIES``;
    ``falco-playbook check`` tries it.
    ``DONE``: reason codes of a skipped outcome that say that nothing is left to do, beside those
    that begin with ``already-``.
    """

    TARGETS: str = ""
    VIEW: bool = True
    KINDS: Tuple[str, ...] = ()
    SETTINGS: Tuple[Setting, ...] = ()
    PERMISSIONS: Tuple[Permission, ...] = ()
    CHANGES: Tuple[Changes, ...] = ()
    CONTAINMENT: Optional[Type[Containment]] = None
    TTL: str = ""
    RELIES_ON: Tuple[str, ...] = ()
    DONE: Tuple[str, ...] = ()

    @staticmethod
    def installs(values: Mapping[str, str]) -> Tuple[str, ...]:  # noqa: ARG004
        """The distributions that it needs with these settings, as they were written."""
        return ()

    @staticmethod
    def problems(values: Mapping[str, str]) -> List[str]:  # noqa: ARG004
        """What does not fit together in its settings, as they were written."""
        return []

    def heed(self, guards: Sequence[Any]) -> None:  # noqa: ARG002
        """Given the guards of its playbook, before anything is planned: for a reaction that changes
        others beside the target about which they are asked."""
        return

    @property
    def evicts(self) -> bool:
        """Whether what it does to a node ends pods there: it then spares the node it runs on."""
        return True

    @property
    def keeps_pods_away(self) -> bool:
        """Whether what it does to a node keeps new pods away from it, so that others must take
        them."""
        return True

    @property
    def decides_from_memory(self) -> bool:
        """Whether a pod that is remembered may prove what it does: then what it changes is the pod,
        and the API server refuses that where the pod was written since."""
        return self.VIEW and self.TARGETS == "pods"

    @property
    def counts_by_owner(self) -> bool:
        """Whether what it does to a pod counts towards MAX_PER_OWNER, because the pod is of less
        use to its workload then."""
        return True

    def counts(self, node: Node) -> bool:
        """Whether the node counts towards MAX_NODES: by default where a note of ours stands on it,
        as ``CONTAINMENT`` sees it."""
        containment = self.CONTAINMENT
        if containment is None or not issubclass(containment, NodeContainment):
            return False
        return containment.is_noted(node)

    @property
    def settles(self) -> float:
        """Seconds that may pass from the action until it is so, such as a grace period."""
        return 0.0

    def verify(self, action: Action) -> Optional[Verified]:  # noqa: ARG002
        """Look whether what was done is so: some seconds after it, by reads alone.

        None: the cluster cannot tell. Raises a PlaybookError.
        """
        return None

    @abstractmethod
    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        """What to do, with the target proven, or the skipped outcome that says why nothing.

        Makes reads and no change. Raises a PlaybookError.
        """

    def is_done(self, reason: str) -> bool:
        """Whether a skipped outcome says that what it does is done."""
        return reason.startswith("already-") or reason in self.DONE

    def run(self, alert: Alert) -> Outcome:
        """Act or say why not, with no guard in between. Raises a PlaybookError."""
        planned = self.plan(alert)
        return planned.carry_out() if isinstance(planned, Action) else planned
