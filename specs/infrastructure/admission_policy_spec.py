"""The admission policies of ``deploy_playbook -S`` on a real API server: what our accounts may do
with the whole of their role, and what nobody else notices.

Policies that were not there before are removed in the end.
"""

import time

from expects import be_empty, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.cluster.manifest import identity
from playbooks.core.errors import NotPermitted
from playbooks.deployment.manifests import access, admission_policies
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.objects import of_context
from specs.deployment.mothers import a_worker_request, run
from specs.support.admission import policies_are_there, removed
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.real_cluster import (
    a_controller,
    a_fake_node,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    api_of,
    cleaned_up,
    create,
    delete,
    delete_namespace,
    eventually,
    kubectl,
    running_pod,
    running_pods,
    settled,
    stored,
    token_of,
)

POD = ("api", "v1", "namespaces")
NODE = ("api", "v1", "nodes")
POLICIES = ("apis", "networking.k8s.io", "v1", "namespaces")


def an_account(playbook, namespace):
    """The playbook's account with its roles, as they are deployed, and its cluster."""
    request = a_worker_request(playbook)
    made = [access.service_account(request, namespace), *access.roles(request, namespace)]
    for manifest in made:
        kind, place, name = identity(manifest)
        if not place:
            cleaned_up(name, kind)
    create(*made)
    return api_of(token_of(f"falco-{playbook}", namespace))


def without_roles(playbook, namespace):
    name = f"falco-{playbook}.{namespace}"
    for kind in ("ClusterRoleBinding", "ClusterRole"):
        delete(kind, name)


def refusal_of(change):
    """The words with which the API server refuses it."""
    try:
        change()
    except NotPermitted as error:
        return str(error)
    raise AssertionError("it was not refused")


def in_force(policy, api, *place):
    """Wait until the API server knows of a policy that was just made."""

    def refused():
        # Another value each time: what changes nothing is refused to nobody.
        body = {"metadata": {"annotations": {"spec/tried": str(time.time_ns())}}}
        return f"'{policy}'" in refusal_of(lambda: api.patch(*place, body=body))

    eventually(refused, 20)


def a_network_policy(name, namespace, selector):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress"]},
    }


