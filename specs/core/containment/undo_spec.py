import json

from expects import be_empty, be_none, contain, equal, expect, raise_error
from mamba import before, description, it

from playbooks.core.cluster.conflicts import ATTEMPTS
from playbooks.core.cluster.network_policy import NOTHING
from playbooks.core.cluster.node import Node
from playbooks.core.containment.isolation import Isolation
from playbooks.core.containment.lifetime import Lifetime
from playbooks.core.containment.tainting import Tainting
from playbooks.core.containment.undo import Undo
from playbooks.core.errors import Conflict, NotFound, Refused
from playbooks.core.outcome import Status
from playbooks.core.proof import Proof
from playbooks.reactions.isolate_pod import IsolatePod
from playbooks.reactions.nodes.taint_node import TaintNode
from playbooks.testing import (
    NOW,
    UID,
    FixedClock,
    InMemoryCluster,
    a_node,
    a_pod,
    a_policy,
    a_replica_controller,
    an_alert,
)
from specs.support.long_lists import too_many_policies

NAME = f"falco-isolate-{UID}"
LABELS = {"app": "web", "pod-template-hash": "abc", "team": "blue"}
SELECTOR = {"app": "web", "pod-template-hash": "abc"}
THEIRS = {"key": "theirs", "value": "a", "effect": "NoSchedule"}


def an_isolated(*, detach=False, ttl=None, present=1, refused=0):
    """A cluster with a replica that was isolated, and the pod as it was before. ``refused``: so
    many patches."""
    pod = a_pod(owner="ReplicaSet/web", metadata={"labels": LABELS, "annotations": {"kept": "1"}})
    cluster = InMemoryCluster(pod, a_policy("theirs"))
    cluster.put(a_replica_controller(labels=SELECTOR, present=present))
    cluster.failures["patch_pod"] = [Refused("no label comes off")] * refused
    proof = Proof(cluster, FixedClock(), identity="strict", namespaces=())
    settings = {"direction": "both", "reachable": NOTHING, "detach": detach}
    IsolatePod(cluster, cluster.ledger, proof, Lifetime(FixedClock(), ttl), **settings).run(
        an_alert()
    )
    cluster.calls.clear()
    return cluster, pod


def a_tainted(*, effect="NoSchedule", cluster=None):
    node = a_node(taints=[THEIRS])
    cluster = cluster or InMemoryCluster(a_pod(), node)
    proof = Proof(cluster, FixedClock(), identity="strict", namespaces=())
    settings = {"key": "falco/alert", "value": "true", "effect": effect, "host": False}
    TaintNode(cluster, cluster.ledger, proof, Lifetime(FixedClock()), **settings).run(an_alert())
    cluster.calls.clear()
    return cluster, node


def undo(cluster, what="pod", *, force=False, exempted=None):
    exempt = (lambda *given: exempted.append(given)) if exempted is not None else lambda *_: None
    if what == "node":
        return Undo(Tainting, cluster, [cluster.ledger], exempt, force=force).undo("node-1")
    return Undo(Isolation, cluster, [cluster.ledger], exempt, force=force).undo(
        "web-0", namespace="shop"
    )


def written(pod, **metadata):
    manifest = json.loads(json.dumps(pod.manifest))
    manifest["metadata"].update(metadata)
    return type(pod)(manifest)


def without_version(thing):
    manifest = json.loads(json.dumps(thing.manifest))
    del manifest["metadata"]["resourceVersion"]
    kept = {key: value for key, value in manifest["metadata"].items() if value not in ({}, [])}
    return {**manifest, "metadata": kept}


def the_pod(cluster):
    return cluster.pods["shop", "web-0"]


def edit_policy(cluster):
    policy = cluster.policies[NAME]
    cluster.put({**policy, "spec": {**policy["spec"], "policyTypes": ["Ingress"]}})


def edit_labels(cluster, **labels):
    pod = the_pod(cluster)
    cluster.put(written(pod, labels={**pod.labels, **labels}))


