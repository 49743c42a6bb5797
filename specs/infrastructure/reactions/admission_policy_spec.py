"""The admission policies of ``deploy_playbook -S`` with the settings that deploying binds to them,
on a real API server: what a token of one of our accounts can do with the whole of its role, what
the playbook does with it, and what nobody else notices.

Policies that were not there before are removed in the end.
"""

import time
from dataclasses import replace
from functools import partial

from expects import be_empty, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.alert import Alert
from playbooks.core.cluster import network_policy
from playbooks.core.cluster.manifest import identity
from playbooks.core.cluster.network_policy import Reachable, in_namespace
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment.expiry import Expiry
from playbooks.core.containment.isolation import Isolation
from playbooks.core.containment.tainting import Tainting
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.notifications import event
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.deployment.manifests import admission_policies, ledger
from playbooks.infrastructure.kubernetes.events import KubernetesEvents
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger
from playbooks.infrastructure.kubernetes.objects import of_context
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.this_pod import SystemClock
from playbooks.testing import FakeOwnPod, FixedClock, InMemoryLedger
from specs.deployment.mothers import run
from specs.support.cluster.admission import (
    HeldAccount,
    in_force,
    passes,
    policies_are_there,
    refusal_of,
)
from specs.support.cluster.real_cluster import (
    a_controller,
    a_fake_node,
    a_gated_pod,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    create,
    delete,
    delete_namespace,
    kubectl,
    kubectl_json,
    running_pod,
    running_pods,
    settled,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually

# What the account is set to leave reachable.
REACHABLE = Reachable(("10.1.0.0/16",), ("monitoring",), dns=True)
SETTINGS = {
    "ISOLATE_ALLOW_CIDRS": "10.1.0.0/16",
    "ISOLATE_ALLOW_NAMESPACES": "monitoring",
    "ISOLATE_ALLOW_DNS": "true",
}

POD = ("api", "v1", "namespaces")
NODE = ("api", "v1", "nodes")
POLICIES = ("apis", "networking.k8s.io", "v1", "namespaces")
EVENTS = ("apis", "events.k8s.io", "v1", "namespaces")


def an_event(namespace, account, **changes):
    """As a playbook writes one about a pod of the namespace."""
    _, _, home, function = account.split(":")
    outcome = Outcome.acted("pod x", "done", "done")
    made = event.event(
        replace(outcome, target_ref=TargetRef("delete", "Pod", "x", namespace, "u")),
        Instant(time.time_ns()),
        playbook="delete",
        function=function,
        home=home,
        instance="spec",
    )
    return {**made, **changes}


def a_deletion(pod, **changes):
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}
    uid = {"uid": pod["metadata"]["uid"]}
    return {**options, "gracePeriodSeconds": 7, "preconditions": uid, **changes}


def deleted(api, pod, **changes):
    """Try to delete it as the playbook does, but for this, in a dry run."""
    body = {key: part for key, part in a_deletion(pod, **changes).items() if part is not None}
    metadata = pod["metadata"]
    return api.delete(*POD, metadata["namespace"], "pods", metadata["name"], body=body)


def stored_policy(api, pod, *, name="", owners=None, **spec):
    """Try a NetworkPolicy as the playbook makes it, but for this, in a dry run."""
    made = network_policy.isolating(Pod(pod), ("Ingress", "Egress"), REACHABLE)
    made["metadata"]["name"] = name or made["metadata"]["name"]
    if owners is not None:
        made["metadata"]["ownerReferences"] = owners
    made["spec"].update(spec)
    place = (*POLICIES, pod["metadata"]["namespace"], "networkpolicies")
    return api.post(*place, body=made, dryRun="All")


def tainted(api, node, key, effect):
    """Try to add a taint, in a dry run."""
    made = [*stored("node", node)["spec"]["taints"], {"key": key, "effect": effect}]
    return api.patch(*NODE, node, body={"spec": {"taints": made}}, dryRun="All")


