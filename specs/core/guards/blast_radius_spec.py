import json
from dataclasses import replace

from expects import be_empty, contain, equal, expect, have_key, raise_error
from mamba import before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.guards.blast_radius import BlastRadius
from playbooks.core.guards.guard import Case
from playbooks.core.ledger.limits import Limits
from playbooks.infrastructure.ledger import StoredLedger, change
from playbooks.testing import (
    NOW,
    FakeReaction,
    InMemoryCluster,
    InMemoryLedger,
    a_pod,
    a_ready_node,
    a_replica_controller,
    an_action,
    an_alert,
)

LIMITS = Limits(10, 30, 0.5, 1, 600.0)
TAINT = ("falco/alert", "NoSchedule")
TAINTED = {"taints": [{"key": TAINT[0], "value": "true", "effect": TAINT[1]}]}


def a_web_pod(number, **changes):
    return a_pod(f"web-{number}", uid=f"uid-{number}", owner="ReplicaSet/web-6d5f", **changes)


class Counting(FakeReaction):
    """Counts nodes by a taint."""

    def __init__(self, taint):
        super().__init__()
        self._taint = taint

    def counts(self, node):
        return self._taint is not None and node.has_taint(*self._taint)


with description("The guard of the blast radius") as self:
    with before.each:
        self.store, self.cluster = InMemoryLedger(), InMemoryCluster()

    def guard(self, limits=LIMITS, taint=None, **how):
        return BlastRadius(StoredLedger(self.store), self.cluster, limits, Counting(taint), **how)

    def asked(self, action, limits=LIMITS, taint=None, **given):
        return self.guard(limits, taint).of_action(Case(an_alert(), NOW, **given), action)

    with description("where a rule comes again"):

        def again(self, *pods, limits=LIMITS):
            answers = [self.asked(an_action(pod), limits) for pod in pods]
            return [answer.facts.get("again", 0) for answer in answers]

        def put(self, **changes):
            self.cluster.put(a_replica_controller("web-6d5f", labels={"app": "web"}, **changes))

        with it("says so of pods of one controller, which it reads for MAX_PER_OWNER anyway"):
            self.put(replicas=8)
            calls = len(self.cluster.calls)

            expect(self.again(a_web_pod(1), a_web_pod(2))).to(equal([0, 1]))
            expect(self.cluster.calls[calls:]).to(equal(["workload", "workload"]))

        with it("believes no pod that names a controller which has another uid"):
            self.put(replicas=8, uid="another")

            expect(self.again(a_web_pod(1), a_web_pod(2))).to(equal([0, 0]))

        with it("believes no pod that its controller does not select"):
            self.put(replicas=8)
            theirs = {"labels": {"app": "intruder"}}

            expect(self.again(a_web_pod(1), a_web_pod(2, metadata=theirs))).to(equal([0, 0]))

        with it("counts none whose controller is not there"):
            expect(
                self.again(a_web_pod(1), a_web_pod(2), limits=replace(LIMITS, per_owner=1.0))
            ).to(equal([0, 0]))

        with it("is asked for also where MAX_PER_OWNER is off"):
            self.put(replicas=8)
            limits = Limits(None, None, None, None, 600.0, again=1)
            first, second = (self.asked(an_action(a_web_pod(n)), limits) for n in (1, 2))

            expect((first.reason, second.reason)).to(equal(("", "recurring")))

    with it("writes a slot before it lets an action pass"):
        answer = self.asked(an_action(a_pod()))

        expect(answer.words).to(
            equal(
                "1 of 10 actions in 10m in namespace shop; 0 of 20 that all namespaces share,"
                " beside the first of each"
            )
        )
        expect(self.store.calls).to(equal(["read", "write"]))

    with it("writes nothing in a dry run"):
        answer = self.asked(an_action(a_pod()), dry_run=True)

        expect(answer.reason).to(equal(""))
        expect(self.store.calls).to(equal(["read"]))

    with it("says in no dry run that a budget trips"):
        limits = Limits(1, None, None, None, 600.0)
        self.asked(an_action(a_pod()), limits)
        answer = self.asked(an_action(a_pod(uid="other")), limits, dry_run=True)

        expect(answer.reason).to(equal("budget-used-up"))
        expect(answer.facts["first"]).to(equal(False))

    with it("counts the pods of a Deployment over all of its ReplicaSets"):
        for name in ("web-6d5f", "web-7e6a"):
            self.cluster.put(a_replica_controller(name, replicas=4, owner="Deployment/web"))
        other = a_pod("web-9", uid="uid-9", owner="ReplicaSet/web-7e6a")
        answers = [self.asked(an_action(p)) for p in (a_web_pod(1), other, a_web_pod(2))]

        expect([a.reason for a in answers]).to(equal(["", "", "owner-limit"]))
        said = "2 of at most 2 of the pods of Deployment web (replicas 4)"
        expect(answers[1].words).to(contain(said))

    with it("counts against no workload a pod that it did not make: theirs would have to wait"):
        self.cluster.put(a_replica_controller("web-6d5f", labels={"app": "web"}, replicas=2))
        decoy = a_web_pod(1, metadata={"labels": {"app": "decoy"}})
        renamed = a_web_pod(2)
        renamed.manifest["metadata"]["ownerReferences"][0]["uid"] = "another"
        answers = [self.asked(an_action(pod)).reason for pod in (decoy, renamed, a_web_pod(3))]

        expect(answers).to(equal([""] * 3))

    with it("lets one pod of a workload pass where nothing says how many it has"):
        answers = [self.asked(an_action(a_web_pod(n))).reason for n in range(2)]

        expect(answers).to(equal(["", "owner-limit"]))

    with it("counts no kind of owner that is not there: whoever makes a pod can name it"):
        pods = [a_pod(f"web-{n}", uid=f"uid-{n}", owner="Cage.evil.example/x") for n in range(5)]
        answers = [self.asked(an_action(pod)).reason for pod in pods]

        expect(answers).to(equal([""] * 5))

    with it("keeps a part for Critical and above"):
        limits = Limits(None, 3, None, None, 600.0)

        def of(priority, number):
            alert = an_alert(priority=priority)
            action = an_action(a_pod(f"web-{number}", uid=f"uid-{number}"))
            return self.guard(limits).of_action(Case(alert, NOW), action).reason

        expect([of("Error", n) for n in range(4)]).to(equal(["", "", "", "budget-used-up"]))
        expect([of("Critical", 4), of("Critical", 5)]).to(equal(["", "budget-used-up"]))

    with it("says in no dry run that it waits"):
        for number in range(2):
            self.asked(an_action(a_web_pod(number)))
        answer = self.asked(an_action(a_web_pod(2)), dry_run=True)

        expect((answer.reason, answer.waits, answer.facts["first"])).to(
            equal(("owner-limit", None, False))
        )

    with it("asks for no workload where there is no limit for one, no owner, or a node"):
        self.asked(an_action(a_web_pod(1)), Limits(10, 30, None, 1, 600.0))
        self.asked(an_action(a_pod()))
        self.asked(an_action(a_web_pod(1), a_ready_node()))

        expect(self.cluster.calls).not_to(contain("workload"))

    with it("refuses a second tainted node"):
        self.cluster = InMemoryCluster(
            a_ready_node("a", spec=TAINTED), a_ready_node("b"), a_ready_node("c")
        )
        refused = self.asked(an_action(None, a_ready_node("b")), taint=TAINT)

        expect(refused.reason).to(equal("node-limit"))
        expect(refused.words).to(equal("a contained already, and MAX_NODES is 1"))

    with it("takes no notice of taints of others"):
        theirs = {"taints": [{"key": "theirs", "effect": "NoSchedule"}]}
        self.cluster = InMemoryCluster(a_ready_node("a", spec=theirs), a_ready_node("c"))

        expect(self.asked(an_action(None, a_ready_node("b")), taint=TAINT).reason).to(equal(""))

    with it("leaves one node to take pods, also where two are tainted at once"):
        two = Limits(10, 30, None, 2, 600.0)
        nodes = [a_ready_node("a"), a_ready_node("b")]
        self.cluster = InMemoryCluster(*nodes)
        answers = [self.asked(an_action(None, node), two, TAINT).reason for node in nodes]

        expect(answers).to(equal(["", "last-node"]))

    with it("leaves no node where a person allows that, or no pod is kept away"):
        self.cluster = InMemoryCluster(a_ready_node("a"))
        guard = self.guard(LIMITS, TAINT, spares_a_node=False)
        action = an_action(None, a_ready_node("a"))

        expect(guard.of_action(Case(an_alert(), NOW), action).reason).to(equal(""))

    with it("counts what has no uid each time"):
        limits = Limits(1, None, None, None, 600.0)
        answers = [self.asked(an_action(None, None), limits).reason for _ in range(2)]

        expect(answers).to(equal(["", "budget-used-up"]))

    with it("obeys a pause, whatever the limits"):
        off = Limits(None, None, None, None, 600.0)
        change(self.store, lambda book: book.pause("ada", NOW, "release day"))
        answer = self.asked(an_action(a_pod()), off, released_by="bob")

        expect(answer.reason).to(equal("paused"))
        expect(answer.words).to(equal(f"paused by ada at {NOW}: release day"))

    with it("writes nothing where there is nothing to count"):
        off = Limits(None, None, None, None, 600.0)

        expect(self.asked(an_action(a_pod()), off).reason).to(equal(""))
        expect(self.store.calls).to(equal(["read"]))

    with it("knows an alert that a person released"):
        change(self.store, lambda book: book.reset("shop", "ada", NOW))

        expect(self.asked(an_action(a_pod())).reason).to(equal("before-reset"))
        expect(self.asked(an_action(a_pod()), released_by="ada").reason).to(equal(""))

    with it("cannot be asked where a workload or the ledger cannot be read"):
        self.cluster.failures["workload"] = [NotPermitted("no")]
        expect(lambda: self.asked(an_action(a_web_pod(1)))).to(raise_error(NotPermitted))

        self.store.failures = [NotPermitted("no")]
        expect(lambda: self.asked(an_action(a_pod()))).to(raise_error(NotPermitted))
        expect(self.store.text).to(be_empty)

    with it("keeps no names in the ledger but namespaces and nodes"):
        self.asked(an_action(a_web_pod(1)))

        expect(json.loads(self.store.text)).to(have_key("actions"))
        expect(self.store.text).not_to(contain("web"))
