"""Draining Node objects that no machine stands behind: a PodDisruptionBudget holds, the drain goes
on once it allows it, and what the playbook's own account may do on a cluster that was set up."""

from contextlib import suppress
from functools import partial

from expects import contain, equal, expect, have_key
from mamba import after, before, description, it

from playbooks.core.errors import NotFound
from playbooks.infrastructure.kubernetes.api import KubernetesApi
from specs.support.cluster.admission import HeldAccount, in_force, refusal_of
from specs.support.cluster.nodes import OurNodes, a_ready_node, made_ready
from specs.support.cluster.real_cluster import (
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    create,
    delete,
    delete_namespace,
    kubectl,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually
from specs.support.programs import falco_playbook

RUNNING = '{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}'


def a_running_pod(name, namespace, node):
    """As a kubelet would say that it runs: budgets are about such pods only."""
    (pod,) = create(a_pod_manifest(name, namespace, nodeName=node))
    kubectl("label", "pod", name, "-n", namespace, "app=web")
    kubectl("patch", "pod", name, "-n", namespace, "--subresource=status", "-p", RUNNING)
    return pod


def ended(namespace, *names):
    """As a kubelet would end them."""
    kubectl("delete", "pod", *names, "-n", namespace, "--force", "--grace-period=0")


def one_may_go(namespace):
    status = stored("pdb", "web", namespace).get("status", {})
    return status.get("disruptionsAllowed") == 1


def an_eviction(pod, **options):
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace")}
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": metadata,
        "deleteOptions": {"dryRun": ["All"], **options},
    }


def evict(api, pod, **options):
    path = ("api", "v1", "namespaces", pod["metadata"]["namespace"], "pods")
    body = an_eviction(pod, **options)
    return api.post(*path, pod["metadata"]["name"], "eviction", body=body)


with description("Draining a node") as self:
    with before.all:
        self.namespace = a_namespace()
        self.nodes = [a_ready_node() for _ in range(2)]
        self.node = self.nodes[0]
        self.pods = [a_running_pod(f"web-{n}", self.namespace, self.node) for n in range(2)]
        kubectl(
            *("create", "pdb", "web", "-n", self.namespace, "--selector=app=web"),
            "--min-available=1",
        )
        eventually(partial(one_may_go, self.namespace))

    with after.all:
        for node in self.nodes:
            delete("node", node)
        delete_namespace(self.namespace)

    def drain(self, alert):
        given = {"LEDGER": f"{self.namespace}/drained", "NAMESPACES": self.namespace}
        cluster = OurNodes(KubernetesApi(), *self.nodes)
        return answer("drain", alert, cluster, **given)

    with it("keeps to a budget, goes on once that allows it, and undo uncordons the node"):
        alert = alert_about(self.pods[0])
        waiting = self.drain(alert)
        expect((waiting.reason, waiting.error, waiting.waits)).to(equal(("draining", None, 5.0)))
        expect(waiting.message).to(contain("1 pod evicted, 2 to go", "disruption budget"))
        expect(stored("node", self.node)["spec"]["unschedulable"]).to(equal(True))
        kubectl("delete", "pdb", "web", "-n", self.namespace)
        going_on = self.drain(alert)
        expect(going_on.message).to(contain("2 pods evicted, 2 to go"))
        ended(self.namespace, "web-0", "web-1")
        outcome = self.drain(alert)
        expect((outcome.reason, outcome.error)).to(equal(("drained", None)))
        expect(outcome.message).to(equal(f"drained node {self.node}: 2 pods evicted"))
        undo = outcome.details["undo"].replace(" -A", "").split()[1:]
        code, said = falco_playbook(*undo, "-p", "drain", "--ledger", f"{self.namespace}/drained")
        expect((code, said.count(f"node {self.node}: uncordoned"))).to(equal((0, 1)))
        expect(stored("node", self.node)["spec"].get("unschedulable")).to(equal(None))


with description("The account of drain, on a cluster that was set up,") as self:
    with before.all:
        self.account = HeldAccount("drain")
        self.api, self.namespace = self.account.api, self.account.namespace
        self.nodes = [a_ready_node() for _ in range(2)]
        self.pod = a_running_pod("web-0", self.namespace, self.nodes[0])
        in_force(partial(evict, self.api, self.pod), "drain-pods-eviction")

    with after.all:
        for node in self.nodes:
            delete("node", node)
        self.account.end()

    with it("evicts by uid only, and nothing in a protected namespace"):
        said = refusal_of(partial(evict, self.api, self.pod))
        expect(said).to(contain("evicts a pod with its uid as precondition"))
        evict(self.api, self.pod, preconditions={"uid": self.pod["metadata"]["uid"]})
        elsewhere = {"metadata": {"name": "x", "namespace": "kube-system"}}

        def protected():
            with suppress(NotFound):
                evict(self.api, elsewhere, preconditions={"uid": "x"})

        in_force(protected, "in a namespace of PROTECTED_NAMESPACES")

    with it("drains a node"):
        for node in self.nodes:
            made_ready(node)
        cluster = OurNodes(self.api, *self.nodes)
        outcome = answer("drain", alert_about(self.pod), cluster, NAMESPACES=self.namespace)

        expect((outcome.reason, outcome.error)).to(equal(("draining", None)))
        expect(stored("pod", "web-0", self.namespace)["metadata"]).to(have_key("deletionTimestamp"))

    with it("is found to be held to that by the check"):
        expect(self.account.found_held()).to(contain("rules tried"))


not_run_unless(CLUSTER, globals())