def a_network_policy(name, namespace, selector):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress"]},
    }


with description("The account of isolate, on a cluster that was set up,") as self:
    with before.all:
        self.account = HeldAccount("isolate", **SETTINGS)
        self.api, self.namespace = self.account.api, self.account.namespace
        create(a_pod_manifest("web", self.namespace, labels={"app": "web"}))
        self.pod = running_pod("web", self.namespace)
        opening = [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]
        opened = partial(stored_policy, self.api, self.pod, ingress=opening)
        in_force(opened, "the networks of ISOLATE_ALLOW_CIDRS only")

    with after.all:
        self.account.end()

    def patch(self, body):
        return self.api.patch(*POD, self.namespace, "pods", "web", body=body)

    def store(self, **changes):
        return stored_policy(self.api, self.pod, **changes)

    def labels(self, **labels):
        return {"metadata": {"labels": labels}}

    def refusal(self, body):
        said = refusal_of(lambda: self.patch(body))
        expect(said).to(contain("ValidatingAdmissionPolicy 'falco-playbook-isolate-pods'"))
        return said

    with it("changes neither image nor anything else of a pod's spec"):
        (container,) = stored("pod", "web", self.namespace)["spec"]["containers"]
        image = {"containers": [{**container, "image": "local/other:1"}]}

        expect(self.refusal({"spec": image})).to(contain("changes nothing of a pod's spec"))
        expect(self.refusal({"spec": {"activeDeadlineSeconds": 1}})).to(contain("a pod's spec"))

    with it("changes neither finalizers nor owners"):
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y"}
        for metadata in ({"finalizers": ["falco/x"]}, {"ownerReferences": [owner]}):
            expect(self.refusal({"metadata": metadata})).to(
                contain("neither finalizers nor owners")
            )

    with it("gives no label and no annotation but ours, and changes no annotation of others"):
        kubectl("annotate", "pod", "web", "-n", self.namespace, "--overwrite", "theirs=1")
        for value in ("2", None):
            expect(self.refusal({"metadata": {"annotations": {"theirs": value}}})).to(
                contain("no annotations of a pod but falco/*")
            )
        expect(self.refusal(self.labels(app="other"))).to(contain("gives a pod no label but"))
        expect(self.refusal(self.labels(new="1"))).to(contain("gives a pod no label but"))
        expect(self.refusal(self.labels(**{"falco/spec": "1"}))).to(contain("no label but"))

    with it("labels no pod with another uid, and gives and takes annotations of ours"):
        said = "with the pod's own uid only"
        for uid in ("", "another", self.namespace):
            expect(self.refusal(self.labels(**{"falco/isolated": uid}))).to(contain(said))
        for value in ("1", None):
            self.patch({"metadata": {"annotations": {"falco/spec": value}}})

    with it("takes no label off a pod that it does not isolate in the same patch"):
        said = "takes labels off a pod only where the pod is isolated then"
        expect(self.refusal(self.labels(app=None))).to(contain(said))
        expect(self.refusal({"metadata": {"labels": None}})).to(contain(said))
        expect(self.refusal(self.labels(app=None, **{"falco/isolated": "x"}))).to(
            contain("with the pod's own uid only")
        )

    with it("releases no pod without ISOLATE_TTL"):
        uid = {"falco/isolated": self.pod["metadata"]["uid"]}
        kubectl("label", "pod", "web", "-n", self.namespace, f"falco/isolated={uid.popitem()[1]}")
        said = self.refusal(self.labels(**{"falco/isolated": None}))

        expect(said).to(contain("releases no pod without ISOLATE_TTL"))
        kubectl("label", "pod", "web", "-n", self.namespace, "falco/isolated-")

    with it("opens no pod that is denied everything, whatever it calls the policy"):
        everybody = {"ipBlock": {"cidr": "0.0.0.0/0"}}
        for spec in (
            {"ingress": [{}]},
            {"egress": [{}]},
            {"ingress": [{"from": []}]},
            {"ingress": [{"from": [{"podSelector": {}}]}]},
            {"egress": [{"to": [{"namespaceSelector": {}}]}]},
            {"egress": [{"ports": [{"port": 53}]}]},
        ):
            said = refusal_of(lambda spec=spec: self.store(**spec))
            expect(said).to(contain("allows with its NetworkPolicy networks and namespaces only"))
        for spec in (
            {"ingress": [{"from": [everybody]}]},
            {"egress": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}, everybody]}]},
        ):
            said = refusal_of(lambda spec=spec: self.store(**spec))
            expect(said).to(contain("the networks of ISOLATE_ALLOW_CIDRS only"))
        ask = {"ports": [{"port": 53}, {"port": 443}]}
        for spec in (
            {"ingress": [{"from": [in_namespace("another")]}]},
            {"egress": [{"to": [in_namespace("kube-system")]}]},
            {"egress": [{"to": [in_namespace("kube-system")], **ask}]},
            {
                "egress": [
                    {"to": [in_namespace("kube-system")], "ports": [{"port": 1, "endPort": 99}]}
                ]
            },
        ):
            said = refusal_of(lambda spec=spec: self.store(**spec))
            expect(said).to(contain("the namespaces of ISOLATE_ALLOW_NAMESPACES only"))
        empty = {"podSelector": {}, "ingress": [{}], "egress": [{}]}
        expect(refusal_of(lambda: self.store(name="falco-isolate-open", **empty))).to(
            contain("'falco-playbook-isolate-networkpolicies'")
        )
        self.store()

    with it("denies with a policy no less than it is set to"):
        for types in (["Ingress"], ["Egress"]):
            kept = {kind.lower(): None for kind in {"Ingress", "Egress"} - set(types)}
            said = refusal_of(lambda t=types, k=kept: self.store(policyTypes=t, **k))
            expect(said).to(contain("the traffic of ISOLATE_DIRECTION"))

    with it("selects with a policy exactly the pod that owns it"):
        uid = self.pod["metadata"]["uid"]
        label = {"falco/isolated": uid}
        more = [{"key": "app", "operator": "Exists"}]
        for selector in (
            {},
            {"matchLabels": {"app": "web"}},
            {"matchLabels": {**label, "app": "web"}},
            {"matchLabels": label, "matchExpressions": more},
        ):
            said = refusal_of(lambda selector=selector: self.store(podSelector=selector))
            expect(said).to(contain("selects with its NetworkPolicy exactly one isolated pod"))
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": uid}
        for owners in ([], [{**owner, "uid": "another"}], [{**owner, "kind": "ConfigMap"}]):
            said = refusal_of(lambda owners=owners: self.store(owners=owners))
            expect(said).to(contain("that the pod owns which it selects"))
        expect(refusal_of(lambda: self.store(name="deny-all"))).to(
            contain("stores no NetworkPolicy but falco-isolate-*")
        )

    with it("does not touch a NetworkPolicy of somebody else"):
        (theirs,) = create(a_network_policy("theirs", self.namespace, {}))
        place = (*POLICIES, self.namespace, "networkpolicies", "theirs")
        changed = {**theirs, "spec": {"podSelector": {"matchLabels": {"falco/isolated": "u"}}}}

        expect(refusal_of(lambda: self.api.put(*place, body=changed))).to(
            contain("stores no NetworkPolicy but falco-isolate-*")
        )

    with it("isolates and detaches a pod"):
        create(a_controller("Deployment", "shop", self.namespace))
        (pod,) = running_pods(self.namespace, app="shop")
        outcome = answer("isolate", alert_about(pod), self.account.cluster)

        expect((outcome.reason, outcome.error)).to(equal(("isolated", None)))
        name = pod["metadata"]["name"]
        metadata = stored("pod", name, self.namespace)["metadata"]
        expect(metadata["labels"]).to(equal({"falco/isolated": metadata["uid"]}))
        expect(outcome.details["detached_labels"]).to(equal(pod["metadata"]["labels"]))

    with it("isolates again, when its policy is to be another"):
        create(a_pod_manifest("again", self.namespace, labels={"app": "again"}))
        pod = running_pod("again", self.namespace)
        for allowed in ({}, SETTINGS):
            outcome = answer("isolate", alert_about(pod), self.account.cluster, **allowed)
            expect(outcome.reason).to(equal("isolated"))
            expect(outcome.details["still_allowing"]).to(be_empty)

    with it("is the only one that is held: whoever else may change a pod changes it"):
        place = ("-n", self.namespace)
        kubectl("label", "pod", "web", *place, "--overwrite", "theirs=1")
        kubectl("annotate", "pod", "web", *place, "--overwrite", "theirs=1")
        kubectl("patch", "pod", "web", *place, "-p", '{"spec":{"activeDeadlineSeconds":3000}}')


