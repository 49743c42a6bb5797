import json

from expects import be_empty, contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.cluster.conflicts import ATTEMPTS
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.errors import Conflict
from playbooks.core.instant import after
from playbooks.core.outcome import Status
from playbooks.core.proof import Proof
from playbooks.reactions.nodes.taint_node import TaintNode
from playbooks.testing import (
    NOW,
    FixedClock,
    InMemoryCluster,
    a_host_alert,
    a_node,
    a_pod,
    a_ready_node,
    an_alert,
)

OURS = {"key": "falco/alert", "value": "true", "effect": "NoSchedule"}
THEIRS = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def taint_node(cluster, *, host=False, effect="NoSchedule", value="true", ttl=None, now=NOW):
    proof = Proof(cluster, FixedClock(), identity="strict", namespaces=())
    return TaintNode(
        cluster,
        cluster.ledger,
        proof,
        Lifetime(FixedClock(now), ttl),
        key="falco/alert",
        value=value,
        effect=effect,
        host=host,
    )


def run(cluster, alert=None, **settings):
    return taint_node(cluster, **settings).run(alert or an_alert())


def taints_of(cluster, node="node-1"):
    return list(cluster.known_nodes[node].taints)


def written(cluster):
    return json.loads(cluster.known_nodes["node-1"].annotations["falco/taints"])


def the_mark(cluster):
    return written(cluster)["falco/alert=true:NoSchedule"]


with description("A taint that was added") as self:
    with it("is verified while it stands, with the note about it"):
        cluster = InMemoryCluster(a_pod(), a_node())
        reaction = taint_node(cluster)
        action = reaction.plan(an_alert())
        before = reaction.verify(action)
        action.carry_out()
        stands = reaction.verify(action)
        cluster.patch_node(cluster.node("node-1"), spec={"taints": []})
        after_all = reaction.verify(action)

        expect((before.holds, stands.holds, after_all.holds)).to(equal((False, True, False)))
        expect(stands.words).to(equal("the taint of node node-1 stands"))
        expect(after_all.words).to(
            equal("the taint of node node-1 does not stand: somebody took it off since")
        )

    with it("is verified where the node is gone, or another has its name"):
        reaction = taint_node(InMemoryCluster(a_pod(), a_node()))
        action = reaction.plan(an_alert())
        for there in ((), (a_ready_node("node-1", uid="another"),)):
            reaction._cluster = InMemoryCluster(*there)

            expect(reaction.verify(action).holds).to(equal(True))


