"""Tainting nodes: real ones with NoSchedule and a key of the specs' own only, which is taken off
again; everything else happens to Node objects that no machine stands behind."""

import threading
from functools import partial

from expects import be_above, be_none, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.errors import Conflict
from playbooks.core.outcome import Status
from playbooks.engines import retrying
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from specs.support.cluster.nodes import a_ready_node
from specs.support.cluster.real_cluster import (
    a_fake_node,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    any_control_plane,
    create,
    delete,
    delete_namespace,
    is_ready,
    responder,
    running_pod,
    stored,
    untainted,
    untainted_at_the_end,
)
from specs.support.conditions import CLUSTER, Condition, not_run_unless
from specs.support.processes import eventually

WRITERS = 3
ROUNDS = 12


def taints_of(node, prefix="falco-spec/"):
    found = stored("node", node)["spec"].get("taints") or ()
    return [taint for taint in found if taint["key"].startswith(prefix)]


class Writer:
    """Somebody else who adds and removes taints of its own, one at a time."""

    def __init__(self, node, number):
        self._cluster, self._node = KubernetesCluster(), node
        self._prefix = f"falco-spec/writer-{number}"
        self.conflicts = 0
        self.left = [f"{self._prefix}.{n}" for n in range(ROUNDS) if n % 2]

    def write(self):
        for number in range(ROUNDS):
            key = f"{self._prefix}.{number}"
            added = {"key": key, "value": "theirs", "effect": "NoSchedule"}
            self._change(lambda taints, added=added: [*taints, added])
            if key not in self.left:
                self._change(lambda taints, key=key: [t for t in taints if t["key"] != key])

    def _change(self, changed):
        while True:
            node = self._cluster.node(self._node)
            try:
                return self._cluster.patch_node(node, spec={"taints": changed(node.taints)})
            except Conflict:
                self.conflicts += 1


def unscheduled(name, namespace, node):
    """What the scheduler says of a new pod that may run on this node only."""
    here = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [here]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    create(a_pod_manifest(name, namespace, affinity=affinity))

    def message():
        conditions = stored("pod", name, namespace)["status"].get("conditions") or ()
        found = [c for c in conditions if c["type"] == "PodScheduled" and c["status"] != "True"]
        assert found, f"the scheduler did not refuse {name}"
        return found[0]["message"]

    return eventually(message)


with description("Tainting a node whose taints others change at the same time") as self:
    with before.all:
        self.namespace, self.node = a_namespace(), a_fake_node()
        self.pod = create(a_pod_manifest("bound", self.namespace, nodeName=self.node))[0]
        self.writers = [Writer(self.node, number) for number in range(WRITERS)]
        threads = [threading.Thread(target=writer.write) for writer in self.writers]
        for thread in threads:
            thread.start()
        self.outcomes = [
            retrying.answer(
                partial(
                    responder("taint", TAINT_KEY=f"falco-spec/ours-{number}").answer,
                    alert_about(self.pod),
                ),
                seconds=30,
            )
            for number in range(ROUNDS)
        ]
        for thread in threads:
            thread.join(60)

    with after.all:
        delete_namespace(self.namespace)
        delete("node", self.node)

    with it("adds every taint that it says it added"):
        expect({outcome.reason for outcome in self.outcomes}).to(equal({"tainted"}))
        ours = [t for t in taints_of(self.node) if t["key"].startswith("falco-spec/ours-")]
        expect(len(ours)).to(equal(ROUNDS))
        expect({t["value"] for t in ours}).to(equal({"true"}))

    with it("keeps every taint that others added and brings none back that they removed"):
        theirs = {t["key"] for t in taints_of(self.node, "falco-spec/writer-")}
        expect(theirs).to(equal({key for writer in self.writers for key in writer.left}))

    with it("was in their way, so that this shows something"):
        expect(sum(writer.conflicts for writer in self.writers)).to(be_above(0))

    with it("is done when it is asked again"):
        again = answer("taint", alert_about(self.pod), TAINT_KEY="falco-spec/ours-0")

        expect(again.reason).to(equal("already-tainted"))


