from expects import be_empty, equal, expect
from mamba import description, it

from playbooks.core.guards.guard import Case
from playbooks.core.guards.nodes import LastNodes
from specs.support.fakes import InMemoryCluster
from specs.support.mothers import NOW, a_pod, a_ready_node, an_action, an_alert

CORDONED = {"unschedulable": True}
TAINT = {"key": "theirs", "effect": "NoSchedule"}
SOFT = {"key": "theirs", "effect": "PreferNoSchedule"}


def tainting(node, *others):
    cluster = InMemoryCluster(node, *others)
    return LastNodes(cluster).of_action(Case(an_alert(), NOW), an_action(a_pod(), node))


with description("The guard of the last nodes") as self:
    with it("passes a node beside which another one takes pods"):
        answer = tainting(a_ready_node("a"), a_ready_node("b"))

        expect(answer.reason).to(equal(""))
        expect(answer.words).to(
            equal("node a is of no control plane, and 1 other node can take pods")
        )

    with it("refuses one of the control plane, by either label"):
        for label in ("control-plane", "master"):
            labels = {f"node-role.kubernetes.io/{label}": ""}
            answer = tainting(a_ready_node("a", labels=labels), a_ready_node("b"))

            expect(answer.reason).to(equal("control-plane-node"))

    with it("refuses the last one that takes pods"):
        for other in (
            a_ready_node("b", ready="False"),
            a_ready_node("b", ready="Unknown"),
            a_ready_node("b", spec=CORDONED),
            a_ready_node("b", spec={"taints": [TAINT]}),
        ):
            expect(tainting(a_ready_node("a"), other).reason).to(equal("last-node"))
        expect(tainting(a_ready_node("a")).reason).to(equal("last-node"))

    with it("counts a node that only would rather not take pods"):
        soft = a_ready_node("b", spec={"taints": [SOFT]})

        expect(tainting(a_ready_node("a"), soft).reason).to(equal(""))

    with it("asks nothing about pods"):
        cluster = InMemoryCluster()
        LastNodes(cluster).of_action(Case(an_alert(), NOW), an_action(a_pod()))

        expect(cluster.calls).to(be_empty)
