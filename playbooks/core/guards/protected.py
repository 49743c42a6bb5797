"""Guards of what is never touched: namespaces, and owners whose pods come back or hold a node
together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from playbooks.core.action import PASSED, Action, Answer
from playbooks.core.cluster.changes import Rule, among
from playbooks.core.cluster.pod import Pod
from playbooks.core.guards.guard import Case, Context, Guard
from playbooks.core.guards.makers import makers
from playbooks.core.ports import Cluster
from playbooks.core.settings import Setting, all_names, matching, names

_NAMESPACES = ",".join(
    (
        *("kube-system", "kube-public", "kube-node-lease", "falco", "kubeless", "nats", "nats-io"),
        *("calico-system", "calico-apiserver", "tigera-operator", "kube-flannel", "cilium"),
        *("metallb-system", "cert-manager", "ingress-nginx", "istio-system", "linkerd"),
        *("kyverno", "gatekeeper-system", "longhorn-system", "rook-ceph", "local-path-storage"),
    )
)

# Behind a provider's name: what it reserves on its own clusters. Elsewhere anybody can make such a
# namespace.
# Sources: https://cloud.google.com/kubernetes-engine/docs/concepts/cluster-architecture,
# https://docs.openshift.com/container-platform/latest/applications/projects/working-with-projects.html,
# https://ranchermanager.docs.rancher.com/reference-guides/rancher-security
_OF_PROVIDERS = "gke:gke-*,gke:gmp-system,openshift:openshift-*,rancher:cattle-*"

# On a Namespace: pods of its DaemonSets are protected. Tenants may not write Namespaces.
PROTECTED_OWNERS = "falco/protected-owners"

# Node stands for static pods: a pod that is none can name a node as its owner.
_OWNERS = ("DaemonSet", "Node")


@dataclass(frozen=True)
class ProtectedNamespaces(Guard):
    """No pod of a namespace that the cluster or its alerts depend on.

    Asked of the pod that was proven, not of the alert: it goes on running, and so is held for a
    person. Asked is also whether the cluster is that of a provider which reserves such a name, and
    whether the namespace serves an admission webhook or an API. A priority class does not count:
    whoever makes a pod chooses it.

    ``serving``: whether it is asked what a namespace
    serves, for which there are no rights where NAMESPACES are names.
    """

    globs: Tuple[str, ...]
    cluster: Cluster
    serving: bool = False

    REASONS = ("protected-namespace",)
    SETTINGS = (
        Setting(
            "PROTECTED_NAMESPACES",
            names,
            f"{_NAMESPACES},{_OF_PROVIDERS}",
            "Namespaces in which nothing is changed: names or globs, comma-separated; with"
            " `gke:`, `openshift:` or `rancher:` before it only on such a cluster; empty protects"
            " none. Namespaces that serve an admission webhook or an API are protected too",
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
        globs = context.settings["PROTECTED_NAMESPACES"]
        of_nodes = context.reaction.TARGETS == "nodes"
        serving = not of_nodes and serves_everywhere(context.settings["NAMESPACES"])
        return cls(globs, context.acting.cluster, serving)

    def of_action(self, case: Case, action: Action) -> Answer:
        namespace = action.namespace
        if not namespace or not self.globs:
            return PASSED
        answer = self._answer(namespace)
        why = "" if answer.reason else self._depended_on(namespace)
        if not why:
            return answer
        return Answer.refused("protected-namespace", f"namespace {namespace} is protected: {why}")

    def _answer(self, namespace: str) -> Answer:
        glob = matching(namespace, self.globs)
        if glob is None:
            return Answer(f"namespace {namespace} is not protected")
        which = "" if glob == namespace else f" ({glob})"
        return Answer.refused(
            "protected-namespace",
            f"namespace {namespace} is protected: it is one of PROTECTED_NAMESPACES{which}",
        )

    def _depended_on(self, namespace: str) -> str:
        """By whom, or empty."""
        for entry in self.globs:
            provider, _, glob = entry.partition(":")
            if glob and matching(namespace, (glob,)) and provider in self.cluster.providers():
                return f"{provider} has such namespaces (PROTECTED_NAMESPACES, {entry})"
        served = self.cluster.serving_namespaces().get(namespace) if self.serving else None
        return f"the API server depends on it ({served})" if served else ""


def serves_everywhere(namespaces: Tuple[str, ...]) -> bool:
    """Whether a playbook that acts in these may ask what namespaces serve."""
    return not all_names(namespaces)


def owner_kinds(value: str) -> Tuple[str, ...]:
    """Kinds of owners, comma-separated."""
    found = names(value)
    if not set(found) <= set(_OWNERS):
        raise ValueError("DaemonSet, Node (the owner of static pods) or both, comma-separated")
    return found


@dataclass(frozen=True)
class ProtectedOwners(Guard):
    """No static pod is deleted or isolated, and no pod of a DaemonSet where an operator named its
    namespace: in `PROTECTED_OWNERS_IN`, or by the annotation `falco/protected-owners`.

    The DaemonSet has to be there and to have made the pod: whoever may write a pod can name one.
    """

    allowed: Tuple[str, ...]
    places: Tuple[str, ...]
    cluster: Cluster

    REASONS = ("protected-owner",)
    SETTINGS = (
        Setting(
            "ALLOW_OWNERS",
            owner_kinds,
            "",
            "Owners whose pods may be deleted or isolated all the same: `DaemonSet`, `Node` (of"
            " static pods), comma-separated",
        ),
        Setting(
            "PROTECTED_OWNERS_IN",
            names,
            _NAMESPACES,
            "Namespaces in which no pod of a DaemonSet is deleted or isolated: names or globs,"
            " comma-separated. So is a Namespace with the annotation"
            f' `{PROTECTED_OWNERS}: "true"`',
        ),
    )
    OFF = "`ALLOW_OWNERS=DaemonSet,Node`"

    @classmethod
    def of(cls, context: Context) -> ProtectedOwners:
        settings = context.settings
        places = settings["PROTECTED_OWNERS_IN"]
        return cls(settings["ALLOW_OWNERS"], places, context.acting.cluster)

    def of_action(self, case: Case, action: Action) -> Answer:
        pod = action.pod
        if pod is None or action.node:
            return PASSED
        if pod.static:
            return self._refused(pod, "Node", f"is a static pod of node {pod.node}")
        if pod.owner is None:
            return Answer(f"{pod} belongs to no controller")
        if pod.owner.kind != "DaemonSet":
            return Answer(f"{pod} belongs to {pod.owner}, which is not protected")
        if not self._named(pod.namespace):
            return Answer(f"DaemonSets of namespace {pod.namespace} are not protected")
        if not any(makers(pod, self.cluster)):
            return Answer(f"{pod} names {pod.owner}, which did not make it")
        return self._refused(pod, "DaemonSet", f"belongs to {pod.owner}")

    def _refused(self, pod: Pod, kind: str, what: str) -> Answer:
        if kind in self.allowed:
            return Answer(f"{pod} {what}, which ALLOW_OWNERS allows")
        return Answer.refused(
            "protected-owner", f"{pod} {what}: it would come back (ALLOW_OWNERS={kind} allows it)"
        )

    def _named(self, namespace: str) -> bool:
        if matching(namespace, self.places):
            return True
        return self.cluster.namespace_annotations(namespace).get(PROTECTED_OWNERS) == "true"
