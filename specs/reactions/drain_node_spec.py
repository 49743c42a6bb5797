from functools import partial

from expects import be_a, be_empty, be_none, contain, equal, expect, have_key
from mamba import before, description, it

from playbooks import drain
from playbooks.core.containment.cordoning import Draining
from playbooks.core.containment.expiry import expiry
from playbooks.core.containment.undo import Undo
from playbooks.core.errors import Conflict, Refused, Throttled
from playbooks.core.instant import after
from playbooks.core.outcome import Status
from playbooks.deployment.manifests import admission_policies
from playbooks.engines import retrying
from playbooks.engines.worker.work.verdict import Wait, verdict
from playbooks.testing import (
    NOW,
    OWNER_UID,
    FakeOwnPod,
    FixedClock,
    InMemoryCluster,
    a_host_alert,
    a_namespace,
    a_pod,
    a_ready_node,
    a_static_pod,
    an_alert,
    some_collaborators,
)

BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."
DAEMON_SET = {
    "kind": "DaemonSet",
    "metadata": {"name": "agent", "namespace": "shop", "uid": OWNER_UID},
    "spec": {"selector": {"matchLabels": {"app": "web"}}},
    "status": {"desiredNumberScheduled": 2},
}


def beside(name="web-1", **changes):
    """Another pod of the node."""
    return a_pod(name, uid=f"uid-of-{name}", statuses=[], **changes)


def cluster_of(*pods, nodes=None):
    return InMemoryCluster(
        a_pod(), *pods, *(nodes or (a_ready_node(), a_ready_node("node-2"), a_ready_node("node-3")))
    )


def responder(cluster, now=NOW, **given):
    collaborators = some_collaborators(
        cluster, own_pod=FakeOwnPod(node="node-3"), clock=FixedClock(now)
    )
    return drain.playbook.responder(given, collaborators)


def answer(cluster, alert=None, *, now=NOW, **given):
    return responder(cluster, now, MAX_ALERT_AGE="off", **given).answer(alert or an_alert())


def node_of(cluster, name="node-1"):
    return cluster.known_nodes[name]


def names(cluster):
    return [name for _, name in cluster.pods]


def undo(cluster):
    return Undo(Draining, cluster, [cluster.ledger], lambda *_: None).undo("node-1")


with description("Draining a node") as self:
    with before.each:
        self.cluster = cluster_of(beside(), beside("elsewhere", node="node-2"))

    with it("cordons the node of the proven pod and evicts its pods, the alert's too"):
        outcome = answer(self.cluster)

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "drained")))
        expect(outcome.message).to(equal("drained node node-1: 2 pods evicted"))
        expect(outcome.details["undo"]).to(equal("falco-playbook undo node/node-1 -A"))
        expect(node_of(self.cluster).unschedulable).to(equal(True))
        expect(names(self.cluster)).to(equal(["elsewhere"]))

    with it("cordons before it evicts"):
        answer(self.cluster)

        expect(self.cluster.writes).to(equal(["patch_node", "evict_pod", "evict_pod"]))

    with it("keeps of what it evicts no more than what names it, as it was read"):
        evict, evicted = self.cluster.evict_pod, []
        self.cluster.evict_pod = lambda pod: [evicted.append(pod), evict(pod)]
        answer(self.cluster)
        kept = {"name", "namespace", "uid", "resourceVersion"}

        expect([set(pod.manifest["metadata"]) - kept for pod in evicted]).to(equal([set(), set()]))
        expect([list(pod.manifest) for pod in evicted]).to(equal([["metadata"], ["metadata"]]))

    with it("says in a dry run what would go"):
        outcome = answer(self.cluster, DRY_RUN="true")

        expect(outcome.message).to(
            equal("would drain node node-1: evict pod shop/web-0, pod shop/web-1")
        )
        expect(self.cluster.writes).to(be_empty)

    with it("is done already where nothing is left to go"):
        answer(self.cluster)
        self.cluster.put(a_pod(owner="DaemonSet/agent"))
        self.cluster.put(DAEMON_SET)

        expect(answer(self.cluster).reason).to(equal("already-drained"))

    with it("evicts what somebody put there since"):
        answer(self.cluster)
        self.cluster.put(a_pod())

        expect(answer(self.cluster).message).to(equal("drained node node-1: 3 pods evicted"))

    with it("evicts a pod that was written meanwhile"):
        self.cluster.failures["evict_pod"] = [Conflict("written")]

        expect(answer(self.cluster).message).to(equal("drained node node-1: 2 pods evicted"))

    with it("answers a host alert where it may"):
        expect(answer(self.cluster, a_host_alert()).message).to(contain("DRAIN_HOST is false"))
        expect(answer(self.cluster, a_host_alert(), DRAIN_HOST="true").reason).to(equal("drained"))

