"""The last guard: pause, and the budget of a playbook, both from its ledger."""

from __future__ import annotations

from typing import Optional, Tuple

from playbooks.core.action import Action, Answer
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.workload import Workload
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.guards.makers import made
from playbooks.core.guards.nodes import others_that_take_pods
from playbooks.core.ledger import limits
from playbooks.core.ledger.book import Request
from playbooks.core.ledger.limits import Limits
from playbooks.core.ports import Cluster, Ledger
from playbooks.core.reaction import Reaction
from playbooks.core.subjects import Priority


class BlastRadius(Guard):
    """Nothing while the playbook is paused, and at most so many actions within a window: in a
    namespace, in all, of the pods of a workload, so many nodes at a time, and for one rule so often
    about pods of one workload.

    ``spares_a_node``: one that takes the pods of the changed node has to be left. ``step``: of a
    chain, whose ledger counts each step by itself.
    """

    REASONS = (
        *("paused", "undone", "budget-used-up", "before-reset"),
        *("owner-limit", "node-limit", "last-node", "recurring"),
    )
    SETTINGS = limits.SETTINGS
    KEEPS_COUNT = True
    OFF = (
        "`MAX_ACTIONS=off`, `MAX_ACTIONS_ALL=off`, `MAX_PER_OWNER=off`, `MAX_NODES=off`,"
        " `ESCALATE_AFTER=off`;"
        " `falco-playbook pause` always works"
    )

    @classmethod
    def of(cls, context: Context) -> BlastRadius:
        acting, settings, reaction = context.acting, context.settings, context.reaction
        return cls(
            acting.ledger,
            acting.cluster,
            Limits.of(settings),
            reaction,
            spares_a_node=reaction.keeps_pods_away and not settings["ALLOW_LAST_NODE"],
            step=context.playbook if context.chain else "",
        )

    def __init__(
        self,
        ledger: Ledger,
        cluster: Cluster,
        limits: Limits,
        reaction: Reaction,
        *,
        spares_a_node: bool = True,
        step: str = "",
    ) -> None:
        self._ledger = ledger
        self._cluster = cluster
        self._limits = limits
        self._reaction = reaction
        self._spares_a_node = spares_a_node
        self._step = step

    def check(self) -> None:
        self._ledger.check()

    def of_action(self, case: Case, action: Action) -> Answer:
        request = self._request(action, case)
        if case.dry_run:
            return self._ledger.look(request, self._limits, case.now)
        return self._ledger.ask(request, self._limits, case.now)

    def _request(self, action: Action, case: Case) -> Request:
        workload, pod = self._workload(action), action.pod
        return Request(
            uid=action.uid,
            namespace=action.namespace,
            alert_time=case.alert.time,
            workload=str(workload) if workload and self._reaction.counts_by_owner else "",
            pods=action.pods,
            replicas=_replicas(action, workload),
            node=action.node.name if action.node and self._reaction.keeps_pods_away else "",
            contained=self._counted(action),
            spare=self._spare(action),
            released=bool(case.released_by),
            urgent=case.alert.priority >= Priority.CRITICAL,
            rule=case.alert.rule,
            step=self._step,
            maker=_maker(pod, workload) if pod and workload else "",
        )

    def _workload(self, action: Action) -> Optional[Workload]:
        """None also where its controller is not proven: who makes a pod can name any, and what is
        counted against others would keep theirs from being answered."""
        pod, limits = action.pod, self._limits
        counted = limits.per_owner is not None and self._reaction.counts_by_owner
        if action.node or pod is None or pod.owner is None:
            return None
        if not counted and limits.again is None:
            return None
        found = self._cluster.workload(pod.owner, namespace=pod.namespace)
        above = found.controller if found else None
        return found if above is None or made(pod, pod.owner, above) else None

    def _counted(self, action: Action) -> Tuple[str, ...]:
        if self._limits.nodes is None or action.node is None:
            return ()
        return tuple(node.name for node in self._cluster.nodes() if self._reaction.counts(node))

    def _spare(self, action: Action) -> Optional[Tuple[str, ...]]:
        if action.node is None or not self._spares_a_node:
            return None
        others = others_that_take_pods(action.node, self._cluster.nodes(), self._reaction)
        return tuple(node.name for node in others)


def _replicas(action: Action, workload: Optional[Workload]) -> Optional[int]:
    if workload is not None and action.workload is not None:
        return action.workload.replicas
    return workload.replicas if workload else None


def _maker(pod: Pod, workload: Workload) -> str:
    """The controller of the pod, such as its ReplicaSet, by uid; empty where it is gone. What lies
    above it, such as its Deployment, is named and not proven."""
    return f"{pod.owner} {pod.owner.uid}" if pod.owner and workload.controller else ""
