import json
from dataclasses import replace

from expects import be_empty, be_none, contain, equal, expect, raise_error
from mamba import before, description, it

from playbooks import delete, isolate, taint
from playbooks.core.cluster import network_policy
from playbooks.core.cluster.pod import Pod
from playbooks.core.containment.expiry import expiry
from playbooks.core.errors import (
    ClusterUnavailable,
    Conflict,
    GuardUnanswered,
    NotFound,
    NotPermitted,
)
from playbooks.core.instant import after
from playbooks.core.ledger.book import Book
from playbooks.core.outcome import Status
from playbooks.testing import (
    NOW,
    UID,
    FixedClock,
    InMemoryCluster,
    InMemoryLedger,
    a_node,
    a_pod,
    a_replica_controller,
    some_collaborators,
)
from specs.support.wired import reacted

NAME = f"falco-isolate-{UID}"
LABELS = {"app": "web", "team": "blue"}
TTL = 3600
DUE = after(NOW, TTL)
TAINT = {"key": "falco/alert", "value": "true", "effect": "NoSchedule"}


def isolated(*, detach=False, ttl="1h"):
    """A cluster in which the playbook isolated a replica's pod."""
    cluster = InMemoryCluster(a_pod(owner="ReplicaSet/web", metadata={"labels": LABELS}))
    cluster.put(a_replica_controller(labels={"app": "web"}))
    chosen = {"ISOLATE_TTL": ttl, "ISOLATE_DETACH": str(detach)}
    outcome = reacted(isolate.playbook, cluster, **chosen)
    expect(outcome.reason).to(equal("isolated"))
    cluster.calls.clear()
    return cluster


def tainted(**chosen):
    cluster = InMemoryCluster(a_pod(), a_node())
    reacted(taint.playbook, cluster, **chosen)
    cluster.calls.clear()
    return cluster


def expiry_of(playbook, cluster, *, now=DUE, ledger=None, **chosen):
    collaborators = some_collaborators(cluster, clock=FixedClock(now), ledger=ledger)
    return expiry(playbook, {playbook.reaction.TTL: "1h", **chosen}, collaborators)


def pods(cluster, **how):
    return expiry_of(isolate.playbook, cluster, **how).once()


def nodes(cluster, **how):
    return expiry_of(taint.playbook, cluster, **how).once()


def the_pod(cluster):
    return cluster.pods["shop", "web-0"]


def change_pod(cluster, **metadata):
    manifest = json.loads(json.dumps(the_pod(cluster).manifest))
    manifest["metadata"].update(metadata)
    cluster.put(Pod(manifest))


