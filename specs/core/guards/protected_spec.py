from expects import contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.guards.guard import Case
from playbooks.core.guards.protected import ProtectedNamespaces, ProtectedOwners, owner_kinds
from playbooks.core.settings import names
from specs.support.mothers import (
    NOW,
    a_host_alert,
    a_node,
    a_pod,
    a_static_pod,
    an_action,
    an_alert,
)

DEFAULT = names(ProtectedNamespaces.SETTINGS[0].default)


def of_alert(namespace, *globs):
    return ProtectedNamespaces(globs or DEFAULT).of_alert(Case(an_alert(namespace=namespace), NOW))


def of_pod(pod, *allowed, node=None):
    return ProtectedOwners(allowed).of_action(Case(an_alert(), NOW), an_action(pod, node))


def owned_by(kind, api):
    owner = {"kind": kind, "name": "agent", "controller": True, "uid": "u", "apiVersion": api}
    return a_pod(metadata={"ownerReferences": [owner]})


with description("The guard of protected namespaces") as self:
    with it("refuses those that a cluster and its alerts need, unless told otherwise"):
        for namespace in (
            *("kube-system", "kube-public", "kube-node-lease", "falco", "nats", "nats-io"),
            *("calico-system", "tigera-operator", "cert-manager", "ingress-nginx"),
            *("gke-managed-cim", "gatekeeper-system"),
        ):
            expect(of_alert(namespace).reason).to(equal("protected-namespace"))

    with it("says by which glob"):
        expect(of_alert("gke-gmp").words).to(contain("PROTECTED_NAMESPACES (gke-*)"))

    with it("passes others, also those that only look like one"):
        for namespace in ("shop", "kube-system2", "my-falco", "gke", "xgke-a"):
            expect(of_alert(namespace).reason).to(equal(""))

    with it("passes all where none is protected"):
        answer = ProtectedNamespaces(()).of_alert(Case(an_alert(namespace="kube-system"), NOW))

        expect(answer.reason).to(equal(""))

    with it("passes an alert without a namespace, and holds what is found to the same"):
        case = Case(an_alert(namespace=None), NOW)
        guard = ProtectedNamespaces(DEFAULT)
        found = guard.of_action(case, an_action(a_pod(namespace="kube-system")))

        expect(guard.of_alert(case).reason).to(equal(""))
        expect(found.reason).to(equal("protected-namespace"))

    with it("has no word in an alert about a host"):
        guard = ProtectedNamespaces(DEFAULT)
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
        ):
            expect(of_pod(pod).reason).to(equal(""))

    with it("does not keep a node from being tainted"):
        expect(of_pod(a_pod(owner="DaemonSet/agent"), node=a_node()).reason).to(equal(""))

    with it("takes no other kinds"):
        expect(owner_kinds("DaemonSet, Node")).to(equal(("DaemonSet", "Node")))
        expect(lambda: owner_kinds("ReplicaSet")).to(raise_error(ValueError))