with description("Undoing an isolation") as self:
    with description("of a pod that was not detached") as self:
        with before.each:
            self.cluster, self.pod = an_isolated()
            self.exempted = []
            self.outcome = undo(self.cluster, exempted=self.exempted)

        with it("gives back the pod as it was, and takes away the policy and no other"):
            expect(without_version(the_pod(self.cluster))).to(equal(without_version(self.pod)))
            expect(list(self.cluster.policies)).to(equal(["theirs"]))

        with it("takes two writes, the pod's first"):
            expect(self.cluster.writes).to(equal(["patch_pod", "delete_network_policy"]))

        with it("says what it did"):
            expect((self.outcome.status, self.outcome.reason)).to(equal((Status.ACTED, "undone")))
            expect(self.outcome.message).to(
                equal(f"pod shop/web-0 is released; NetworkPolicy {NAME} deleted")
            )

        with it("exempts the pod by its uid, once"):
            expect(self.exempted).to(equal([(UID, "pod shop/web-0")]))

        with it("has nothing to undo when it is asked again, and exempts nothing"):
            again = undo(self.cluster, exempted=self.exempted)

            expect(again.reason).to(equal("nothing-to-undo"))
            expect(len(self.exempted)).to(equal(1))

    with it("finds the policy by its name among more than can be read"):
        cluster, pod = an_isolated()
        too_many_policies(cluster)

        expect(undo(cluster).message).to(contain(f"NetworkPolicy {NAME} deleted"))
        expect(list(cluster.policies)).to(equal(["theirs"]))

    with it("exempts the pod before it changes anything"):
        cluster, _ = an_isolated()

        def fails(*_):
            raise Conflict("the ledger is being written")

        expect(
            lambda: Undo(Isolation, cluster, [cluster.ledger], fails).undo(
                "web-0", namespace="shop"
            )
        ).to(raise_error(Conflict))
        expect(cluster.writes).to(be_empty)

    with description("of a pod that was detached"):
        with it("changes nothing where a ReplicaSet has replaced it, and names the choices"):
            cluster, _ = an_isolated(detach=True)
            exempted = []
            outcome = undo(cluster, exempted=exempted)

            expect((outcome.status, outcome.reason)).to(equal((Status.SKIPPED, "replaced")))
            expect(outcome.message).to(
                contain(
                    "ReplicaSet web has replaced it",
                    "kubectl delete pod web-0 -n shop",
                    "keep it isolated",
                    "nothing was changed",
                )
            )
            expect(cluster.writes).to(be_empty)
            expect(exempted).to(be_empty)

        with it("kills no other pod even when it is forced"):
            cluster, _ = an_isolated(detach=True)

            expect(undo(cluster, force=True).reason).to(equal("replaced"))
            expect(cluster.writes).to(be_empty)

        with it("puts the labels back where a place is free"):
            cluster, pod = an_isolated(detach=True, present=0)
            outcome = undo(cluster)

            expect(outcome.message).to(contain("labels app, pod-template-hash put back"))
            expect(without_version(the_pod(cluster))).to(equal(without_version(pod)))

        with it("puts them back where nothing selects it any more"):
            cluster, pod = an_isolated(detach=True)
            cluster.remove("ReplicaSet", "web")
            undo(cluster)

            expect(the_pod(cluster).labels).to(equal(pod.labels))

    with it("is done where the API refused to take labels off: nobody put these back"):
        cluster, _ = an_isolated(detach=True, ttl=3600, refused=2)

        expect(undo(cluster).reason).to(equal("undone"))
        expect(the_pod(cluster).labels).to(equal(LABELS))

    with description("that somebody changed since"):
        with it("is refused where the policy was edited"):
            cluster, _ = an_isolated()
            edit_policy(cluster)
            outcome = undo(cluster)

            expect(outcome.reason).to(equal("changed-since"))
            expect(outcome.message).to(contain(f"NetworkPolicy {NAME} was edited", "--force"))
            expect(cluster.writes).to(be_empty)

        with it("is refused where labels were put back"):
            cluster, _ = an_isolated(detach=True)
            edit_labels(cluster, app="web")

            expect(undo(cluster).message).to(contain("labels app were put back"))
            expect(cluster.writes).to(be_empty)

        with it("is refused where our label or an annotation was edited"):
            label, _ = an_isolated()
            edit_labels(label, **{"falco/isolated": "another"})
            note, _ = an_isolated()
            pod = the_pod(note)
            changed = {**pod.annotations, "falco/detached-labels": "{"}
            note.put(written(pod, annotations=changed))

            expect(undo(label).message).to(contain("label falco/isolated was edited"))
            expect(undo(note, force=False).reason).to(equal("undone"))

    with description("that somebody forged"):
        with before.each:
            forged = {"falco/detached-labels": '{"admin": "yes"}', "falco/until": str(NOW)}
            pod = a_pod(metadata={"labels": {"falco/isolated": UID}, "annotations": forged})
            self.cluster = InMemoryCluster(pod)

        with it("puts no label on the pod that the ledger does not know"):
            outcome = undo(self.cluster)

            expect(outcome.reason).to(equal("not-in-ledger"))
            expect(outcome.message).to(contain("--force", 'falco/detached-labels={"admin": "yes"}'))
            expect(self.cluster.writes).to(be_empty)

        with it("goes by what stands on the pod only where it is forced, as for earlier versions"):
            expect(undo(self.cluster, force=True).reason).to(equal("undone"))
            expect(the_pod(self.cluster).labels).to(equal({"admin": "yes"}))

        with it("says so where nobody can read what stands on the pod"):
            pod = a_pod(metadata={"annotations": {"falco/detached-labels": "[" * 100_000}})
            outcome = undo(InMemoryCluster(pod))

            expect(outcome.reason).to(equal("not-in-ledger"))

        with it("puts back what was taken off, whatever somebody wrote on the pod since"):
            cluster, pod = an_isolated(detach=True, present=0)
            forged = {**the_pod(cluster).annotations, "falco/detached-labels": '{"admin": "yes"}'}
            cluster.put(written(the_pod(cluster), annotations=forged))
            undo(cluster)

            expect(the_pod(cluster).labels).to(equal(pod.labels))

        with it("is done when it is forced"):
            cluster, pod = an_isolated()
            edit_policy(cluster)

            expect(undo(cluster, force=True).reason).to(equal("undone"))
            expect(list(cluster.policies)).to(equal(["theirs"]))
            expect(the_pod(cluster).labels).to(equal(pod.labels))

        with it("leaves labels as they were put back when it is forced"):
            cluster, _ = an_isolated(detach=True, present=0)
            edit_labels(cluster, app="other")
            undo(cluster, force=True)

            expect(the_pod(cluster).labels).to(
                equal({"app": "other", "pod-template-hash": "abc", "team": "blue"})
            )

        with it("goes on where only the policy is gone already"):
            cluster, pod = an_isolated()
            cluster.remove("NetworkPolicy", NAME)
            undo(cluster)

            expect(without_version(the_pod(cluster))).to(equal(without_version(pod)))

        with it("takes away a policy that is left over"):
            cluster, pod = an_isolated()
            cluster.put(pod)

            expect(undo(cluster).reason).to(equal("undone"))
            expect(cluster.writes).to(equal(["delete_network_policy"]))

    with it("keeps what somebody else writes on the pod at the same time"):
        cluster, _ = an_isolated()
        cluster.failures["patch_pod"] = [Conflict("written")]

        expect(undo(cluster).reason).to(equal("undone"))
        expect(cluster.calls.count("pod")).to(equal(2))

    with it("gives up where others write all the time"):
        cluster, _ = an_isolated()
        cluster.failures["patch_pod"] = [Conflict("written")] * ATTEMPTS

        expect(lambda: undo(cluster)).to(raise_error(Conflict))

    with it("finds no pod that is gone"):
        expect(lambda: undo(InMemoryCluster())).to(raise_error(NotFound))


