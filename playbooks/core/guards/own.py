"""Guards against loops: no playbook acts on playbooks, nor answers what one has caused."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Optional

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.cluster.permissions import account
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.workload import FUNCTION, owners
from playbooks.core.errors import InvalidSetting, NotFound
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.guards.makers import makers
from playbooks.core.ports import Cluster, OwnPod

# What every function of ours, and its account, is called.
_OURS = re.compile(r"falco-[a-z0-9-]+", re.ASCII)


@dataclass(frozen=True)
class OwnAccount(Guard):
    """No audit alert that a playbook's own account caused."""

    own_pod: OwnPod

    REASONS = ("own-account",)
    OFF = "always on"
    ACTING = False

    @classmethod
    def of(cls, context: Context) -> OwnAccount:
        return cls(context.collaborators.own_pod)

    def of_alert(self, case: Case) -> Answer:
        user = case.alert.fields.get("ka.user.name")
        if case.alert.source != "k8s_audit" or not isinstance(user, str):
            return PASSED
        prefix = account(self.own_pod.namespace, "")
        name = user[len(prefix) :] if user.startswith(prefix) else ""
        if not _OURS.fullmatch(name):
            return Answer("the caller is no account of a playbook")
        return Answer.refused(
            "own-account", f"{user}, the account of a playbook, caused the alert itself"
        )


@dataclass(frozen=True)
class OwnPods(Guard):
    """No pod of a playbook.

    A name, a label, an account or an owner that a pod names proves nothing: whoever makes a pod
    chooses them. A pod in the functions' own namespace is one of ours where its ReplicaSet made it,
    and a Deployment that, which a Function of ours of the same name owns. Without a cluster, where
    nothing is looked up: a pod of this function's own ReplicaSet.
    """

    own_pod: OwnPod
    cluster: Optional[Cluster]

    REASONS = ("own-pod",)
    OFF = "always on"
    ACTING = False

    @classmethod
    def of(cls, context: Context) -> OwnPods:
        cluster = context.acting.cluster if context.acts else None
        return cls(context.collaborators.own_pod, cluster)

    def of_alert(self, case: Case) -> Answer:
        claim = case.alert.claim
        own, _, _ = self.own_pod.pod.rpartition("-")
        same = own and claim.pod.rpartition("-")[0] == own
        if self.cluster or not same or claim.namespace != self.own_pod.namespace:
            return PASSED
        return _own(f"pod {claim.namespace}/{claim.pod}")

    def of_action(self, case: Case, action: Action) -> Answer:
        pod, cluster = action.pod, self.cluster
        if pod is None or cluster is None or pod.namespace != self.own_pod.namespace:
            return PASSED
        return _own(str(pod)) if self._is_ours(pod, cluster) else Answer(f"{pod} is no playbook's")

    @staticmethod
    def _is_ours(pod: Pod, cluster: Cluster) -> bool:
        # The controller of Deployments names a ReplicaSet after its own: any other costs no call.
        owner = pod.owner
        if owner is None or owner.kind != "ReplicaSet" or not _OURS.fullmatch(owner.name):
            return False
        made_by = [(owner.kind, found) for owner, found in makers(pod, cluster)]
        if [kind for kind, _ in made_by] != ["ReplicaSet", "Deployment"]:
            return False
        deployment = made_by[-1][1]["metadata"]
        for owner in owners(deployment):
            same_name = owner.name == deployment["name"] and _OURS.fullmatch(owner.name)
            if owner.kind == FUNCTION and owner.uid and same_name:
                with suppress(NotFound):
                    cluster.owner(owner, namespace=pod.namespace)
                    return True
        return False


@dataclass(frozen=True)
class OwnNode(Guard):
    """Not the node on which the playbook itself runs, where the action evicts its pods."""

    own_pod: OwnPod
    evicts: bool

    REASONS = ("own-node",)
    OFF = "always on"

    @classmethod
    def of(cls, context: Context) -> OwnNode:
        return cls(context.collaborators.own_pod, context.reaction.evicts)

    def of_action(self, case: Case, action: Action) -> Answer:
        node = action.node
        if node is None or not self.evicts or not self.own_pod.in_cluster:
            return PASSED
        if not self.own_pod.node:
            raise InvalidSetting("NODE_NAME is not set, expected the node of this pod")
        if node.name != self.own_pod.node:
            return Answer(f"the playbook does not run on {node}")
        return Answer.refused(
            "own-node", f"the playbook itself runs on {node}: it would be evicted"
        )


def _own(pod: str) -> Answer:
    return Answer.refused("own-pod", f"{pod} is a pod of a playbook")