with description("A drain leaves") as self:
    with it("static pods, and those of a DaemonSet that is there"):
        static = a_static_pod(name="etcd", uid="s")
        cluster = cluster_of(static, beside(owner="DaemonSet/agent"))
        cluster.put(DAEMON_SET)
        outcome = answer(cluster)

        expect(outcome.details["stay"]).to(
            equal(
                {
                    "pod shop/etcd": "it is a static pod",
                    "pod shop/web-1": "it belongs to DaemonSet agent",
                }
            )
        )
        expect(outcome.message).to(contain("1 pod evicted; stays: pod shop/etcd (it is a static"))

    with it("no pod that only says that it is of a DaemonSet"):
        cluster = cluster_of(beside(owner="DaemonSet/agent"))
        answer(cluster)

        expect(names(cluster)).to(be_empty)

    with it("pods of namespaces that are protected, exempt, or none of NAMESPACES"):
        exempt = {
            "falco/exempt": "drain",
            "falco/exempt-until": str(after(NOW, 3600)),
        }
        cluster = cluster_of(
            beside("dns", namespace="kube-system"),
            beside("fragile", namespace="bank"),
            beside("other", namespace="depot"),
        )
        cluster.put(a_namespace("bank", exempt))
        outcome = answer(cluster, NAMESPACES="shop,bank*,kube-*")

        expect(sorted(outcome.details["stay"])).to(
            equal(["pod bank/fragile", "pod depot/other", "pod kube-system/dns"])
        )
        expect(names(cluster)).to(equal(["fragile", "other", "dns"]))

    with it("the last node that takes pods, and its own"):
        alone = cluster_of(nodes=[a_ready_node()])
        own = cluster_of()
        collaborators = some_collaborators(own, own_pod=FakeOwnPod(node="node-1"))

        expect(answer(alone).reason).to(equal("last-node"))
        expect(drain.playbook.responder({}, collaborators).answer(an_alert()).reason).to(
            equal("own-node")
        )
        expect(alone.writes + own.writes).to(be_empty)

with description("A drain that a PodDisruptionBudget holds up") as self:
    with before.each:
        self.cluster = cluster_of(beside())
        self.cluster.failures["evict_pod"] = [Throttled(BUDGET)]
        self.outcome = answer(self.cluster)

    with it("waits without holding a place, and says how far it is"):
        expect((self.outcome.status, self.outcome.reason)).to(equal((Status.SKIPPED, "draining")))
        expect((self.outcome.held, self.outcome.waits)).to(equal((True, 5.0)))
        expect(self.outcome.message).to(
            equal(f"draining node node-1: 1 pod evicted, 1 to go: pod shop/web-0; {BUDGET}")
        )
        expect(self.outcome.details["left"]).to(equal(["pod shop/web-0"]))
        expect(self.outcome.details["first"]).to(equal(True))
        expect(node_of(self.cluster).unschedulable).to(equal(True))

    with it("costs a worker no delivery, and holds no place of another alert"):
        decided = verdict(self.outcome, delivery=1, most=5)

        expect(decided).to(be_a(Wait))
        expect(decided.delay).to(equal(5.0))

    with it("goes on where it is asked again, and counts on"):
        outcome = answer(self.cluster, now=after(NOW, 5))

        expect((outcome.reason, outcome.message)).to(
            equal(("drained", "drained node node-1: 2 pods evicted"))
        )
        expect(self.cluster.writes.count("patch_node")).to(equal(1))

    with it("tells people once that it waits"):
        self.cluster.failures["evict_pod"] = [Throttled(BUDGET)]

        expect(answer(self.cluster, now=after(NOW, 5)).details["first"]).to(equal(False))

    with it("goes on also once the alert's own pod is gone, for this alert and no other"):
        cluster = cluster_of(beside())
        cluster.failures["evict_pod"] = []
        refused = []

        def evict(pod, evict_pod=cluster.evict_pod):
            if pod.name == "web-1" and not refused:
                refused.append(pod)
                raise Throttled(BUDGET)
            evict_pod(pod)

        cluster.evict_pod = evict
        waiting = answer(cluster)
        other = answer(cluster, an_alert(rule="Another"), now=after(NOW, 5))
        outcome = answer(cluster, now=after(NOW, 5))

        expect((waiting.reason, waiting.details["left"])).to(
            equal(("draining", ["pod shop/web-1"]))
        )
        expect(other.reason).to(equal("pod-gone"))
        expect((outcome.reason, outcome.message)).to(
            equal(("drained", "drained node node-1: 2 pods evicted"))
        )
        expect(answer(cluster, now=after(NOW, 10)).reason).to(equal("pod-gone"))

    with it("is done where the rest is gone once it is asked again"):
        self.cluster.remove("Pod", "web-0")

        expect(answer(self.cluster, now=after(NOW, 5)).message).to(
            equal("drained node node-1: 1 pod evicted")
        )
        expect(answer(self.cluster, now=after(NOW, 10)).reason).to(equal("pod-gone"))

    with it("has its time anew where a person has it tried again"):
        self.cluster.failures["evict_pod"] = [Throttled(BUDGET)] * 2
        failed = answer(self.cluster, now=after(NOW, 600))

        expect(failed.reason).to(equal("drain-incomplete"))
        expect(answer(self.cluster, now=after(NOW, 700)).reason).to(equal("draining"))

    with it("is finished within the time of an engine that cannot ask again later"):
        self.cluster.failures["evict_pod"] = [Throttled(BUDGET)]
        slept = []
        ask = partial(responder(self.cluster).answer, an_alert())
        outcome = retrying.answer(ask, seconds=30, sleep=slept.append)

        expect((outcome.reason, slept)).to(equal(("drained", [5.0])))

    with it("fails after DRAIN_TIMEOUT, and says what is left"):
        self.cluster.failures["evict_pod"] = [Refused(BUDGET)]
        outcome = answer(self.cluster, now=after(NOW, 600))

        expect((outcome.status, outcome.reason)).to(equal((Status.FAILED, "drain-incomplete")))
        expect(outcome.message).to(contain("not drained after 10m", "stays cordoned", BUDGET))
        expect(outcome.details["retryable"]).to(equal(False))

    with it("ends where a person undoes it, or uncordons the node"):
        self.cluster.patch_node(node_of(self.cluster), spec={"unschedulable": None})

        expect(answer(self.cluster, now=after(NOW, 5)).reason).to(equal("changed-since"))
        expect(node_of(self.cluster).unschedulable).to(equal(False))

    with it("does not stop another alert from draining the node that somebody uncordoned"):
        self.cluster.patch_node(node_of(self.cluster), spec={"unschedulable": None})
        later = an_alert(time=str(after(NOW, 60)))

        expect(answer(self.cluster, later, now=after(NOW, 61)).reason).to(equal("drained"))

    with it("waits for pods that take their time to end"):
        going = {"deletionTimestamp": "2026-01-02T03:05:00Z", "finalizers": ["x/y"]}
        cluster = cluster_of(nodes=None)
        cluster.put(a_pod(metadata=going))

        expect(answer(cluster).message).to(
            equal("draining node node-1: 0 pods evicted, 1 to go: pod shop/web-0")
        )

