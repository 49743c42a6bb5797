"""The last guard: pause, and the budget of a playbook, both from its ledger."""

from __future__ import annotations

from typing import Callable, Optional, Tuple

from playbooks.core.action import Action, Answer
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Workload
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.guards.nodes import others_that_take_pods
from playbooks.core.ledger import limits
from playbooks.core.ledger.book import Request
from playbooks.core.ledger.limits import Limits
from playbooks.core.ports import Cluster, Ledger


class BlastRadius(Guard):
    """Nothing while the playbook is paused, and at most so many actions within a window: in a
    namespace, in all, of the pods of a workload, and so many nodes at a time.

    ``counts``: whether a node counts towards MAX_NODES.
    """

    REASONS = (
        *("paused", "undone", "budget-used-up", "before-reset"),
        *("owner-limit", "node-limit", "last-node"),
    )
    SETTINGS = limits.SETTINGS
    OFF = (
        "`MAX_ACTIONS=off`, `MAX_ACTIONS_ALL=off`, `MAX_PER_OWNER=off`, `MAX_NODES=off`;"
        " `falco-playbook pause` always works"
    )

    @classmethod
    def of(cls, context: Context) -> BlastRadius:
        collaborators, limits = context.acting, Limits.of(context.settings)
        return cls(collaborators.ledger, collaborators.cluster, limits, context.reaction.counts)

    def __init__(
        self,
        ledger: Ledger,
        cluster: Cluster,
        limits: Limits,
        counts: Callable[[Node], bool],
    ) -> None:
        self._ledger = ledger
        self._cluster = cluster
        self._limits = limits
        self._counts = counts

    def of_action(self, case: Case, action: Action) -> Answer:
        request = self._request(action, case)
        if case.dry_run:
            return self._ledger.look(request, self._limits, case.now)
        return self._ledger.ask(request, self._limits, case.now)

    def _request(self, action: Action, case: Case) -> Request:
        workload = self._workload(action)
        return Request(
            uid=action.uid,
            namespace=action.pod.namespace if action.pod else "",
            alert_time=case.alert.time,
            workload=str(workload) if workload else "",
            replicas=workload.replicas if workload else None,
            node=action.node.name if action.node else "",
            tainted=self._counted(action),
            spare=self._spare(action),
            released=bool(case.released_by),
        )

    def _workload(self, action: Action) -> Optional[Workload]:
        pod = action.pod
        if self._limits.per_owner is None or action.node or pod is None or pod.owner is None:
            return None
        return self._cluster.workload(pod.owner, namespace=pod.namespace)

    def _counted(self, action: Action) -> Tuple[str, ...]:
        if self._limits.nodes is None or action.node is None:
            return ()
        return tuple(node.name for node in self._cluster.nodes() if self._counts(node))

    def _spare(self, action: Action) -> Optional[Tuple[str, ...]]:
        if action.node is None:
            return None
        return tuple(n.name for n in others_that_take_pods(action.node, self._cluster.nodes()))