with description("The account of isolate, on a cluster that was set up,") as self:
    with before.all:
        self.made = policies_are_there()
        self.namespace = ns = a_namespace()
        create(a_pod_manifest("web", ns, labels={"app": "web"}))
        self.api = an_account("isolate", ns)
        running_pod("web", ns)
        in_force("falco-playbook-isolate-pods", self.api, *POD, ns, "pods", "web")

    with after.all:
        without_roles("isolate", self.namespace)
        delete_namespace(self.namespace)
        removed(self.made)

    def patch(self, body):
        return self.api.patch(*POD, self.namespace, "pods", "web", body=body)

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
        expect(self.refusal({"metadata": {"labels": {"app": "other"}}})).to(contain("labels"))
        expect(self.refusal({"metadata": {"labels": {"new": "1"}}})).to(contain("labels"))

    with it("gives and takes labels and annotations of ours"):
        ours = {"falco/spec": "1"}
        self.patch({"metadata": {"labels": ours, "annotations": ours}})
        self.patch(
            {"metadata": {"labels": {"falco/spec": "2"}, "annotations": {"falco/spec": None}}}
        )

        expect(stored("pod", "web", self.namespace)["metadata"]["labels"]).to(
            equal({"app": "web", "falco/spec": "2"})
        )

    with it("stores no NetworkPolicy under another name, nor one that selects other pods"):
        wrong = (
            ("deny-all", {"matchLabels": {"falco/isolated": "u"}}),
            ("falco-isolate-u", {}),
            ("falco-isolate-u", {"matchLabels": {"app": "web"}}),
            ("falco-isolate-u", {"matchLabels": {"falco/isolated": "v"}}),
        )
        for name, selector in wrong:
            manifest = a_network_policy(name, self.namespace, selector)
            place = (*POLICIES, self.namespace, "networkpolicies")
            said = refusal_of(lambda: self.api.post(*place, body=manifest))
            expect(said).to(contain("'falco-playbook-isolate-networkpolicies'"))

    with it("does not touch a NetworkPolicy of somebody else"):
        (theirs,) = create(a_network_policy("theirs", self.namespace, {}))
        place = (*POLICIES, self.namespace, "networkpolicies", "theirs")
        changed = {**theirs, "spec": {"podSelector": {"matchLabels": {"falco/isolated": "u"}}}}

        expect(refusal_of(lambda: self.api.put(*place, body=changed))).to(
            contain("changes no NetworkPolicy but falco-isolate-<uid>")
        )

    with it("isolates and detaches a pod"):
        create(a_controller("Deployment", "shop", self.namespace))
        (pod,) = running_pods(self.namespace, app="shop")
        outcome = answer("isolate", alert_about(pod), KubernetesCluster(self.api))

        expect((outcome.reason, outcome.error)).to(equal(("isolated", None)))
        name = pod["metadata"]["name"]
        metadata = stored("pod", name, self.namespace)["metadata"]
        expect(metadata["labels"]).to(equal({"falco/isolated": metadata["uid"]}))
        expect(outcome.details["detached_labels"]).to(equal(pod["metadata"]["labels"]))

    with it("isolates again, when its policy is to be another"):
        create(a_pod_manifest("again", self.namespace, labels={"app": "again"}))
        pod = running_pod("again", self.namespace)
        for direction in ("egress", "both"):
            outcome = answer(
                "isolate",
                alert_about(pod),
                KubernetesCluster(self.api),
                ISOLATE_DIRECTION=direction,
            )
            expect(outcome.reason).to(equal("isolated"))

    with it("is the only one that is held: whoever else may change a pod changes it"):
        place = ("-n", self.namespace)
        kubectl("label", "pod", "web", *place, "--overwrite", "theirs=1")
        kubectl("annotate", "pod", "web", *place, "--overwrite", "theirs=1")
        kubectl("patch", "pod", "web", *place, "-p", '{"spec":{"activeDeadlineSeconds":3000}}')


with description("The account of taint, on a cluster that was set up,") as self:
    with before.all:
        self.made = policies_are_there()
        self.namespace = a_namespace()
        self.node = a_fake_node()
        kubectl("taint", "node", self.node, "theirs=1:NoSchedule", "falco/old=1:NoSchedule")
        settled(self.node)
        self.api = an_account("taint", self.namespace)
        in_force("falco-playbook-taint-nodes", self.api, *NODE, self.node)

    with after.all:
        without_roles("taint", self.namespace)
        delete("node", self.node)
        delete_namespace(self.namespace)
        removed(self.made)

    def patch(self, body):
        return self.api.patch(*NODE, self.node, body=body)

    def taints(self):
        return stored("node", self.node)["spec"]["taints"]

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
            expect(said).to(contain("changes or removes none but falco/*"))

    with it("removes a taint of ours"):
        rest = [taint for taint in self.taints() if taint["key"] != "falco/old"]
        self.patch({"spec": {"taints": rest}})

        expect([t for t in self.taints() if t["key"] == "falco/old"]).to(be_empty)

    with it("taints the node of a pod, also with a key of somebody's choice"):
        create(a_pod_manifest("web", self.namespace, nodeName=self.node))
        pod = stored("pod", "web", self.namespace)
        for settings in ({}, {"TAINT_KEY": "example.com/breach"}):
            outcome = answer("taint", alert_about(pod), KubernetesCluster(self.api), **settings)
            expect((outcome.reason, outcome.error)).to(equal(("tainted", None)))

        expect([t["key"] for t in self.taints()]).to(
            contain("theirs", "falco/alert", "example.com/breach")
        )

    with it("is the only one that is held: whoever else may change a node changes it"):
        kubectl("label", "node", self.node, "theirs=1")
        kubectl("taint", "node", self.node, "theirs:NoSchedule-")


with description("Setting a real cluster up") as self:
    with before.all:
        self.made = policies_are_there()

    with after.all:
        removed(self.made)

    with it("changes nothing when it is done again"):
        asked = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
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