with description("The account of isolate with ISOLATE_TTL, on a cluster that was set up,") as self:
    with before.all:
        self.account = HeldAccount("isolate", ISOLATE_TTL="1h")
        self.api, self.namespace = self.account.api, self.account.namespace
        self.other = a_gated_pod("other", self.namespace)
        path = (*POD, self.namespace, "pods", "other")
        body = a_deletion(self.other, gracePeriodSeconds=30)
        in_force(lambda: self.api.delete(*path, body=body), "deletes no pod but isolated ones")
        self.store = InMemoryLedger()

    with after.all:
        self.account.end()

    def isolated(self, pod):
        cluster = self.account.cluster
        outcome = answer("isolate", alert_about(pod), cluster, self.store, ISOLATE_TTL="1h")
        expect(outcome.reason).to(equal("isolated"))

    def expired(self):
        """What ends by itself, in two hours."""
        later = FixedClock(Instant(time.time_ns() + 2 * 3600 * NANOSECONDS))
        ledger, cluster = StoredLedger(self.store), self.account.cluster
        ending = Expiry([Isolation], cluster, later, ledger, (self.namespace,))
        return [outcome.reason for outcome in ending.once()]

    with it("releases a pod when its time is over"):
        pod = a_gated_pod("bare", self.namespace, labels={"app": "bare"})
        self.isolated(pod)

        expect(self.expired()).to(equal(["released"]))
        expect(stored("pod", "bare", self.namespace)["metadata"]["labels"]).to(
            equal({"app": "bare"})
        )
        policies = kubectl_json("get", "networkpolicies", "-n", self.namespace)["items"]
        expect(policies).to(be_empty)

    with it("deletes a detached pod when its time is over, and no other"):
        create(a_controller("Deployment", "shop", self.namespace, gated=True))
        pod = eventually(lambda: _only_pod(self.namespace, "shop"))
        self.isolated(pod)
        name = pod["metadata"]["name"]

        expect(self.expired()).to(equal(["deleted"]))
        expect(stored("pod", name, self.namespace)).to(equal(None))
        for changes in ({"gracePeriodSeconds": 0}, {"preconditions": None}):
            body = a_deletion(self.other, **{"gracePeriodSeconds": 30, **changes})
            path = (*POD, self.namespace, "pods", "other")
            expect(refusal_of(lambda p=path, b=body: self.api.delete(*p, body=b))).to(
                contain("'falco-playbook-isolate-pods-delete'")
            )


