from expects import be_empty, contain, equal, expect
from mamba import description, it

from playbooks.core.cluster.network_policy import isolating
from playbooks.core.errors import NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.engines.local import target as module
from playbooks.testing import OTHER_UID, UID, InMemoryCluster, a_node, a_pod, a_policy

TAINT = {"key": "falco/alert", "value": "true", "effect": "NoSchedule"}


def rows(cluster, target, **details):
    return module.of_cluster(cluster, [Outcome.acted(target, "done", "done", **details)])


with description("What a cluster looks like afterwards") as self:
    with it("has the pod that is gone"):
        expect(rows(InMemoryCluster(), "pod shop/web-0", uid=UID)).to(
            equal([("pod", "shop/web-0", "gone")])
        )

    with it("does not take the next pod of that name for it"):
        ((_, _, state),) = rows(InMemoryCluster(a_pod(uid=OTHER_UID)), "pod shop/web-0", uid=UID)

        expect(state).to(equal("gone; another one has its name"))

    with it("has the pod that is still terminating"):
        pod = a_pod(metadata={"deletionTimestamp": "2026-01-02T03:05:00Z"})
        ((_, _, state),) = rows(InMemoryCluster(pod), "pod shop/web-0", uid=UID)

        expect(state).to(equal("terminating, until 2026-01-02T03:05:00Z"))

    with it("has all taints of a node"):
        cluster = InMemoryCluster(a_node(taints=[{"key": "a", "effect": "NoExecute"}, TAINT]))

        expect(rows(cluster, "node node-1")).to(
            equal([("node", "node-1", "taints a:NoExecute, falco/alert=true:NoSchedule")])
        )

    with it("has the policy of an isolated pod"):
        policy = isolating(a_pod(), ("Ingress", "Egress"))
        cluster = InMemoryCluster(a_pod(), policy)
        found = rows(cluster, "pod shop/web-0", uid=UID, policy=policy["metadata"]["name"])

        expect(found[1][2]).to(equal("no ingress and no egress for pod web-0"))

    with it("says what a policy lets through"):
        policy = a_policy(ingress=[{}], policyTypes=["Ingress", "Egress"])

        expect(module.policy_row(policy)[2]).to(equal("some ingress and no egress for pods"))

    with it("says so where something cannot be read again"):
        cluster = InMemoryCluster()
        cluster.failures["node"] = [NotPermitted("may not")]
        ((_, _, state),) = rows(cluster, "node node-1")

        expect(state).to(contain("could not be read again: may not"))

    with it("has nothing of other targets"):
        expect(rows(InMemoryCluster(), "Slack")).to(be_empty)
