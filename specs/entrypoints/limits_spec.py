"""Attacks on the limits, through the playbooks as they are deployed: none disarms them."""

from expects import be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.core.alert import Arrival
from playbooks.core.instant import Instant
from playbooks.core.outcome import Status
from playbooks.core.ports import ClusterCollaborators
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.testing import (
    FakeOwnPod,
    InMemoryCluster,
    InMemoryLedger,
    a_document,
    a_pod,
    a_replica_controller,
)
from specs.support.wired import MovingClock

TENANT = ("tenant-a", "tenant-b", "tenant-c")


with description("Who wants to disarm a playbook by its limits") as self:
    with before.each:
        self.clock, self.cluster, self.ledger = MovingClock(), InMemoryCluster(), InMemoryLedger()

    def answer(self, namespace, name, priority="Error", owner=None, **settings):
        """What the first answer is about a pod that is there, and was told of now."""
        uid = f"{namespace}-{name}"
        self.cluster.put(a_pod(name, namespace=namespace, uid=uid, owner=owner))
        fields = {"k8s.ns.name": namespace, "k8s.pod.name": name, "k8s.pod.uid": uid}
        return self.again(
            a_document(output_fields=fields, priority=priority, time=str(self.clock.now())),
            **settings,
        )

    def again(self, document, **settings):
        """As another process would: only the ledger remembers."""
        self.document = document
        collaborators = ClusterCollaborators(
            self.clock, FakeOwnPod(), self.cluster, StoredLedger(self.ledger)
        )
        playbook = catalogue.load("delete")
        received = Instant.parse(document["time"])
        return playbook.responder(settings, collaborators).answer(
            document, Arrival(received=received)
        )

    def flood(self, spaces, number, **how):
        return [self.answer(spaces[n % len(spaces)], f"web-{n}", **how) for n in range(number)]

    with it("keeps no Critical elsewhere from being answered, with three namespaces of his own"):
        outcomes = self.flood(TENANT, 40, MAX_ACTIONS="off")
        acted = [outcome for outcome in outcomes if outcome.status is Status.ACTED]

        expect(len(acted)).to(equal(20 + len(TENANT)))
        for number in range(5):
            victim = self.answer("shop", f"web-{number}", priority="Critical", MAX_ACTIONS="off")
            expect(victim.reason).to(equal("deletion-accepted"))

    with it("keeps no other namespace from its first answer, even with Critical alerts of his own"):
        self.flood(TENANT, 60, priority="Critical", MAX_ACTIONS="off")

        for namespace in ("shop", "bank", "mail"):
            expect(self.answer(namespace, "web-0", MAX_ACTIONS="off").reason).to(
                equal("deletion-accepted")
            )

    with it("stops nothing but his own namespaces for good"):
        outcomes = self.flood(TENANT, 60)
        tripped = [o.details["tripped"] for o in outcomes if o.details.get("first")]

        expect([place for place in tripped if place not in (*TENANT, "*")]).to(be_empty)
        self.answer("shop", "web-0")
        waits = self.answer("shop", "web-1")
        expect((waits.reason, waits.details["tripped"])).to(equal(("budget-used-up", "*")))
        document = self.document
        # A machine may be slow between two looks at the clock.
        self.clock.seconds += waits.waits + 5
        expect(self.again(document).reason).to(equal("deletion-accepted"))

    with it("is answered again through the same hole once the window is over, by itself"):
        self.cluster.put(a_replica_controller("web", replicas=1))
        first = self.answer("shop", "web-0", owner="ReplicaSet/web")
        self.clock.seconds += 120
        second = self.answer("shop", "web-1", owner="ReplicaSet/web")
        document = self.document

        expect((first.reason, second.reason)).to(equal(("deletion-accepted", "owner-limit")))
        expect(second.message).to(contain("its replacement may have the same hole"))
        self.clock.seconds += second.waits + 5
        expect(self.again(document).reason).to(equal("deletion-accepted"))

    with it("is asked for a proof again when the window is over"):
        self.cluster.put(a_replica_controller("web", replicas=1))
        self.answer("shop", "web-0", owner="ReplicaSet/web")
        waits = self.answer("shop", "web-1", owner="ReplicaSet/web")
        document = self.document
        self.cluster.put(a_pod("web-1", uid="another", owner="ReplicaSet/web"))
        self.clock.seconds += waits.waits

        expect(self.again(document).reason).to(equal("not-the-same-pod"))

    with it("has all of three compromised replicas answered in the end"):
        self.cluster.put(a_replica_controller("web", replicas=3))
        waiting = []
        for number in range(3):
            self.answer("shop", f"web-{number}", owner="ReplicaSet/web")
            waiting.append(self.document)
        while waiting and self.clock.seconds < 3 * 620:
            outcome = self.again(waiting[0])
            self.clock.seconds += outcome.waits or 0
            waiting = waiting[1:] if outcome.waits is None else waiting

        expect((waiting, dict(self.cluster.pods))).to(equal(([], {})))

    with it("hides no pods behind a kind of owner that he made up"):
        owner = "Cage.evil.example/x"
        outcomes = [self.answer("shop", f"web-{n}", owner=owner) for n in range(6)]

        expect({outcome.reason for outcome in outcomes}).to(equal({"deletion-accepted"}))

    with it("keeps nobody waiting for ever"):
        waiting = []
        for number in range(60):
            outcome = self.answer((*TENANT, "shop")[number % 4], f"web-{number}", MAX_ACTIONS="off")
            if outcome.waits is not None:
                waiting.append((self.clock.seconds + outcome.waits, number, self.document))
        while waiting:
            waiting.sort(key=lambda one: one[:2])
            self.clock.seconds, number, document = waiting.pop(0)
            outcome = self.again(document, MAX_ACTIONS="off")
            if outcome.waits is not None:
                waiting.append((self.clock.seconds + outcome.waits, number, document))
            expect(self.clock.seconds < 5 * 620).to(equal(True))

        expect(dict(self.cluster.pods)).to(be_empty)