with description("A drained node") as self:
    with before.each:
        self.cluster = cluster_of()
        answer(self.cluster, DRAIN_TTL="1h")

    with it("is uncordoned when a person undoes it"):
        expect(undo(self.cluster).message).to(equal("node node-1: uncordoned"))
        expect(node_of(self.cluster).unschedulable).to(equal(False))
        expect(node_of(self.cluster).annotations.get("falco/drained")).to(be_none)
        expect(self.cluster.ledger.contained()).to(be_empty)

    with it("is uncordoned when its time is over"):
        collaborators = some_collaborators(self.cluster, clock=FixedClock(after(NOW, 3600)))
        (outcome,) = expiry(drain.playbook, {"DRAIN_TTL": "1h"}, collaborators).once()

        expect(outcome.reason).to(equal("uncordoned"))
        expect(node_of(self.cluster).unschedulable).to(equal(False))

    with it("counts towards MAX_NODES"):
        self.cluster.put(a_pod(node="node-2"))

        expect(answer(self.cluster).reason).to(equal("node-limit"))

    with it("stays cordoned where somebody else had cordoned it before"):
        theirs = a_ready_node(spec={"unschedulable": True})
        cluster = cluster_of(nodes=[theirs, a_ready_node("node-2")])

        expect(answer(cluster).reason).to(equal("drained"))
        expect(undo(cluster).message).to(equal("node node-1: it stays cordoned, as it was before"))
        expect(node_of(cluster).unschedulable).to(equal(True))
        expect(dict(node_of(cluster).annotations)).not_to(have_key("falco/drained"))

with description("The account of the playbook that drains") as self:
    with it("evicts by uid, and in no protected namespace"):
        nodes, evictions, *_ = admission_policies.of(drain.playbook)
        said = [rule["message"] for rule in evictions.manifests()[0]["spec"]["validations"]]

        expect([nodes.name, evictions.name]).to(
            equal(["falco-playbook-drain-nodes", "falco-playbook-drain-pods-eviction"])
        )
        expect(said[0]).to(equal("the drain playbook evicts a pod with its uid as precondition"))
        expect(said).to(
            contain("the drain playbook changes nothing in a namespace of PROTECTED_NAMESPACES")
        )