with description("Tainting a node") as self:
    with it("taints the node of the proven pod"):
        cluster = InMemoryCluster(a_pod(), a_node())
        outcome = run(cluster)

        expect(taints_of(cluster)).to(equal([OURS]))
        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.target).to(equal("node node-1"))
        expect(outcome.message).to(equal("added taint falco/alert=true:NoSchedule to node node-1"))

    with it("keeps all other taints"):
        cluster = InMemoryCluster(a_pod(), a_node(taints=[THEIRS]))
        run(cluster)

        expect(taints_of(cluster)).to(equal([THEIRS, OURS]))

    with it("adds its own beside one of the same key and another effect"):
        other = {**OURS, "effect": "NoExecute"}
        cluster = InMemoryCluster(a_pod(), a_node(taints=[other]))
        run(cluster)

        expect(taints_of(cluster)).to(equal([other, OURS]))

    with it("skips a node that has the taint, and names its value"):
        cluster = InMemoryCluster(a_pod(), a_node(taints=[{**OURS, "value": "other"}]))
        outcome = run(cluster)

        expect(outcome.reason).to(equal("already-tainted"))
        expect(outcome.message).to(contain("falco/alert=other:NoSchedule"))
        expect(cluster.writes).to(be_empty)

    with it("reads the node again when somebody else wrote it first"):
        cluster = InMemoryCluster(a_pod(), a_node())
        cluster.failures["patch_node"] = [Conflict("written")]

        expect(run(cluster).status).to(equal(Status.ACTED))
        expect(cluster.calls).to(equal(["pod", "node", "patch_node", "node", "patch_node"]))

    with it("gives up for now when somebody else always writes first"):
        cluster = InMemoryCluster(a_pod(), a_node())
        cluster.failures["patch_node"] = [Conflict("written")] * ATTEMPTS

        expect(lambda: run(cluster)).to(raise_error(Conflict))

    with it("skips a pod that is on no node"):
        expect(run(InMemoryCluster(a_pod(node=""))).reason).to(equal("no-node"))

    with it("skips a node that is gone"):
        expect(run(InMemoryCluster(a_pod())).reason).to(equal("node-gone"))

    with it("leaves the node of a pod alone that is not proven"):
        cluster = InMemoryCluster(a_pod(), a_node())

        expect(run(cluster, an_alert(container_id="f" * 12)).reason).to(equal("not-the-same-pod"))
        expect(cluster.writes).to(be_empty)

    with it("plans it with reads alone"):
        cluster = InMemoryCluster(a_pod(), a_node())
        action = taint_node(cluster).plan(an_alert())

        expect(action.message).to(contain("add taint falco/alert=true:NoSchedule to node node-1"))
        expect(action.node.name).to(equal("node-1"))
        expect(cluster.writes).to(be_empty)

    with it("writes on the node which taint is its own, when and why, in the same call"):
        cluster = InMemoryCluster(a_pod(), a_node())
        outcome = run(cluster)

        expect(cluster.writes).to(equal(["patch_node"]))
        expect(written(cluster)).to(
            equal(
                {
                    "falco/alert=true:NoSchedule": {
                        "at": str(NOW),
                        "rule": "Terminal shell in container",
                        "reason": "tainted",
                    }
                }
            )
        )
        expect(outcome.details["undo"]).to(equal("falco-playbook undo node/node-1 -A"))

    with it("writes nothing of the alert's text"):
        cluster = InMemoryCluster(a_pod(), a_node())
        run(cluster, an_alert(output="a secret"))

        expect(str(cluster.known_nodes["node-1"].manifest)).not_to(contain("secret"))

    with it("keeps what another playbook wrote about its own taint"):
        cluster = InMemoryCluster(a_pod(), a_node())
        run(cluster)
        run(cluster, effect="NoExecute")

        expect(list(written(cluster))).to(
            equal(["falco/alert=true:NoExecute", "falco/alert=true:NoSchedule"])
        )

    with it("taints a node whose annotation nobody can read: who took it over writes there"):
        for nested in ("[" * 100_000, '{"a": ' * 100_000, '{"a": "b"}', "[]", "0"):
            node = a_ready_node(annotations={"falco/taints": nested})
            cluster = InMemoryCluster(a_pod(), node)

            expect(run(cluster).status).to(equal(Status.ACTED))
            expect(list(written(cluster))).to(equal(["falco/alert=true:NoSchedule"]))

    with it("taints a node whose annotations are full, and says so"):
        node = a_ready_node(annotations={"theirs": "x" * (256 * 1024 - 6)})
        cluster = InMemoryCluster(a_pod(), node)
        outcome = run(cluster)

        expect(taints_of(cluster)).to(contain(OURS))
        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.message).to(contain("the ledger alone has the note"))
        expect(list(cluster.ledger.contained())).to(equal([node.uid]))

    with description("for a time"):
        with it("writes until when"):
            cluster = InMemoryCluster(a_pod(), a_node())
            outcome = run(cluster, ttl=3600)

            expect(the_mark(cluster)["until"]).to(equal(str(after(NOW, 3600))))
            expect(outcome.details["until"]).to(equal(str(after(NOW, 3600))))

        with it("makes it longer for another alert, and says so"):
            cluster = InMemoryCluster(a_pod(), a_node())
            run(cluster, ttl=3600)
            outcome = run(cluster, ttl=3600, now=after(NOW, 600))

            expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "extended")))
            expect(the_mark(cluster)["until"]).to(equal(str(after(NOW, 4200))))
            expect(the_mark(cluster)["at"]).to(equal(str(NOW)))
            expect(taints_of(cluster)).to(equal([OURS]))

        with it("never makes it shorter"):
            cluster = InMemoryCluster(a_pod(), a_node())
            run(cluster, ttl=3600)

            expect(run(cluster, ttl=60).reason).to(equal("already-tainted"))
            expect(the_mark(cluster)["until"]).to(equal(str(after(NOW, 3600))))

        with it("does not write the node for each alert of a flood"):
            cluster = InMemoryCluster(a_pod(), a_node())
            run(cluster, ttl=3600)

            expect(run(cluster, ttl=3600, now=after(NOW, 9)).reason).to(equal("already-tainted"))
            expect(cluster.writes).to(equal(["patch_node"]))

        with it("gives no end to a taint that has none, nor to one of somebody else"):
            for_ever = InMemoryCluster(a_pod(), a_node())
            run(for_ever)
            theirs = InMemoryCluster(a_pod(), a_node(taints=[OURS]))

            for cluster in (for_ever, theirs):
                expect(run(cluster, ttl=60).reason).to(equal("already-tainted"))

        with it("does not make a taint longer whose value somebody changed"):
            cluster = InMemoryCluster(a_pod(), a_node())
            run(cluster, ttl=3600)

            expect(run(cluster, ttl=7200, value="other").reason).to(equal("already-tainted"))

    with description("for a host alert"):
        with it("does nothing unless it may"):
            cluster = InMemoryCluster(a_node())

            expect(run(cluster, a_host_alert()).reason).to(equal("host-alert"))
            expect(cluster.calls).to(be_empty)

        with it("taints the host where it may"):
            cluster = InMemoryCluster(a_node())
            outcome = run(cluster, a_host_alert(), host=True)

            expect(outcome.status).to(equal(Status.ACTED))
            expect(taints_of(cluster)).to(equal([OURS]))

        with it("does nothing for one of another source than syscall"):
            alert = a_host_alert(source="k8s_audit")

            expect(run(InMemoryCluster(a_node()), alert, host=True).reason).to(equal("no-pod"))

        with it("does nothing where the alert names no host"):
            alert = a_host_alert(hostname=None)

            expect(run(InMemoryCluster(a_node()), alert, host=True).reason).to(equal("no-node"))
