"""Guards on a real cluster: exemptions, nodes, and what they cost."""

import time

from expects import be_below_or_equal, be_empty, be_true, contain, equal, expect
from mamba import after, before, description, it

from playbooks import delete as delete_playbook
from playbooks import taint as taint_playbook
from playbooks.core.alert import Alert
from playbooks.core.instant import NANOSECONDS, Instant
from playbooks.core.ports import ClusterCollaborators
from playbooks.core.settings import read
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.infrastructure.this_pod import SystemClock, ThisPod
from playbooks.testing import a_document
from specs.support.cluster.nodes import OurNodes, a_ready_node
from specs.support.cluster.real_cluster import (
    CountingApi,
    a_controller,
    a_gated_pod,
    a_namespace,
    a_pod_manifest,
    alert_about,
    create,
    delete,
    delete_namespace,
    kubectl,
    kubectl_json,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually


def host_alert(node):
    return a_document(
        hostname=node, time=str(Instant(time.time_ns())), output_fields={"container.id": "host"}
    )


with description("Guards on a cluster") as self:
    with before.each:
        self.namespace, self.made = a_namespace(), []
        self.api = CountingApi()

    with after.each:
        for node in self.made:
            delete("node", node)
        delete_namespace(self.namespace)

    def collaborators(self, cluster=None):
        ledger = ConfigMapLedger(self.api, namespace=self.namespace, name="budget")
        return ClusterCollaborators(
            SystemClock(), ThisPod(), cluster or KubernetesCluster(self.api), StoredLedger(ledger)
        )

    def answer(self, playbook, alert, cluster=None, **settings):
        """As a process per alert does: nothing is known from before."""
        return playbook.responder(settings, self.collaborators(cluster)).answer(alert)

    def pod(self):
        return a_gated_pod("web", self.namespace)

    def nodes(self, number):
        self.made = [a_ready_node() for _ in range(number)]
        return self.made

    def taint(self, node, among, **settings):
        given = {"TAINT_HOST": "true", "TAINT_KEY": "falco-spec/guard", **settings}
        cluster = OurNodes(self.api, *among)
        return self.answer(taint_playbook.playbook, host_alert(node), cluster, **given).reason

    with it("leave an exempted namespace alone for as long as it is"):
        pod, playbook = self.pod(), delete_playbook.playbook
        until = str(Instant(time.time_ns() + 3600 * NANOSECONDS))
        kubectl("annotate", "namespace", self.namespace, "falco/exempt=delete")
        without_end = self.answer(playbook, alert_about(pod), DRY_RUN="true")
        kubectl("annotate", "namespace", self.namespace, f"falco/exempt-until={until}")
        exempt = self.answer(playbook, alert_about(pod))
        kubectl("annotate", "namespace", self.namespace, "falco/exempt-")

        expect(without_end.reason).to(equal("delete"))
        expect(exempt.reason).to(equal("exempt"))
        expect(self.answer(playbook, alert_about(pod)).reason).to(equal("deletion-accepted"))

    with it("let half of the pods of a Deployment go"):
        create(a_controller("Deployment", "web", self.namespace, replicas=4, gated=True))

        def pods():
            found = kubectl_json("get", "pods", "-n", self.namespace)["items"]
            return len(found) == 4 and found

        found = eventually(pods)
        reasons = [
            self.answer(delete_playbook.playbook, alert_about(pod)).reason for pod in found[:3]
        ]

        expect(reasons).to(equal(["deletion-accepted", "deletion-accepted", "owner-limit"]))

    with it(
        "count no pods of an owner whose kind the cluster does not have, which anybody can make up"
    ):
        owner = {"apiVersion": "evil.example/v1", "kind": "DaemonSet", "name": "x", "uid": "x"}
        references = [{**owner, "controller": True}]
        manifests = [a_pod_manifest(f"web-{n}", self.namespace, gated=True) for n in range(6)]
        for manifest in manifests:
            manifest["metadata"]["ownerReferences"] = references
        pods = create(*manifests)
        reasons = [self.answer(delete_playbook.playbook, alert_about(p)).reason for p in pods]

        expect(reasons).to(equal(["deletion-accepted"] * 6))

    with it("let the pods of the only replica wait, with the time at which the next may go"):
        create(a_controller("Deployment", "web", self.namespace, replicas=1, gated=True))
        seen, outcomes = set(), []
        for _ in range(2):

            def another():
                found = kubectl_json("get", "pods", "-n", self.namespace)["items"]
                return [pod for pod in found if pod["metadata"]["uid"] not in seen]

            pod = eventually(another)[0]
            seen.add(pod["metadata"]["uid"])
            outcomes.append(self.answer(delete_playbook.playbook, alert_about(pod)))

        expect([o.reason for o in outcomes]).to(equal(["deletion-accepted", "owner-limit"]))
        expect(outcomes[1].message).to(contain("its replacement may have the same hole"))
        expect(590 < outcomes[1].waits <= 610).to(be_true)

    with it("taint no second node, and none of the control plane"):
        first, second, third = self.nodes(3)

        expect(self.taint(first, self.made)).to(equal("tainted"))
        expect(self.taint(second, self.made)).to(equal("node-limit"))
        kubectl("label", "node", third, "node-role.kubernetes.io/control-plane=")
        expect(self.taint(third, self.made, MAX_NODES="off")).to(equal("control-plane-node"))

    with it("leave the last node that takes pods"):
        first, second = self.nodes(2)
        kubectl("cordon", second)

        expect(self.taint(first, self.made)).to(equal("last-node"))
        expect(stored("node", first)["spec"].get("taints") or []).to(be_empty)

    with it("compare nodes by the taints of their pools"):
        first, second, third = self.nodes(3)
        kubectl("taint", "node", first, second, "team=a:NoSchedule")
        kubectl("taint", "node", third, "team=b:NoSchedule")

        expect(self.taint(third, self.made)).to(equal("last-node"))
        expect(self.taint(first, self.made)).to(equal("tainted"))

    with it("taint the only node where that keeps no pod away, or a person allows it"):
        (only,) = self.nodes(1)

        expect(self.taint(only, self.made)).to(equal("last-node"))
        expect(self.taint(only, self.made, TAINT_EFFECT="PreferNoSchedule")).to(equal("tainted"))
        allowed = {"ALLOW_LAST_NODE": "true", "TAINT_KEY": "falco-spec/allowed"}
        expect(self.taint(only, self.made, **allowed)).to(equal("tainted"))

    with it("know the node on which the API server runs, without any label"):
        cluster = KubernetesCluster(self.api)
        served = set(cluster.api_servers())
        (real,) = (n for n in cluster.nodes() if served & set(n.addresses))
        (other,) = self.nodes(1)

        expect(real.control_plane).to(equal(False))
        expect(self.taint(real.name, [real.name, other])).to(equal("control-plane-node"))
        expect(cluster.node(real.name).taints).to(equal(real.taints))

    with it(
        "cost at most six reads and one write more an action, and nothing where it is ruled out"
    ):
        create(a_controller("Deployment", "web", self.namespace, replicas=2, gated=True))

        def pods():
            found = kubectl_json("get", "pods", "-n", self.namespace)["items"]
            return len(found) == 2 and found

        one, other = eventually(pods)
        playbook = delete_playbook.playbook
        reaction = playbook.build(read(playbook.settings, {}), self.collaborators())
        playbook.responder({}, self.collaborators()).answer(alert_about(one, seconds_ago=3600))
        expect(self.api.calls).to(be_empty)

        # The ledger is there, as deploying makes it.
        self.collaborators().ledger.paused()
        self.api.calls.clear()
        outcome = self.answer(playbook, alert_about(one))
        guarded = list(self.api.calls)
        self.api.calls.clear()
        reaction.run(Alert.parse(alert_about(other)))

        expect(outcome.reason).to(equal("deletion-accepted"))
        # Namespace, owner, ledger; and what serves webhooks and APIs, which a process reads once.
        expect(guarded.count("GET") - self.api.calls.count("GET")).to(be_below_or_equal(6))
        expect(guarded.count("PATCH") - self.api.calls.count("PATCH")).to(be_below_or_equal(1))
        expect(len(guarded) - len(self.api.calls)).to(be_below_or_equal(7))


not_run_unless(CLUSTER, globals())