def _only_pod(namespace, app):
    (found,) = kubectl_json("get", "pods", "-n", namespace, "-l", f"app={app}")["items"]
    return found


with description("The account of delete, on a cluster that was set up,") as self:
    with before.all:
        self.namespace, self.protected = a_namespace(), a_namespace()
        # Globs are those of the guard.
        given = {"PROTECTED_NAMESPACES": f"kube-*,{self.protected[:-1]}?"}
        if self.namespace[:-1] == self.protected[:-1]:
            raise AssertionError("two namespaces of random names are alike")
        given["GRACE_PERIOD_SECONDS"] = "7"
        self.account = HeldAccount("delete", self.namespace, **given)
        self.api = self.account.api
        # On a node: only then the API server takes a grace period as it is given.
        self.node = a_fake_node()
        self.pods = {
            place: create(a_pod_manifest("web", place, nodeName=self.node))[0]
            for place in (self.namespace, self.protected)
        }
        self.user = f"system:serviceaccount:{self.namespace}:falco-delete"
        other = partial(deleted, self.api, self.pods[self.namespace], gracePeriodSeconds=8)
        in_force(other, "with GRACE_PERIOD_SECONDS")

    with after.all:
        self.account.end()
        delete_namespace(self.protected)
        delete("node", self.node)

    def deleted(self, place="", **changes):
        return deleted(self.api, self.pods[place or self.namespace], **changes)

    def ledger(self, body, **query):
        place = (*POD, self.namespace, "configmaps", "falco-delete-ledger")
        return self.api.patch(*place, body=body, **query)

    def written(self, made, namespace=""):
        place = (*EVENTS, namespace or self.namespace, "events")
        return self.api.post(*place, body=made, dryRun="All")

    with it("deletes a pod with its grace and its uid, and not otherwise"):
        self.deleted()
        for grace in (0, 1, 8, None):
            said = refusal_of(lambda grace=grace: self.deleted(gracePeriodSeconds=grace))
            expect(said).to(contain("deletes a pod with GRACE_PERIOD_SECONDS"))
        for none in (None, {}):
            said = refusal_of(lambda none=none: self.deleted(preconditions=none))
            expect(said).to(contain("with its uid as precondition"))

    with it("deletes nothing in a protected namespace, by name or by glob"):
        said = refusal_of(lambda: self.deleted(self.protected))
        expect(said).to(contain("changes nothing in a namespace of PROTECTED_NAMESPACES"))
        system = kubectl_json("get", "pods", "-n", "kube-system")["items"]
        for pod in system[:1]:
            path = (*POD, "kube-system", "pods", pod["metadata"]["name"])
            body = a_deletion(pod)
            expect(refusal_of(lambda p=path, b=body: self.api.delete(*p, body=b))).to(
                contain("PROTECTED_NAMESPACES")
            )

    with it("neither evicts nor deletes many at once: its role has no such verb"):
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": "web", "namespace": self.namespace},
            "deleteOptions": {"dryRun": ["All"]},
        }
        place = (*POD, self.namespace, "pods")
        said = refusal_of(lambda: self.api.post(*place, "web", "eviction", body=eviction))
        expect(said).to(contain("cannot create resource"))
        everything = {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}
        said = refusal_of(lambda: self.api.delete(*place, body=everything))
        expect(said).to(contain("cannot deletecollection resource"))

    with it("changes of its ledger the data, and neither owner nor labels nor anything else"):
        before = stored("configmap", "falco-delete-ledger", self.namespace)["metadata"]
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "gone"}
        for metadata in (
            {"ownerReferences": [owner]},
            {"labels": {"falco/ledger": None}},
            {"labels": {"function": "falco-isolate"}},
            {"annotations": {"theirs": "1"}},
            {"finalizers": ["falco/x"]},
        ):
            said = refusal_of(lambda metadata=metadata: self.ledger({"metadata": metadata}))
            expect(said).to(contain("changes of its ledger nothing but the data"))
        for body in ({"immutable": True}, {"binaryData": {"x": "eA=="}}):
            said = refusal_of(lambda body=body: self.ledger(body))
            expect(said).to(contain("writes text to its ledger"))
        place = (*POD, self.namespace, "configmaps")
        said = refusal_of(
            lambda: self.api.delete(*place, "falco-delete-ledger", body={"dryRun": ["All"]})
        )
        expect(said).to(contain("cannot delete resource"))
        self.ledger({"data": {"ledger.json": ""}})

        after = stored("configmap", "falco-delete-ledger", self.namespace)["metadata"]
        expect(after["labels"]).to(equal(before["labels"]))

    with it("neither reads nor changes the settings that hold it"):
        place = (*POD, self.namespace, "configmaps", "falco-delete-admission")
        grace = {"data": {"GRACE_PERIOD_SECONDS": "0"}}
        expect(refusal_of(lambda: self.api.get(*place))).to(contain("cannot get resource"))
        expect(refusal_of(lambda: self.api.patch(*place, body=grace))).to(
            contain("cannot patch resource")
        )

    with it("writes Events as itself, about pods where they are, and no others"):
        made = an_event(self.namespace, self.user)
        self.written(made)
        labels = {**made["metadata"]["labels"], "falco/function": "falco-isolate"}
        for changes, words in (
            ({"reportingController": "kubelet"}, "reports as falco-playbooks/delete"),
            ({"reportingController": "falco-playbooks/isolate"}, "falco-playbooks/delete"),
            ({"reportingInstance": "kubelet-1"}, "reports as its own account"),
            ({"reportingInstance": "system:serviceaccount"}, "reports as its own account"),
            ({"reportingInstance": f"{self.user}-x"}, "reports as its own account"),
            ({"metadata": {**made["metadata"], "labels": {}}}, "with its own function"),
            ({"metadata": {**made["metadata"], "labels": labels}}, "with its own function"),
            ({"regarding": {**made["regarding"], "kind": "Secret"}}, "Events about pods only"),
        ):
            forged = {**made, **changes}
            expect(refusal_of(lambda forged=forged: self.written(forged))).to(contain(words))

    with it("changes no Event of others"):
        forged = an_event(self.namespace, self.user.replace("delete", "other"))
        (theirs,) = create(forged)
        place = (*EVENTS, self.namespace, "events", theirs["metadata"]["name"])
        series = {"series": {"count": 2, "lastObservedTime": "2026-01-02T03:04:05.000000Z"}}

        # Whose it is, the API server itself lets nobody change.
        expect(refusal_of(lambda: self.api.patch(*place, body=series))).to(
            contain("reports as its own account")
        )

    with it("does what its playbook does: deletes, keeps its ledger, and tells of it"):
        pod = a_gated_pod("gone", self.namespace)
        cluster = self.account.cluster
        name = ("falco-delete-ledger", self.namespace)
        kept = ConfigMapLedger(self.api, name=name[0], namespace=name[1])
        alert = alert_about(pod)
        outcome = answer("delete", alert, cluster, kept, GRACE_PERIOD_SECONDS="7")
        expect((outcome.reason, outcome.error)).to(equal(("deletion-accepted", None)))
        expect(stored("configmap", *name)["data"]["ledger.json"]).to(contain("version"))

        own_pod = FakeOwnPod(self.namespace, "falco-delete-6d5f-abcde")
        recorder = KubernetesEvents(self.api, "delete", own_pod, SystemClock())
        for _ in range(2):
            recorder.record(Alert.parse(alert), outcome)
        found = kubectl_json("get", "events.events.k8s.io", "-n", self.namespace)["items"]
        (ours,) = [e for e in found if e["regarding"]["name"] == "gone"]
        expect((ours["reportingInstance"], ours["series"]["count"])).to(equal((self.user, 2)))


