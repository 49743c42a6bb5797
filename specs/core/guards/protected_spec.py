from expects import contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.guards.guard import Case
from playbooks.core.guards.protected import ProtectedNamespaces, ProtectedOwners, owner_kinds
from playbooks.core.settings import names
from playbooks.testing import (
    NOW,
    OWNER_UID,
    InMemoryCluster,
    a_host_alert,
    a_namespace,
    a_node,
    a_pod,
    a_replica_controller,
    a_static_pod,
    an_action,
    an_alert,
)

DEFAULT = names(ProtectedNamespaces.SETTINGS[0].default)


def of_pod_in(namespace, *globs):
    guard = ProtectedNamespaces(globs or DEFAULT, InMemoryCluster())
    return guard.of_action(
        Case(an_alert(namespace=namespace), NOW), an_action(a_pod(namespace=namespace))
    )


AGENT = a_replica_controller("agent", kind="DaemonSet", labels={"app": "web"})


class OfProvider(InMemoryCluster):
    def providers(self):
        return frozenset({"gke"})


def found_in(namespace, *objects, cluster=None, serving=True):
    cluster = cluster or InMemoryCluster(*objects)
    case = Case(an_alert(namespace=namespace), NOW)
    guard = ProtectedNamespaces(DEFAULT, cluster, serving)
    return guard.of_action(case, an_action(a_pod(namespace=namespace)))


def a_webhook(namespace):
    service = {"namespace": namespace, "name": "policy"}
    return {
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "policy"},
        "webhooks": [
            {"clientConfig": {"url": "https://x"}},
            {"clientConfig": {"service": service}},
        ],
    }


def an_api(namespace):
    spec = {"service": {"namespace": namespace, "name": "metrics"}}
    return {"kind": "APIService", "metadata": {"name": "v1.metrics"}, "spec": spec}


def of_pod(pod, *allowed, node=None, there=(AGENT,), places=("shop",), annotations=None):
    cluster = InMemoryCluster(*there, a_namespace("shop", annotations))
    guard = ProtectedOwners(allowed, places, cluster)
    return guard.of_action(Case(an_alert(), NOW), an_action(pod, node))


def owned_by(kind, api, uid=OWNER_UID, labels=None):
    owner = {"kind": kind, "name": "agent", "controller": True, "uid": uid, "apiVersion": api}
    return a_pod(metadata={"ownerReferences": [owner], "labels": labels or {"app": "web"}})


with description("The guard of protected namespaces") as self:
    with it("refuses those that a cluster and its alerts need, unless told otherwise"):
        for namespace in (
            *("kube-system", "kube-public", "kube-node-lease", "falco", "nats", "nats-io"),
            *("calico-system", "tigera-operator", "cert-manager", "ingress-nginx"),
            *("gatekeeper-system", "kyverno", "kubeless", "istio-system", "longhorn-system"),
        ):
            expect(of_pod_in(namespace).reason).to(equal("protected-namespace"))

    with it("says by which glob"):
        expect(of_pod_in("gke-gmp", "gke-*").words).to(contain("PROTECTED_NAMESPACES (gke-*)"))

    with it("protects no namespace that somebody named like a provider's, but on its own clusters"):
        for namespace in ("gke-evil", "openshift-evil", "cattle-evil"):
            expect(found_in(namespace).reason).to(equal(""))

        found = found_in("gke-gmp", cluster=OfProvider())
        expect((found.reason, found_in("cattle-a", cluster=OfProvider()).reason)).to(
            equal(("protected-namespace", ""))
        )
        expect(found.words).to(contain("gke:gke-*"))

    with it("protects a namespace that the API server calls, by webhook or API"):
        for thing in (a_webhook("shop"), an_api("shop")):
            expect(found_in("shop", thing).reason).to(equal("protected-namespace"))
            expect(found_in("bank", thing).reason).to(equal(""))
        expect(found_in("shop", a_webhook("shop")).words).to(
            contain("ValidatingWebhookConfiguration policy")
        )
        expect(found_in("shop", a_webhook("shop"), serving=False).reason).to(equal(""))

    with it("protects no pod for a priority class, which whoever makes a pod chooses"):
        pod = a_pod(spec={"priorityClassName": "system-node-critical", "priority": 2000001000})
        guard = ProtectedNamespaces(DEFAULT, InMemoryCluster(pod), True)

        expect(guard.of_action(Case(an_alert(), NOW), an_action(pod)).reason).to(equal(""))

    with it("passes others, also those that only look like one"):
        for namespace in ("shop", "kube-system2", "my-falco", "gke", "xgke-a"):
            expect(of_pod_in(namespace).reason).to(equal(""))

    with it("passes all where none is protected"):
        action = an_action(a_pod(namespace="kube-system"))
        answer = ProtectedNamespaces((), InMemoryCluster()).of_action(Case(an_alert(), NOW), action)

        expect(answer.reason).to(equal(""))

    with it("has no word in what an alert says: the pod is proven first, and then held"):
        case = Case(an_alert(namespace="kube-system"), NOW)
        guard = ProtectedNamespaces(DEFAULT, InMemoryCluster())
        found = guard.of_action(case, an_action(a_pod(namespace="kube-system")))

        expect(guard.of_alert(case).reason).to(equal(""))
        expect(found.reason).to(equal("protected-namespace"))

    with it("has no word in an alert about a host"):
        guard = ProtectedNamespaces(DEFAULT, InMemoryCluster())
        case = Case(a_host_alert(), NOW)

        expect(guard.of_alert(case).words).to(equal(""))
        expect(guard.of_action(case, an_action(None, a_node())).words).to(equal(""))