with description("Undoing a taint") as self:
    with before.each:
        self.cluster, self.node = a_tainted()

    def the_node(self):
        return self.cluster.known_nodes["node-1"]

    def edit_taint(self, value):
        taints = [{**t, "value": value} if t != THEIRS else t for t in self.the_node().taints]
        self.cluster.patch_node(self.the_node(), spec={"taints": taints})
        self.cluster.calls.clear()

    with it("gives back the node as it was, in one write"):
        outcome = undo(self.cluster, "node")

        expect(outcome.message).to(
            equal("node node-1: taint falco/alert=true:NoSchedule taken off")
        )
        expect(without_version(self.the_node())).to(equal(without_version(self.node)))
        expect(self.cluster.writes).to(equal(["patch_node"]))

    with it("takes off every taint of ours, of whichever effect"):
        a_tainted(effect="NoExecute", cluster=self.cluster)
        undo(self.cluster, "node")

        expect(list(self.the_node().taints)).to(equal([THEIRS]))

    with it("exempts the node by its uid"):
        manifest = {**a_node(taints=[THEIRS]).manifest}
        manifest["metadata"] = {**manifest["metadata"], "uid": "node-uid"}
        cluster, _ = a_tainted(cluster=InMemoryCluster(a_pod(), Node(manifest)))
        exempted = []
        undo(cluster, "node", exempted=exempted)

        expect(exempted).to(equal([("node-uid", "node node-1")]))

    with it("has nothing to undo when it is asked again"):
        undo(self.cluster, "node")

        expect(undo(self.cluster, "node").reason).to(equal("nothing-to-undo"))

    with it("leaves a taint of our key alone that somebody else added"):
        taint = {"key": "falco/alert", "value": "true", "effect": "NoSchedule"}
        cluster = InMemoryCluster(a_node(taints=[taint]))

        expect(undo(cluster, "node").reason).to(equal("nothing-to-undo"))
        expect(cluster.writes).to(be_empty)

    with it("is refused where somebody changed its value, unless it is forced"):
        self.edit_taint("mine")
        refused = undo(self.cluster, "node")

        expect(refused.reason).to(equal("changed-since"))
        expect(refused.message).to(contain("changed to falco/alert=mine:NoSchedule"))
        expect(self.cluster.writes).to(be_empty)
        expect(undo(self.cluster, "node", force=True).reason).to(equal("undone"))
        expect(list(self.the_node().taints)).to(equal([THEIRS]))

    with it("takes only its note off where the taint is gone already"):
        self.cluster.patch_node(self.the_node(), spec={"taints": [THEIRS]})
        outcome = undo(self.cluster, "node")

        expect(outcome.message).to(contain("its taint was gone already"))
        expect(self.the_node().annotations.get("falco/taints")).to(be_none)

    with it("keeps a taint that somebody adds at the same time"):
        self.cluster.failures["patch_node"] = [Conflict("written")]

        expect(undo(self.cluster, "node").reason).to(equal("undone"))
        expect(self.cluster.calls).to(equal(["node", "patch_node", "node", "patch_node"]))