with description("Tainting a node with NoExecute") as self:
    with before.all:
        self.namespace, self.node = a_namespace(), a_fake_node()
        tolerations = [{"key": "falco-spec/evict", "operator": "Exists"}]
        self.pod, self.tolerant = create(
            a_pod_manifest("evicted", self.namespace, nodeName=self.node),
            a_pod_manifest("tolerant", self.namespace, nodeName=self.node, tolerations=tolerations),
        )
        settings = {"TAINT_KEY": "falco-spec/evict", "TAINT_EFFECT": "NoExecute"}
        self.outcome = answer("taint", alert_about(self.pod), **settings)

    with after.all:
        delete_namespace(self.namespace)
        delete("node", self.node)

    with it("says what it added"):
        said = f"added taint falco-spec/evict=true:NoExecute to node {self.node}"
        expect(self.outcome.message).to(equal(said))

    with it("has the pods there evicted"):

        def evicted():
            pod = stored("pod", "evicted", self.namespace)
            conditions = pod["status"].get("conditions") or ()
            assert "deletionTimestamp" in pod["metadata"], "the pod is not being deleted"
            return [c["reason"] for c in conditions if c["type"] == "DisruptionTarget"]

        expect(eventually(evicted)).to(contain("DeletionByTaintManager"))

    with it("leaves those that tolerate the taint"):
        found = stored("pod", "tolerant", self.namespace)
        expect(found["metadata"].get("deletionTimestamp")).to(be_none)


with description("Tainting the real node of a running pod") as self:
    with before.all:
        self.namespace = a_namespace()
        self.key = f"falco-spec/{self.namespace}"
        create(a_pod_manifest("web", self.namespace))
        self.pod = running_pod("web", self.namespace)
        self.node = self.pod["spec"]["nodeName"]
        untainted_at_the_end(self.node, self.key)
        try:
            self.others = taints_of(self.node, "")
            # So that the real one is not the last.
            self.another = a_ready_node()
            # The API server of the specs' cluster may run on its only node.
            allowed = {"ALLOW_CONTROL_PLANE": "true", "TAINT_KEY": self.key}
            self.outcome = answer("taint", alert_about(self.pod), **allowed)
            self.taints = taints_of(self.node, "")
            self.newcomer = unscheduled("newcomer", self.namespace, self.node)
        finally:
            untainted(self.node, self.key)

    with after.all:
        untainted(self.node, self.key)
        delete("node", self.another)
        delete_namespace(self.namespace)

    with it("adds the taint to those that are there"):
        ours = {"key": self.key, "value": "true", "effect": "NoSchedule"}
        expect(self.outcome.status).to(equal(Status.ACTED))
        expect([t for t in self.taints if t["key"] != self.key]).to(equal(self.others))
        expect(self.taints).to(contain(ours))

    with it("keeps a new pod without a toleration away"):
        expect(self.newcomer).to(contain("untolerated taint"))

    with it("leaves the pods that run"):
        expect(is_ready(stored("pod", "web", self.namespace))).to(equal(True))

    with it("keeps them away no longer when the taint is taken off"):
        expect(is_ready(running_pod("newcomer", self.namespace))).to(equal(True))


with description("Tainting the host of an alert about a process of the host") as self:
    with before.all:
        self.node = a_fake_node()
        self.alert = alert_about(
            {"metadata": {"name": "", "namespace": "", "uid": ""}, "spec": {}},
            hostname=self.node,
            fields={"container.id": "host"},
        )

    with after.all:
        delete("node", self.node)

    with it("happens only when it is asked for"):
        expect(answer("taint", self.alert, TAINT_KEY="falco-spec/host").reason).to(
            equal("host-alert")
        )
        expect(taints_of(self.node)).to(equal([]))

    with it("adds the taint where it is"):
        outcome = answer("taint", self.alert, TAINT_KEY="falco-spec/host", TAINT_HOST="true")

        expect(outcome.reason).to(equal("tainted"))
        expect([t["key"] for t in taints_of(self.node)]).to(equal(["falco-spec/host"]))


not_run_unless(CLUSTER, globals())
if CLUSTER.holds:
    not_run_unless(
        Condition(not any_control_plane(), "a node of the control plane is never tainted"),
        globals(),
        title="the real node",
    )