with description("The account of taint, on a cluster that was set up,") as self:
    with before.all:
        self.account = HeldAccount("taint", TAINT_KEY="example.com/breach")
        self.api, self.namespace = self.account.api, self.account.namespace
        self.node = a_fake_node()
        kubectl("taint", "node", self.node, "theirs=1:NoSchedule", "falco/old=1:NoSchedule")
        settled(self.node)
        other = partial(tainted, self.api, self.node, "falco/alert", "NoSchedule")
        in_force(other, "TAINT_KEY and TAINT_EFFECT")

    with after.all:
        delete("node", self.node)
        self.account.end()

    def patch(self, body):
        return self.api.patch(*NODE, self.node, body=body)

    def taints(self):
        return stored("node", self.node)["spec"]["taints"]

    def add(self, key, effect):
        return tainted(self.api, self.node, key, effect)

    with it("changes nothing of a node's spec but its taints"):
        for spec in (
            {"unschedulable": None},
            {"providerID": "spec://x"},
            {"podCIDR": "10.9.0.0/24"},
        ):
            said = refusal_of(lambda: self.patch({"spec": spec}))
            expect(said).to(contain("changes nothing of a node's spec but its taints"))

    with it("changes neither labels nor finalizers, and no annotations but ours"):
        for metadata in (
            {"labels": {"falco/x": "1"}},
            {"finalizers": ["falco/x"]},
            {"annotations": {"theirs": "1"}},
        ):
            said = refusal_of(lambda: self.patch({"metadata": metadata}))
            expect(said).to(contain("'falco-playbook-taint-nodes'"))
        self.patch({"metadata": {"annotations": {"falco/spec": "1"}}})
        self.patch({"metadata": {"annotations": {"falco/spec": None}}})

    with it("keeps the taints of others as they are"):
        for kept in ([], [{"key": "theirs", "value": "2", "effect": "NoSchedule"}]):
            rest = [taint for taint in self.taints() if taint["key"] != "theirs"]
            said = refusal_of(lambda: self.patch({"spec": {"taints": [*rest, *kept]}}))
            expect(said).to(contain("removes no taint but falco/*"))

    with it("adds the taint of its settings, and no other"):
        self.add("example.com/breach", "NoSchedule")
        for key, effect in (
            ("example.com/breach", "NoExecute"),
            ("falco/alert", "NoSchedule"),
            ("node.kubernetes.io/out-of-service", "NoExecute"),
        ):
            expect(refusal_of(lambda k=key, e=effect: self.add(k, e))).to(
                contain("adds no taint but that of TAINT_KEY and TAINT_EFFECT")
            )

    with it("removes none, not even one of ours, without TAINT_TTL"):
        rest = [taint for taint in self.taints() if taint["key"] != "falco/old"]

        expect(refusal_of(lambda: self.patch({"spec": {"taints": rest}}))).to(
            contain("removes no taint without TAINT_TTL")
        )

    with it("taints the node of a pod"):
        create(a_pod_manifest("web", self.namespace, nodeName=self.node))
        pod = stored("pod", "web", self.namespace)
        cluster = self.account.cluster
        outcome = answer("taint", alert_about(pod), cluster, TAINT_KEY="example.com/breach")

        expect((outcome.reason, outcome.error)).to(equal(("tainted", None)))
        expect([t["key"] for t in self.taints()]).to(contain("theirs", "example.com/breach"))

    with it("is the only one that is held: whoever else may change a node changes it"):
        kubectl("label", "node", self.node, "theirs=1")
        kubectl("taint", "node", self.node, "theirs:NoSchedule-")


