"""Cordoning Node objects that no machine stands behind: what is written, what counts, how it ends,
and what the playbook's own account may do on a cluster that was set up."""

import time
from functools import partial

from expects import contain, equal, expect, have_key
from mamba import after, before, description, it

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
from specs.support.programs import falco_playbook

# Seconds.
TTL = 10

NODE = ("api", "v1", "nodes")


def the_spec(node):
    return stored("node", node)["spec"]


def cordoned(node):
    return the_spec(node).get("unschedulable", False)


def written(api, node, spec):
    """Try to write this of the node's spec, in a dry run."""
    return api.patch(*NODE, node, body={"spec": spec}, dryRun="All")


with description("Cordoning a node") as self:
    with before.all:
        self.namespace = a_namespace()
        self.nodes = [a_ready_node() for _ in range(3)]
        self.pods = create(
            *(a_pod_manifest(f"on-{node}", self.namespace, nodeName=node) for node in self.nodes)
        )

    with after.all:
        for node in self.nodes:
            delete("node", node)
        delete_namespace(self.namespace)

    with before.each:
        self.cluster = OurNodes(KubernetesApi(), *self.nodes)

    def cordon(self, number, ledger, **settings):
        given = {"LEDGER": f"{self.namespace}/{ledger}", **settings}
        return answer("cordon", alert_about(self.pods[number]), self.cluster, **given)

    with it("is counted: a second node waits, and undo gives the first back as it was"):
        first, second = self.nodes[:2]
        kubectl("annotate", "node", first, "theirs=kept")
        was = stored("node", first)
        outcome = self.cordon(0, "undone")

        expect(outcome.reason).to(equal("cordoned"))
        expect(cordoned(first)).to(equal(True))
        expect(stored("node", first)["metadata"]["annotations"]).to(have_key("falco/cordoned"))
        expect(self.cordon(1, "undone").reason).to(equal("node-limit"))
        expect(cordoned(second)).to(equal(False))
        undo = outcome.details["undo"].split()[1:]
        code, said = falco_playbook(*undo, "--ledger", f"{self.namespace}/undone")
        expect(code).to(equal(0))
        expect(said).to(contain(f"node {first}: uncordoned\n"))
        expect(stored("node", first)["metadata"]["annotations"]).to(
            equal(was["metadata"]["annotations"])
        )
        expect(cordoned(first)).to(equal(False))
        expect(self.cordon(0, "undone").reason).to(equal("undone"))

    with it("ends by a sweep once its time is over, and not before"):
        node, ledger = self.nodes[1], f"{self.namespace}/ended"
        outcome = self.cordon(1, "ended", CORDON_TTL=f"{TTL}s")
        falco_playbook("sweep", "-p", "cordon", "--ledger", ledger)

        expect(outcome.reason).to(equal("cordoned"))
        expect(cordoned(node)).to(equal(True))
        time.sleep(TTL)
        code, said = falco_playbook("sweep", "-p", "cordon", "--ledger", ledger)
        expect(code).to(equal(0))
        expect(said).to(contain(f"node {node}", "uncordoned"))
        expect(cordoned(node)).to(equal(False))

    with it("leaves a node that somebody else cordoned, also in the end"):
        node = self.nodes[2]
        kubectl("cordon", node)

        expect(self.cordon(2, "theirs").reason).to(equal("already-cordoned"))
        code, said = falco_playbook("undo", f"node/{node}", "--ledger", f"{self.namespace}/theirs")
        expect(code).to(equal(0))
        expect(said).to(contain("nothing to undo"))
        expect(cordoned(node)).to(equal(True))


with description("The account of cordon, on a cluster that was set up,") as self:
    with before.all:
        self.account = HeldAccount("cordon")
        self.api, self.namespace = self.account.api, self.account.namespace
        self.nodes = [a_ready_node() for _ in range(2)]
        self.node = self.nodes[0]
        in_force(partial(written, self.api, self.node, {"podCIDR": "10.9.0.0/24"}), "cordon-nodes")

    with after.all:
        for node in self.nodes:
            delete("node", node)
        self.account.end()

    with it("changes nothing of a node's spec but spec.unschedulable, and no labels"):
        for spec in ({"taints": [{"key": "x", "effect": "NoExecute"}]}, {"podCIDR": "10.9.0.0/24"}):
            said = refusal_of(lambda spec=spec: written(self.api, self.node, spec))
            expect(said).to(contain("'falco-playbook-cordon-nodes'"))
        labels = {"metadata": {"labels": {"falco/x": "1"}}}
        said = refusal_of(lambda: self.api.patch(*NODE, self.node, body=labels, dryRun="All"))
        expect(said).to(contain("'falco-playbook-cordon-nodes'"))

    with it("cordons the node of a pod, and uncordons none without CORDON_TTL"):
        for node in self.nodes:
            made_ready(node)
        (pod,) = create(a_pod_manifest("web", self.namespace, nodeName=self.node))
        cluster = OurNodes(self.api, *self.nodes)
        outcome = answer("cordon", alert_about(pod), cluster)

        expect((outcome.reason, outcome.error)).to(equal(("cordoned", None)))

        def uncordoned():
            kubectl("cordon", self.node)
            written(self.api, self.node, {"unschedulable": None})

        in_force(uncordoned, "uncordons no node without CORDON_TTL")


not_run_unless(CLUSTER, globals())
