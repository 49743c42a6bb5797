from expects import be_empty, contain, equal, expect
from mamba import description, it

from playbooks.core.cluster.node import Node
from playbooks.core.guards.guard import Case
from playbooks.core.guards.nodes import LastNodes
from playbooks.testing import (
    NOW,
    FakeReaction,
    InMemoryCluster,
    a_pod,
    a_ready_node,
    an_action,
    an_alert,
)

CORDONED = {"unschedulable": True}
TAINT = {"key": "theirs", "effect": "NoSchedule"}
SOFT = {"key": "theirs", "effect": "PreferNoSchedule"}
OURS = {"key": "falco/alert", "value": "true", "effect": "NoSchedule"}


class Contains(FakeReaction):
    """Keeps pods away from a node, unless told otherwise, and counts those with our taint."""

    def __init__(self, *, keeps_pods_away=True):
        super().__init__()
        self._keeps = keeps_pods_away

    @property
    def keeps_pods_away(self):
        return self._keeps

    def counts(self, node):
        return node.has_taint(OURS["key"], OURS["effect"])


def tainting(node, *others, reaction=None, api_servers=(), **allowed):
    cluster = InMemoryCluster(node, *others)
    if api_servers:
        cluster.put(endpoints(*api_servers))
    guard = LastNodes(cluster, reaction or Contains(), **allowed)
    return guard.of_action(Case(an_alert(), NOW), an_action(a_pod(), node))


def endpoints(*addresses):
    return {
        "kind": "Endpoints",
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": address} for address in addresses]}],
    }


def tainted(name, *taints, **metadata):
    return a_ready_node(name, spec={"taints": list(taints)}, **metadata)


def of_pool(name, pool):
    return tainted(name, {"key": "team", "value": pool, "effect": "NoSchedule"})


with description("The guard of the last nodes") as self:
    with it("passes a node beside which another one takes pods"):
        answer = tainting(a_ready_node("a"), a_ready_node("b"))

        expect(answer.reason).to(equal(""))
        expect(answer.words).to(
            equal("node a is not of the control plane, and 1 other node can take its pods")
        )

    with it("refuses one of the control plane, by the label of any distribution"):
        for label in (
            *("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"),
            *("node-role.kubernetes.io/controlplane", "node-role.kubernetes.io/etcd"),
            "node.kubernetes.io/microk8s-controlplane",
        ):
            for value in ("", "true", "microk8s-controlplane"):
                answer = tainting(a_ready_node("a", labels={label: value}), a_ready_node("b"))

                expect((label, answer.reason)).to(equal((label, "control-plane-node")))

    with it("passes a node whose label says that it is of no control plane"):
        labels = {"node-role.kubernetes.io/master": "false"}

        expect(tainting(a_ready_node("a", labels=labels), a_ready_node("b")).reason).to(equal(""))

    with it("refuses a node on which an API server runs, whatever its labels"):
        manifest = a_ready_node("a").manifest
        addresses = [{"type": "InternalIP", "address": "10.0.0.7"}]
        node = Node({**manifest, "status": {**manifest["status"], "addresses": addresses}})
        refused = tainting(node, a_ready_node("b"), api_servers=("10.0.0.6", "10.0.0.7"))

        expect(refused.reason).to(equal("control-plane-node"))
        expect(refused.words).to(contain("runs an API server, at 10.0.0.7"))
        expect(tainting(node, a_ready_node("b"), api_servers=("10.0.0.6",)).reason).to(equal(""))

    with it("lets a person allow the control plane"):
        labels = {"node-role.kubernetes.io/control-plane": ""}
        node = a_ready_node("a", labels=labels)

        expect(tainting(node, a_ready_node("b"), allow_control_plane=True).reason).to(equal(""))
        expect(tainting(node, allow_control_plane=True).reason).to(equal("last-node"))

    with it("refuses the last one that takes pods"):
        for other in (
            a_ready_node("b", ready="False"),
            a_ready_node("b", ready="Unknown"),
            a_ready_node("b", spec=CORDONED),
            tainted("b", TAINT),
        ):
            expect(tainting(a_ready_node("a"), other).reason).to(equal("last-node"))
        expect(tainting(a_ready_node("a")).reason).to(equal("last-node"))

    with it("lets a person allow the last one, also the only one of the control plane"):
        labels = {"node-role.kubernetes.io/control-plane": ""}
        node = a_ready_node("a", labels=labels)
        both = {"allow_last_node": True, "allow_control_plane": True}

        expect(tainting(node, allow_last_node=True).reason).to(equal("control-plane-node"))
        expect(tainting(node, **both).reason).to(equal(""))
        expect(tainting(a_ready_node("a"), allow_last_node=True).reason).to(equal(""))

    with it("passes what keeps no pod away, on the only node of the control plane too"):
        labels = {"node-role.kubernetes.io/control-plane": ""}
        soft = Contains(keeps_pods_away=False)

        expect(tainting(a_ready_node("a", labels=labels), reaction=soft).reason).to(equal(""))

    with it("counts a node that only would rather not take pods"):
        expect(tainting(a_ready_node("a"), tainted("b", SOFT)).reason).to(equal(""))

    with it("counts another node of the same pool, and none of another pool"):
        pool = of_pool("a1", "a")

        expect(tainting(pool, of_pool("a2", "a"), of_pool("b1", "b")).reason).to(equal(""))
        expect(tainting(pool, of_pool("b1", "b")).reason).to(equal("last-node"))
        expect(tainting(pool, a_ready_node("c")).reason).to(equal(""))
        expect(tainting(a_ready_node("c"), pool).reason).to(equal("last-node"))

    with it("counts no node with a condition that both have"):
        pressure = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}

        expect(tainting(tainted("a", pressure), tainted("b", pressure)).reason).to(
            equal("last-node")
        )

    with it("counts no node that the playbook contained, where it contains one again"):
        expect(tainting(tainted("a", OURS), tainted("b", OURS)).reason).to(equal("last-node"))

    with it("asks nothing about pods"):
        cluster = InMemoryCluster()
        LastNodes(cluster, Contains()).of_action(Case(an_alert(), NOW), an_action(a_pod()))

        expect(cluster.calls).to(be_empty)