with description("The account of taint with TAINT_TTL, on a cluster that was set up,") as self:
    with before.all:
        self.settings = {"TAINT_KEY": "example.com/breach", "TAINT_TTL": "1h"}
        self.account = HeldAccount("taint", **self.settings)
        self.api, self.namespace = self.account.api, self.account.namespace
        self.node = a_fake_node()
        settled(self.node)
        in_force(partial(tainted, self.api, self.node, "x", "NoExecute"), "TAINT_EFFECT")

    with after.all:
        delete("node", self.node)
        self.account.end()

    with it("takes its taint off when its time is over, whatever its key"):
        create(a_pod_manifest("web", self.namespace, nodeName=self.node))
        pod, cluster = stored("pod", "web", self.namespace), self.account.cluster
        store = InMemoryLedger()
        outcome = answer("taint", alert_about(pod), cluster, store, **self.settings)
        expect(outcome.reason).to(equal("tainted"))
        later = FixedClock(Instant(time.time_ns() + 2 * 3600 * NANOSECONDS))
        ended = Expiry([Tainting], cluster, later, StoredLedger(store)).once()

        expect([o.reason for o in ended if self.node in o.target]).to(equal(["untainted"]))
        keys = [t["key"] for t in stored("node", self.node)["spec"].get("taints") or ()]
        expect(keys).not_to(contain("example.com/breach"))


