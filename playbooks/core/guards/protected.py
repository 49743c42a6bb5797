"""Guards of what is never touched: namespaces, and owners whose pods come back or hold a node
together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.cluster.changes import Rule, among
from playbooks.core.cluster.pod import Pod
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.settings import Setting, matching, names

_PROTECTED = (
    "kube-system,kube-public,kube-node-lease,falco,nats,nats-io,calico-system,tigera-operator,"
    "cert-manager,ingress-nginx,gke-*,gatekeeper-system"
)

# Node stands for static pods: a pod that is none can name a node as its owner.
_OWNERS = ("DaemonSet", "Node")


@dataclass(frozen=True)
class ProtectedNamespaces(Guard):
    """No pod of a namespace that the cluster or its alerts depend on.

    Asked of the alert, and again of the pod that was found.
    """

    globs: Tuple[str, ...]

    REASONS = ("protected-namespace",)
    SETTINGS = (
        Setting(
            "PROTECTED_NAMESPACES",
            names,
            _PROTECTED,
            "Namespaces in which nothing is changed: names or globs, comma-separated; empty"
            " protects none",
        ),
    )
    OFF = "`PROTECTED_NAMESPACES` empty"
    RULES = (
        Rule(
            "changes nothing in a namespace of PROTECTED_NAMESPACES",
            f"!{among('PROTECTED_NAMESPACES', 'request.namespace')}",
            settings=("PROTECTED_NAMESPACES",),
            forbids=lambda namespace, texts: bool(
                matching(namespace, names(texts["PROTECTED_NAMESPACES"]))
            ),
        ),
    )

    @classmethod
    def of(cls, context: Context) -> ProtectedNamespaces:
        return cls(context.settings["PROTECTED_NAMESPACES"])

    def of_alert(self, case: Case) -> Answer:
        return self._answer(case.alert.claim.namespace)

    def of_action(self, case: Case, action: Action) -> Answer:
        found = action.pod.namespace if action.pod else ""
        return self._answer(found) if found != case.alert.claim.namespace else PASSED

    def _answer(self, namespace: str) -> Answer:
        if not self.globs or not namespace:
            return PASSED
        glob = matching(namespace, self.globs)
        if glob is None:
            return Answer(f"namespace {namespace} is not protected")
        which = "" if glob == namespace else f" ({glob})"
        return Answer.refused(
            "protected-namespace",
            f"namespace {namespace} is protected: it is one of PROTECTED_NAMESPACES{which}",
        )


def owner_kinds(value: str) -> Tuple[str, ...]:
    """Kinds of owners, comma-separated."""
    found = names(value)
    if not set(found) <= set(_OWNERS):
        raise ValueError("DaemonSet, Node (the owner of static pods) or both, comma-separated")
    return found


@dataclass(frozen=True)
class ProtectedOwners(Guard):
    """No pod of a DaemonSet and no static pod is deleted or isolated."""

    allowed: Tuple[str, ...]

    REASONS = ("protected-owner",)
    SETTINGS = (
        Setting(
            "ALLOW_OWNERS",
            owner_kinds,
            "",
            "Owners whose pods may be deleted or isolated all the same: `DaemonSet`, `Node` (of"
            " static pods), comma-separated",
        ),
    )
    OFF = "`ALLOW_OWNERS=DaemonSet,Node`"

    @classmethod
    def of(cls, context: Context) -> ProtectedOwners:
        return cls(context.settings["ALLOW_OWNERS"])

    def of_action(self, case: Case, action: Action) -> Answer:
        pod = action.pod
        if pod is None or action.node:
            return PASSED
        kind = _protecting(pod)
        owner = str(pod.owner) if pod.owner else "no controller"
        if not kind or kind in self.allowed:
            return Answer(f"{pod} belongs to {owner}, which is not protected")
        what = f"is a static pod of node {pod.node}" if pod.static else f"belongs to {owner}"
        return Answer.refused(
            "protected-owner", f"{pod} {what}: it would come back (ALLOW_OWNERS={kind} allows it)"
        )


def _protecting(pod: Pod) -> str:
    """The one of _OWNERS that the pod has, or empty."""
    if pod.static:
        return "Node"
    return "DaemonSet" if pod.owner and pod.owner.kind == "DaemonSet" else ""