with description("The guard of protected owners") as self:
    with it("refuses a pod of a DaemonSet and a static pod"):
        for pod in (a_pod(owner="DaemonSet/agent"), owned_by("DaemonSet", "apps/v1")):
            expect(of_pod(pod).reason).to(equal("protected-owner"))
        expect(of_pod(a_static_pod()).reason).to(equal("protected-owner"))

    with it("says what allows it"):
        expect(of_pod(a_pod(owner="DaemonSet/agent")).words).to(contain("ALLOW_OWNERS=DaemonSet"))
        expect(of_pod(a_static_pod()).words).to(contain("ALLOW_OWNERS=Node"))

    with it("passes those whose kind is allowed"):
        expect(of_pod(a_pod(owner="DaemonSet/agent"), "DaemonSet").reason).to(equal(""))
        expect(of_pod(a_static_pod(), "Node").reason).to(equal(""))
        expect(of_pod(a_static_pod(), "DaemonSet").reason).to(equal("protected-owner"))

    with it("passes pods of other controllers, and of none"):
        for pod in (a_pod(), a_pod(owner="ReplicaSet/web"), a_pod(owner="StatefulSet/db")):
            expect(of_pod(pod).reason).to(equal(""))

    with it("is not dodged by a pod that only names such an owner"):
        for pod in (
            owned_by("Node", "v1"),
            owned_by("DaemonSet", "evil.example/v1"),
            owned_by("DaemonSet", "v1"),
            owned_by("DaemonSet", "apps/v9"),
            owned_by("DaemonSet", "apps/v1", uid="another"),
            owned_by("DaemonSet", "apps/v1", uid=""),
            owned_by("DaemonSet", "apps/v1", labels={"app": "shell"}),
        ):
            expect(of_pod(pod).reason).to(equal(""))
        expect(of_pod(owned_by("DaemonSet", "apps/v1"), there=()).reason).to(equal(""))

    with it("is not dodged by the annotation of a mirror pod alone"):
        node = {"apiVersion": "v1", "kind": "Node", "name": "node-2", "controller": True}
        for owners in ([], [node]):
            expect(of_pod(a_static_pod(metadata={"ownerReferences": owners})).reason).to(equal(""))

    with it("counts DaemonSets only in namespaces that an operator named"):
        pod = owned_by("DaemonSet", "apps/v1")
        marked = {"falco/protected-owners": "true"}

        expect(of_pod(pod, places=()).reason).to(equal(""))
        expect(of_pod(pod, places=(), annotations=marked).reason).to(equal("protected-owner"))
        expect(of_pod(a_static_pod(), places=()).reason).to(equal("protected-owner"))

    with it("does not keep a node from being tainted"):
        expect(of_pod(a_pod(owner="DaemonSet/agent"), node=a_node()).reason).to(equal(""))

    with it("takes no other kinds"):
        expect(owner_kinds("DaemonSet, Node")).to(equal(("DaemonSet", "Node")))
        expect(lambda: owner_kinds("ReplicaSet")).to(raise_error(ValueError))