with description("Settings that are bound to the policies") as self:
    with before.all:
        self.account = HeldAccount("delete")
        self.api, self.namespace = self.account.api, self.account.namespace
        self.node = a_fake_node()
        (self.pod,) = create(a_pod_manifest("web", self.namespace, nodeName=self.node))
        other = partial(deleted, self.api, self.pod, gracePeriodSeconds=9)
        in_force(other, "with GRACE_PERIOD_SECONDS")

    with after.all:
        self.account.end()
        delete("node", self.node)

    def deleted(self, grace):
        return deleted(self.api, self.pod, gracePeriodSeconds=grace)

    with it("hold nobody else, also where somebody says in them whom they are about"):
        place = ("configmap", "falco-delete-admission", "-n", self.namespace)
        kubectl("label", *place, "--overwrite", "function=falco-isolate")
        eventually(lambda: passes(lambda: self.deleted(9)))
        web = ("pod", "web", "-n", self.namespace)
        kubectl("delete", *web, "--grace-period=9", "--dry-run=server")
        kubectl("label", *place, "--overwrite", "function=falco-delete")
        in_force(lambda: self.deleted(9), "with GRACE_PERIOD_SECONDS")

    with it("stop nobody where they are gone: the other rules hold on"):
        kubectl("delete", "configmap", "falco-delete-admission", "-n", self.namespace)
        eventually(lambda: passes(lambda: self.deleted(9)))
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}
        path = (*POD, self.namespace, "pods", "web")

        expect(refusal_of(lambda: self.api.delete(*path, body=body))).to(
            contain("with its uid as precondition")
        )
        kubectl("delete", "pod", "web", "-n", self.namespace, "--dry-run=server")
        kubectl("label", "pod", "web", "-n", self.namespace, "theirs=1")


