"""Every playbook behind its guards, with its entrypoint's wiring on fakes."""

from expects import be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.core.alert import Arrival
from playbooks.core.errors import ClusterUnavailable, NotFound, NotPermitted
from playbooks.core.instant import after
from playbooks.core.outcome import Status
from playbooks.core.reaction import Reaction
from playbooks.infrastructure.ledger import change
from playbooks.testing import (
    CONTAINER,
    NOW,
    FakeOwnPod,
    InMemoryCluster,
    InMemoryLedger,
    a_document,
    a_pod,
    a_ready_node,
    some_collaborators,
)

ACTING = ("delete", "isolate", "taint")
PROVEN = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "container.id": CONTAINER[:12]}


def about(fields=PROVEN, **changes):
    return a_document(output_fields=fields, **changes)


# What the alert alone rules out: reason, settings, alert.
RULED_OUT = (
    ("another-cluster", {"CLUSTER": "eu-1"}, about()),
    ("below-minimum-priority", {"MINIMUM_PRIORITY": "Error"}, about()),
    ("rule-not-listed", {"RULES": "Other"}, about()),
    ("namespace-not-listed", {"NAMESPACES": "billing"}, about()),
    (
        "own-account",
        {},
        about(
            {**PROVEN, "ka.user.name": "system:serviceaccount:playbooks:falco-delete"},
            source="k8s_audit",
        ),
    ),
    ("stale-alert", {}, about(time=str(after(NOW, -601)))),
    ("alert-from-the-future", {}, about(time=str(after(NOW, 121)))),
)