with description("An isolation for a time") as self:
    with it("is left alone before that is over"):
        cluster = isolated()

        expect(pods(cluster, now=after(NOW, TTL - 1))).to(be_empty)
        expect(cluster.calls).to(be_empty)

    with it("is left alone where it has no end"):
        cluster = isolated(ttl="off")

        expect(pods(cluster)).to(be_empty)

    with description("of an attached pod, once it is over,"):
        with before.each:
            self.cluster = isolated()
            self.outcomes = pods(self.cluster)

        with it("releases it: no policy, no label, no annotation of ours"):
            expect(self.cluster.policies).to(be_empty)
            expect(the_pod(self.cluster).labels).to(equal(LABELS))
            expect(the_pod(self.cluster).annotations).to(be_empty)

        with it("says so"):
            (outcome,) = self.outcomes

            expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "released")))
            expect(outcome.message).to(
                equal(f"pod shop/web-0 is released: its isolation ended at {DUE}")
            )

        with it("is over for every other look"):
            expect(pods(self.cluster)).to(be_empty)

    with it("deletes a detached pod once it is over"):
        cluster = isolated(detach=True)
        (outcome,) = pods(cluster)

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "deleted")))
        expect(cluster.writes).to(equal(["delete_pod"]))

    with it("leaves a pod that is being deleted to that"):
        cluster = isolated(detach=True)
        change_pod(cluster, deletionTimestamp=str(DUE))

        expect(pods(cluster)).to(be_empty)

    with description("of a pod that somebody changed since"):
        with it("is left alone, and said once"):
            cluster = isolated(detach=True)
            change_pod(cluster, labels={**the_pod(cluster).labels, "app": "web"})
            looking = expiry_of(isolate.playbook, cluster)
            (outcome,) = looking.once()

            expect((outcome.status, outcome.reason)).to(equal((Status.SKIPPED, "changed-since")))
            expect(outcome.message).to(contain("is not released", "labels app were put back"))
            expect(looking.once()).to(be_empty)
            expect(cluster.writes).to(be_empty)

        with it("is left alone where the policy was edited or is gone"):
            edited, gone = isolated(), isolated()
            edited.put({**edited.policies[NAME], "spec": {"podSelector": {}}})
            gone.remove("NetworkPolicy", NAME)

            expect(pods(edited)[0].message).to(contain(f"NetworkPolicy {NAME} was edited"))
            expect(pods(gone)[0].message).to(contain("its policy is gone"))

        with it("is left alone where somebody took our label off, and says that"):
            cluster = isolated()
            change_pod(cluster, labels={"app": "web"})

            expect(pods(cluster)[0].message).to(contain("its label falco/isolated is gone"))

        with it("is left alone where only labels say that it was isolated"):
            forged = a_pod(
                metadata={
                    "labels": {"falco/isolated": UID},
                    "annotations": {
                        "falco/until": str(NOW),
                        "falco/detached-labels": '{"app": "web"}',
                    },
                }
            )
            cluster = InMemoryCluster(forged)
            pods(cluster)

            expect(cluster.writes).to(be_empty)

    with it("is left to the next look where somebody writes the pod at the same time"):
        cluster = isolated()
        cluster.failures["patch_pod"] = [Conflict("written")]

        expect(pods(cluster)).to(be_empty)
        expect(pods(cluster)[0].reason).to(equal("released"))

    with it("is failed, and ends the others all the same, where one may not be ended"):
        cluster = isolated()
        other = json.loads(json.dumps(the_pod(cluster).manifest).replace("web-0", "web-1"))
        other["metadata"]["uid"] = "another"
        cluster.put(Pod(other))
        known = cluster.ledger.contained()[UID]
        cluster.ledger.contain(replace(known, uid="another", name="web-1"))
        cluster.failures["patch_pod"] = [NotPermitted("may not")]
        first, second = pods(cluster)

        expect((first.status, first.target)).to(equal((Status.FAILED, "pod shop/web-0")))
        expect(second.target).to(equal("pod shop/web-1"))

    with description("that the ledger does not know, or knows otherwise,"):
        with it("is not ended by what somebody wrote on the pod beforehand"):
            forged = {"falco/until": str(NOW), "falco/detached-labels": '{"a": "b"}'}
            labels = {"labels": {"falco/isolated": UID}, "annotations": forged}
            cluster = InMemoryCluster(a_pod(metadata=labels))
            policy = network_policy.isolating(a_pod(), ("Ingress", "Egress"))
            cluster.put(network_policy.signed(policy, NOW))

            expect(pods(cluster)).to(be_empty)
            expect(cluster.calls).to(be_empty)

        with it("is not ended earlier, nor by deletion, for what somebody writes on it since"):
            cluster = isolated()
            forged = {"falco/until": str(NOW), "falco/detached-labels": '{"a": "b"}'}
            change_pod(cluster, annotations={**the_pod(cluster).annotations, **forged})

            expect(pods(cluster, now=after(NOW, 60))).to(be_empty)
            expect(pods(cluster)[0].reason).to(equal("released"))
            expect(the_pod(cluster).labels).to(equal(LABELS))

        with it("is forgotten once it is gone, or another has its name"):
            for change in (
                lambda cluster: cluster.remove("Pod", "web-0"),
                lambda cluster: change_pod(cluster, uid="another"),
            ):
                cluster = isolated()
                change(cluster)

                expect(pods(cluster)).to(be_empty)
                expect(cluster.ledger.contained()).to(be_empty)
                expect(cluster.writes).to(be_empty)

    with it("goes on in a protected namespace, and is said once"):
        cluster = isolated(detach=True)
        looking = expiry_of(isolate.playbook, cluster, PROTECTED_NAMESPACES="sh*")

        expect(looking.once()[0].reason).to(equal("protected-namespace"))
        expect(looking.once()).to(be_empty)
        expect(cluster.writes).to(be_empty)

    with it("is looked for where the playbook may act only"):
        names, globs, others = isolated(), isolated(), isolated()
        pods(names, NAMESPACES="shop")
        pods(globs, NAMESPACES="sh*")

        expect(the_pod(names).labels).to(equal(LABELS))
        expect(the_pod(globs).labels).to(equal(LABELS))
        expect(pods(others, NAMESPACES="ba*")).to(be_empty)
        expect(pods(others, NAMESPACES="bank")).to(be_empty)

    with it("goes on while the playbook is paused, and is said once"):
        cluster = isolated(detach=True)
        book = Book(cluster.store.text)
        book.pause("alice", NOW)
        looking = expiry_of(isolate.playbook, cluster, ledger=InMemoryLedger(book.text()))
        (outcome,) = looking.once()

        expect(outcome.reason).to(equal("paused"))
        expect(outcome.message).to(contain("paused by alice"))
        expect(looking.once()).to(be_empty)
        expect(cluster.writes).to(be_empty)

    with it("goes on where nothing tells whether the playbook is paused"):
        ledger = InMemoryLedger()
        ledger.failures = [NotFound("no ledger")]
        cluster = isolated()

        expect(lambda: pods(cluster, ledger=ledger)).to(raise_error(GuardUnanswered))
        expect(cluster.writes).to(be_empty)

    with it("costs one read of the ledger while nothing is due"):
        cluster = isolated()
        cluster.store.calls.clear()
        pods(cluster, now=NOW)

        expect((cluster.store.calls, cluster.calls)).to(equal((["read"], [])))


