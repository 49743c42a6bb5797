import json

from expects import be_empty, be_none, contain, equal, expect
from mamba import before, description, it

from playbooks import cordon
from playbooks.core.containment.cordoning import Cordoning
from playbooks.core.containment.expiry import expiry
from playbooks.core.containment.undo import Undo
from playbooks.core.errors import Conflict
from playbooks.core.instant import after
from playbooks.core.outcome import Status
from playbooks.deployment.manifests import admission_policies
from playbooks.testing import (
    NOW,
    FakeOwnPod,
    FixedClock,
    InMemoryCluster,
    a_host_alert,
    a_pod,
    a_ready_node,
    an_alert,
    some_collaborators,
)
from specs.support.wired import reacted

THEIRS = {"unschedulable": True}


def cluster_of(*nodes):
    return InMemoryCluster(a_pod(), *(nodes or (a_ready_node(), a_ready_node("node-2"))))


def run(cluster, alert=None, *, now=NOW, **given):
    wired = some_collaborators(cluster, clock=FixedClock(now))
    return reacted(cordon.playbook, cluster, alert, wired=wired, **given)


def answer(cluster, **given):
    collaborators = some_collaborators(cluster, own_pod=FakeOwnPod(node="node-1"))
    return cordon.playbook.responder(given, collaborators).answer(an_alert())


def node_of(cluster, name="node-1"):
    return cluster.known_nodes[name]


def undo(cluster):
    return Undo(Cordoning, cluster, [cluster.ledger], lambda *_: None).undo("node-1")


def ended(cluster, now):
    collaborators = some_collaborators(cluster, clock=FixedClock(now))
    return expiry(cordon.playbook, {"CORDON_TTL": "1h"}, collaborators).once()


with description("Cordoning a node") as self:
    with before.each:
        self.cluster = cluster_of()

    with it("cordons the node of the proven pod, and notes when and why"):
        outcome = run(self.cluster)
        note = json.loads(node_of(self.cluster).annotations["falco/cordoned"])

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "cordoned")))
        expect(outcome.message).to(equal("cordoned node node-1"))
        expect(outcome.details["undo"]).to(equal("falco-playbook undo node/node-1 -A"))
        expect(node_of(self.cluster).unschedulable).to(equal(True))
        expect(note).to(equal({"at": str(NOW), "reason": "cordoned", "rule": an_alert().rule}))

    with it("cordons a node whose annotations are full, says so, and finds it cordoned later"):
        full = {"theirs": "x" * (256 * 1024 - 6)}
        cluster = cluster_of(a_ready_node(annotations=full), a_ready_node("node-2"))
        outcome = answer(cluster)
        (look,) = outcome.follow_ups

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "cordoned")))
        expect(outcome.message).to(contain("the ledger alone has the note"))
        expect(look.look(True).reason).to(equal("verified"))
        expect(undo(cluster).reason).to(equal("undone"))

    with it("is done already where somebody cordoned the node, and writes nothing"):
        cluster = cluster_of(a_ready_node(spec=THEIRS))

        expect(run(cluster, CORDON_TTL="1h").reason).to(equal("already-cordoned"))
        expect(cluster.writes).to(be_empty)

    with it("keeps what somebody else writes on the node at the same time"):
        self.cluster.failures["patch_node"] = [Conflict("written")]

        expect(run(self.cluster).reason).to(equal("cordoned"))

    with it("answers a host alert where it may"):
        expect(run(self.cluster, a_host_alert()).message).to(contain("CORDON_HOST is false"))
        expect(run(self.cluster, a_host_alert(), CORDON_HOST="true").reason).to(equal("cordoned"))

    with it("extends a cordon of ours for another alert"):
        run(self.cluster, CORDON_TTL="1h")
        outcome = run(self.cluster, CORDON_TTL="1h", now=after(NOW, 600))

        expect(outcome.reason).to(equal("extended"))
        expect(outcome.details["until"]).to(equal(str(after(NOW, 4200))))

with description("A cordoned node") as self:
    with before.each:
        self.cluster = cluster_of()
        run(self.cluster, CORDON_TTL="1h")

    with it("is as it was before when a person undoes it"):
        outcome = undo(self.cluster)

        expect((outcome.reason, outcome.message)).to(equal(("undone", "node node-1: uncordoned")))
        expect(node_of(self.cluster).unschedulable).to(equal(False))
        expect(node_of(self.cluster).annotations.get("falco/cordoned")).to(be_none)
        expect(undo(self.cluster).reason).to(equal("nothing-to-undo"))

    with it("is uncordoned when its time is over, and not before"):
        expect(ended(self.cluster, after(NOW, 3599))).to(be_empty)
        (outcome,) = ended(self.cluster, after(NOW, 3600))

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "uncordoned")))
        expect(node_of(self.cluster).unschedulable).to(equal(False))

    with it("is never uncordoned where somebody else cordoned it"):
        cluster = cluster_of(a_ready_node(spec=THEIRS))

        expect(undo(cluster).reason).to(equal("nothing-to-undo"))
        expect(ended(cluster, after(NOW, 7200))).to(be_empty)
        expect(node_of(cluster).unschedulable).to(equal(True))

    with it("is ours no longer once somebody uncordoned it, whoever cordons it next"):
        self.cluster.patch_node(node_of(self.cluster), spec={"unschedulable": None})
        (outcome,) = ended(self.cluster, after(NOW, 60))
        self.cluster.patch_node(node_of(self.cluster), spec=THEIRS)

        expect(outcome.message).to(equal("node node-1: it was uncordoned already"))
        expect(node_of(self.cluster).annotations.get("falco/cordoned")).to(be_none)
        expect(ended(self.cluster, after(NOW, 7200))).to(be_empty)
        expect(undo(self.cluster).reason).to(equal("nothing-to-undo"))

    with it("counts towards MAX_NODES"):
        nodes = [a_ready_node(n) for n in ("node-1", "node-2", "node-3")]
        cluster = InMemoryCluster(a_pod(), *nodes)
        run(cluster)
        cluster.put(a_pod(node="node-2"))

        expect(answer(cluster).reason).to(equal("node-limit"))
        expect(answer(cluster, MAX_NODES="2").reason).to(equal("cordoned"))

    with it("counts no longer once somebody uncordoned it"):
        nodes = [a_ready_node(n) for n in ("node-1", "node-2", "node-3")]
        cluster = InMemoryCluster(a_pod(), *nodes)
        run(cluster)
        cluster.patch_node(node_of(cluster), spec={"unschedulable": None})
        cluster.put(a_pod(node="node-2"))

        expect(answer(cluster).reason).to(equal("cordoned"))

with description("The playbook that cordons") as self:
    with it("is held to the guards of nodes"):
        expect(answer(InMemoryCluster(a_pod(), a_ready_node())).reason).to(equal("last-node"))

    with it("may cordon its own node, from which nothing is evicted"):
        expect(answer(cluster_of()).reason).to(equal("cordoned"))

    with it("has an account that changes nothing but unschedulable and our annotations"):
        policy, *_ = admission_policies.of(cordon.playbook)
        rules = policy.manifests()[0]["spec"]["validations"]

        expect(policy.name).to(equal("falco-playbook-cordon-nodes"))
        expect(rules[0]["message"]).to(
            equal("the cordon playbook changes nothing of a node's spec but its unschedulable")
        )
        expect(len(rules)).to(equal(6))