with description("A playbook that acts on the cluster") as self:
    with before.each:
        self.nodes = [a_ready_node("node-1"), a_ready_node("node-2")]
        self.cluster = InMemoryCluster(a_pod(), *self.nodes)
        self.ledger = InMemoryLedger()

    def answer(self, name, alert=None, *, own_pod=None, recorded=False, **settings):
        playbook = catalogue.load(name)
        collaborators = some_collaborators(
            self.cluster, ledger=self.ledger, own_pod=own_pod or FakeOwnPod()
        )
        return playbook.responder(settings, collaborators).answer(
            alert or about(), Arrival(recorded=recorded)
        )

    with it("makes no call for an alert that the alert alone rules out"):
        for name in ACTING:
            for reason, settings, alert in RULED_OUT:
                outcome = self.answer(name, alert, **settings)

                expect((name, outcome.reason)).to(equal((name, reason)))
                expect(outcome.status).to(equal(Status.SKIPPED))
        expect(self.cluster.calls).to(be_empty)
        expect(self.ledger.calls).to(be_empty)

    with it("says how it is verified that it worked"):
        acting = [name for name in catalogue.own_names() if catalogue.load(name).acts]
        for name in acting:
            expect((name, catalogue.load(name).reaction.verify)).not_to(
                equal((name, Reaction.verify))
            )

    with it("makes at most four reads and one write more than without guards"):
        # What contains its target writes that in the ledger, too.
        own = {"delete": 2, "isolate": 7 + 1, "taint": 3 + 1}
        for name in ACTING:
            self.cluster = InMemoryCluster(a_pod(owner="ReplicaSet/web"), *self.nodes)
            self.ledger = InMemoryLedger()

            expect(self.answer(name).status).to(equal(Status.ACTED))
            # In the fake nothing is kept for some seconds: the nodes are listed by three.
            calls = [*dict.fromkeys(self.cluster.calls), *self.ledger.calls]
            expect((name, len(calls) <= own[name] + 5, calls)).to(equal((name, True, calls)))
            writes = ["write"] * (1 if name == "delete" else 2)
            expect(self.ledger.calls).to(equal(["read", *writes]))

    with it("writes its slot before it acts, and acts no more once that failed"):
        for name in ACTING:
            for error in (ClusterUnavailable("no answer"), NotPermitted("no"), NotFound("no")):
                self.cluster = InMemoryCluster(a_pod(), *self.nodes)
                self.ledger = InMemoryLedger()
                self.ledger.failures = [error]
                outcome = self.answer(name)

                expect(outcome.status).to(equal(Status.FAILED))
                expect(outcome.error.retryable).to(equal(True))
                expect(self.cluster.writes).to(be_empty)

    with it("has failed and may try again where a guard cannot be asked"):
        for name, call in (
            *[(name, "namespace_annotations") for name in ACTING],
            ("delete", "workload"),
            ("isolate", "workload"),
            ("taint", "nodes"),
        ):
            for error, reason in (
                (NotPermitted("no"), "guard-unanswered"),
                (NotFound("no"), "guard-unanswered"),
                (KeyError("bug"), "guard-unanswered"),
                (ClusterUnavailable("no answer"), "cluster-unavailable"),
            ):
                self.cluster = InMemoryCluster(a_pod(owner="ReplicaSet/web"), *self.nodes)
                self.cluster.failures[call] = [error]
                outcome = self.answer(name)

                expect((name, call, outcome.reason)).to(equal((name, call, reason)))
                expect(outcome.error.retryable).to(equal(True))
                expect(self.cluster.writes).to(be_empty)

    with it("asks the ledger in a dry run without writing it, and changes nothing"):
        for name in ACTING:
            outcome = self.answer(name, DRY_RUN="true")

            expect(outcome.status).to(equal(Status.WOULD_ACT))
            expect(self.ledger.text).to(be_empty)
            expect(self.cluster.writes).to(be_empty)

    with it("would not act in a dry run while it is paused"):
        change(self.ledger, lambda book: book.pause("ada", NOW))

        expect(self.answer("delete", DRY_RUN="true").reason).to(equal("paused"))

    with it("takes an alert of a file at its own time"):
        old = about(time="2020-01-01T00:00:00Z")

        expect(self.answer("delete", old).reason).to(equal("stale-alert"))
        expect(self.answer("delete", old, recorded=True).status).to(equal(Status.ACTED))

    with it("holds a proven target that it leaves running for a person, whatever guard it was"):
        notice = {"k8s.ns.name": "kube-system", "k8s.pod.name": "web-0"}
        alert = about({**PROVEN, **notice}, priority="Notice")
        for name in ACTING:
            self.cluster = InMemoryCluster(a_pod(namespace="kube-system"), *self.nodes)
            outcome = self.answer(name, alert)

            expect((name, outcome.reason, outcome.held)).to(
                equal((name, "protected-namespace", True))
            )
            expect(outcome.target_ref.verb).to(equal(name))
            expect(self.cluster.writes).to(be_empty)

    with it("holds no alert about a pod of a protected namespace that it did not prove"):
        alert = about({**PROVEN, "k8s.ns.name": "kube-system", "k8s.pod.name": "other"})

        expect(self.answer("delete", alert).held).to(equal(False))

    with it("leaves its own node be, where that would evict it"):
        outcome = self.answer("taint", own_pod=FakeOwnPod(node="node-1"), TAINT_EFFECT="NoExecute")

        expect(outcome.reason).to(equal("own-node"))

    with it("cannot tell its own node where it was not told"):
        outcome = self.answer("taint", own_pod=FakeOwnPod(node=""), TAINT_EFFECT="NoExecute")

        expect(outcome.reason).to(equal("guard-unanswered"))
        expect(outcome.message).to(contain("guard OwnNode cannot decide", "NODE_NAME"))

    with it("taints the only node of a cluster where that keeps no pod away, or is allowed"):
        labels = {"node-role.kubernetes.io/control-plane": ""}
        for settings, reason in (
            ({}, "control-plane-node"),
            ({"ALLOW_CONTROL_PLANE": "true"}, "last-node"),
            ({"TAINT_EFFECT": "PreferNoSchedule"}, "tainted"),
            ({"ALLOW_CONTROL_PLANE": "true", "ALLOW_LAST_NODE": "true"}, "tainted"),
        ):
            self.cluster = InMemoryCluster(a_pod(), a_ready_node("node-1", labels=labels))
            self.ledger = InMemoryLedger()

            expect((settings, self.answer("taint", **settings).reason)).to(
                equal((settings, reason))
            )

    with it("holds a host alert to the guards of nodes and to the budget"):
        host = about({"container.id": "host"}, hostname="node-1")
        self.cluster = InMemoryCluster(self.nodes[0])
        expect(self.answer("taint", host, TAINT_HOST="true").reason).to(equal("last-node"))

        self.cluster = InMemoryCluster(*self.nodes)
        change(self.ledger, lambda book: book.pause("ada", NOW))
        expect(self.answer("taint", host, TAINT_HOST="true").reason).to(equal("paused"))

    with it("explains itself by all that it asked, in order"):
        outcome = self.answer("delete", NAMESPACES="shop", MINIMUM_PRIORITY="Notice")

        expect(outcome.why[:2]).to(
            equal(("priority Notice is not below Notice", "namespace shop is one of NAMESPACES"))
        )
        expect(outcome.why).to(contain("namespace shop is not protected"))
        expect(outcome.why[3]).to(equal("container 1376fe875695 is web in pod shop/web-0"))
        expect(outcome.why[-3:]).to(
            equal(
                (
                    "nothing exempts it",
                    "1 of 10 actions in 10m in namespace shop; 0 of 20 that all namespaces share,"
                    " beside the first of each",
                    "deletion accepted of pod shop/web-0",
                )
            )
        )

    with it("acts on the same object once more without another slot, as after a lost answer"):
        pod = self.cluster.pod("web-0", namespace="shop")
        self.cluster.failures["delete_pod"] = [ClusterUnavailable("no answer")]

        expect(self.answer("delete", MAX_ACTIONS="1").status).to(equal(Status.FAILED))
        expect(self.answer("delete", MAX_ACTIONS="1").status).to(equal(Status.ACTED))
        self.cluster.put(a_pod(uid="next"))
        expect(self.answer("delete", MAX_ACTIONS="1").reason).to(equal("budget-used-up"))