with description("Setting a real cluster up") as self:
    with before.all:
        policies_are_there()

    with it("changes nothing when it is done again"):
        asked = (
            f"{admission_policies.RESOURCE}.{admission_policies.GROUP}",
            admission_policies.BINDINGS,
        )
        names = [name for _, _, name in map(identity, admission_policies.policies())]

        def versions():
            found = of_context().list(asked)
            return {
                identity(m): (m["metadata"]["resourceVersion"], m["metadata"]["generation"])
                for m in found
                if m["metadata"]["name"] in names
            }

        # Its controller writes once what it thinks of the expressions' types.
        eventually(lambda: versions() == (time.sleep(2), versions())[1], 20)
        first = versions()
        done = run("-S", cluster=of_context(), sleep=time.sleep)

        expect(versions()).to(equal(first))
        for kind, _, name in map(identity, admission_policies.policies()):
            expect(done.out).to(contain(f"unchanged {kind} {name}\n"))

    with it("has expressions that fit the objects which they are about"):
        for name in {name for _, _, name in map(identity, admission_policies.policies())}:

            def checked(name=name):
                return stored("validatingadmissionpolicy", name).get("status")

            expect(eventually(checked, 20)["typeChecking"]).to(equal({}))


not_run_unless(CLUSTER, globals())