with description("A taint for a time") as self:
    with it("is left alone before that is over, and where it has no end"):
        expect(nodes(tainted(TAINT_TTL="1h"), now=after(NOW, TTL - 1))).to(be_empty)
        expect(nodes(tainted())).to(be_empty)

    with it("comes off once that is over, with its note, and no other taint"):
        cluster = tainted(TAINT_TTL="1h")
        reacted(taint.playbook, cluster, TAINT_EFFECT="NoExecute")
        (outcome,) = nodes(cluster)
        node = cluster.known_nodes["node-1"]

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "untainted")))
        expect(outcome.message).to(contain("taint falco/alert=true:NoSchedule taken off"))
        expect([t["effect"] for t in node.taints]).to(equal(["NoExecute"]))
        expect(list(json.loads(node.annotations["falco/taints"]))).to(
            equal(["falco/alert=true:NoExecute"])
        )
        expect(nodes(cluster)).to(be_empty)

    with it("is left alone, and said once, where somebody changed its value"):
        cluster = tainted(TAINT_TTL="1h")
        cluster.patch_node(
            cluster.known_nodes["node-1"], spec={"taints": [{**TAINT, "value": "mine"}]}
        )
        cluster.calls.clear()
        looking = expiry_of(taint.playbook, cluster)

        expect(looking.once()[0].reason).to(equal("changed-since"))
        expect(looking.once()).to(be_empty)
        expect(cluster.writes).to(be_empty)

    with it("is left alone where it was extended since the ledger was read"):
        cluster = tainted(TAINT_TTL="1h")
        listed = cluster.ledger.contained()
        later = some_collaborators(cluster, clock=FixedClock(DUE))
        reacted(taint.playbook, cluster, wired=later, TAINT_TTL="1h")
        answers, known = [listed], cluster.ledger.contained
        cluster.ledger.contained = lambda: answers.pop() if answers else known()

        expect(nodes(cluster)).to(be_empty)
        expect(list(cluster.known_nodes["node-1"].taints)).to(equal([TAINT]))


with description("The expiry of a playbook") as self:
    with it("is none unless it is set, in a dry run, and for what contains nothing"):
        expect(expiry(isolate.playbook, {}, some_collaborators())).to(be_none)
        expect(expiry_of(isolate.playbook, InMemoryCluster(), DRY_RUN="true")).to(be_none)
        expect(expiry(delete.playbook, {}, some_collaborators())).to(be_none)

    with it("fails where it cannot look"):
        cluster = isolated()
        cluster.store.failures = [ClusterUnavailable("away")]

        expect(lambda: pods(cluster)).to(raise_error(ClusterUnavailable))
