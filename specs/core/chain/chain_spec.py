"""A chain of our playbooks, on a cluster in memory."""

import io
import zipfile
from contextlib import contextmanager
from unittest.mock import patch

from expects import (
    be_above,
    be_empty,
    be_false,
    be_none,
    be_true,
    contain,
    equal,
    expect,
    have_key,
    raise_error,
)
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.core.chain.steps import STEPS
from playbooks.core.containment.expiry import expiry
from playbooks.core.errors import ClusterUnavailable, EvidenceUnavailable, InvalidSetting
from playbooks.core.instant import after
from playbooks.core.outcome import Status
from playbooks.deployment.packaging.archive import archive, worker_archive
from playbooks.testing import (
    NOW,
    OTHER_UID,
    FakeEvidence,
    FixedClock,
    InMemoryCluster,
    InMemoryLedger,
    a_namespace,
    a_pod,
    a_ready_node,
    an_alert,
    some_collaborators,
)
from specs.support.conditions import CEL, not_run_unless

CHAIN = catalogue.load("chain")


@contextmanager
def patched_slack(posted):
    with patch("playbooks.slack.SlackWebhook") as webhook:
        webhook.return_value.post = posted.append
        yield


def told(outcome):
    return [(each["step"], each["status"], each["reason"]) for each in outcome.details["steps"]]


with description("The steps of a chain") as self:
    with it("are names in order, with a mark for those that stop nothing"):
        expect([str(step) for step in STEPS.check("label, isolate?,slack")]).to(
            equal(["label", "isolate?", "slack"])
        )
        expect(STEPS.check("")).to(be_empty)

    with it("are refused where they cannot be such"):
        for text, words in (
            ("label,label", "each playbook once"),
            ("label,label?", "each playbook once"),
            ("Label", "names of playbooks in order"),
            ("label??", "names of playbooks in order"),
            ("?", "names of playbooks in order"),
            (",".join(f"a{n}" for n in range(9)), "at most 8 steps"),
        ):
            expect(lambda text=text: STEPS.check(text)).to(
                raise_error(InvalidSetting, contain(words))
            )

with description("A chain") as self:
    with before.each:
        self.cluster = InMemoryCluster(
            a_namespace("shop"), a_pod(), a_ready_node("node-1"), a_ready_node("node-2")
        )
        self.alert = an_alert(time=str(NOW))

    def responder(self, steps, **settings):
        collaborators = some_collaborators(self.cluster)
        return CHAIN.responder({"STEPS": steps, **settings}, collaborators)

    def answer(self, steps, alert=None, **settings):
        return self.responder(steps, **settings).answer(alert or self.alert)

    with it("has its steps act one after the other, and tells of each"):
        outcome = self.answer("label,isolate,delete", ISOLATE_DETACH="false")

        expect((outcome.status, outcome.reason)).to(equal((Status.ACTED, "deletion-accepted")))
        expect([step for step, status, _ in told(outcome) if status == "acted"]).to(
            equal(["label", "isolate", "delete"])
        )
        expect(outcome.message).to(contain("label: ", "isolate: ", "delete: "))
        expect(outcome.why[0]).to(contain("label: "))
        expect((outcome.target, outcome.target_ref.verb)).to(equal(("pod shop/web-0", "delete")))
        expect(self.cluster.pods).to(be_empty)

    with it("looks at what became of each step that acted, also where a later one failed"):
        outcome = self.answer("label,delete")
        self.cluster.failures["delete_pod"] = [ClusterUnavailable("no answer")]
        self.cluster.put(a_pod())
        failed = self.answer("label,delete")

        found = [look.look(True) for look in outcome.follow_ups]
        expect([each.details["follows"] for each in found]).to(
            equal(["labeled", "deletion-accepted"])
        )
        expect([look.look(True).details["follows"] for look in failed.follow_ups]).to(
            equal(["labeled"])
        )

    with it("proves the pod once"):
        looked = []
        listed = self.cluster.pods_on

        def counted(node, *, namespaces):
            looked.append(node)
            return listed(node, namespaces=namespaces)

        self.cluster.pods_on = counted
        outcome = self.answer("label,cordon,delete", an_alert(time=str(NOW), namespace=None))

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(looked).to(equal(["node-1"]))

    with it("does nothing more to another pod that has got the name since"):
        deletes = self.cluster.delete_pod
        self.cluster.delete_pod = lambda pod, **given: self.replaced(pod) or deletes(pod, **given)
        outcome = self.answer("delete,cordon")

        expect(told(outcome)[0][:2]).not_to(equal(("delete", "acted")))
        expect([pod.uid for pod in self.cluster.pods.values()]).to(equal([OTHER_UID]))

    def replaced(self, _):
        self.cluster.put(a_pod(uid=OTHER_UID))

    with it("stops at the first step that did not act"):
        for steps, given, reason in (
            ("delete,cordon", {"PROTECTED_NAMESPACES": "shop"}, "protected-namespace"),
            ("delete,cordon", {"NAMESPACES": "billing"}, "namespace-not-listed"),
        ):
            outcome = self.answer(steps, **given)

            expect((outcome.status, outcome.reason)).to(equal((Status.SKIPPED, reason)))
            expect([step for step, _, _ in told(outcome)]).to(equal(["delete"]))
            expect(outcome.message).to(contain("; stopped at delete"))

    with it("goes on after one that is marked"):
        outcome = self.answer("taint?,cordon,delete", ALLOW_LAST_NODE="false", MAX_NODES="1")

        expect([step for step, _, _ in told(outcome)]).to(equal(["taint", "cordon", "delete"]))
        alone = InMemoryCluster(a_namespace("shop"), a_pod(), a_ready_node("node-1"))
        self.cluster = alone
        outcome = self.answer("taint?,delete")

        expect(told(outcome)).to(
            equal([("taint", "skipped", "last-node"), ("delete", "acted", "deletion-accepted")])
        )
        expect((outcome.status, outcome.held)).to(equal((Status.ACTED, False)))

    with it("is held where a step is, and says what acted before"):
        self.cluster = InMemoryCluster(a_namespace("shop"), a_pod(), a_ready_node("node-1"))
        outcome = self.answer("label,taint,delete")

        expect((outcome.status, outcome.reason, outcome.held)).to(
            equal((Status.SKIPPED, "last-node", True))
        )
        expect(outcome.message).to(contain("label: ", "stopped at taint"))
        expect([status for _, status, _ in told(outcome)]).to(equal(["acted", "skipped"]))

    with it("goes on where it stopped, when the alert is tried again"):
        away, patch = [ClusterUnavailable("away")], self.cluster.patch_node

        def once_away(node, **given):
            if away:
                raise away.pop()
            return patch(node, **given)

        self.cluster.patch_node = once_away
        responder = self.responder("label,cordon,delete")
        failed = responder.answer(self.alert)

        expect((failed.status, failed.reason)).to(equal((Status.FAILED, "cluster-unavailable")))
        expect(isinstance(failed.error, ClusterUnavailable)).to(be_true)
        again = responder.answer(self.alert)
        expect(told(again)).to(
            equal(
                [
                    ("label", "skipped", "already-labeled"),
                    ("cordon", "acted", "cordoned"),
                    ("delete", "acted", "deletion-accepted"),
                ]
            )
        )
        expect(sorted(again.details)).not_to(contain("error"))

    with it("has nothing left to do where all its steps were done"):
        responder = self.responder("label,cordon")
        responder.answer(self.alert)
        outcome = responder.answer(self.alert)

        expect((outcome.status, outcome.reason)).to(equal((Status.SKIPPED, "already-done")))
        expect(outcome.held).to(be_false)

    with it("tells people what the steps before did, also when the pod is gone by then"):
        posted, slack = [], catalogue.load("slack")
        settings = {"SLACK_WEBHOOK_URL": "https://slack.example/x"}
        with patched_slack(posted):
            responder = self.responder("label,delete,slack", **settings)
            responder.answer(self.alert)
            again = responder.answer(self.alert)

        expect(slack.acts).to(be_false)
        expect(str(posted[0])).to(contain("delete: "))
        expect(told(again)).to(
            equal(
                [
                    ("label", "skipped", "pod-gone"),
                    ("delete", "skipped", "pod-gone"),
                    ("slack", "acted", "notified"),
                ]
            )
        )

    def put(self, name, **how):
        """Another pod, and an alert about it."""
        uid = f"uid-of-{name}"
        self.cluster.put(a_pod(name, uid=uid, **how))
        fields = {"k8s.ns.name": "shop", "k8s.pod.name": name, "k8s.pod.uid": uid}
        return an_alert(fields, time=str(NOW))

    with it("counts each step by itself, in one ledger"):
        one, other = self.put("web-1"), self.put("web-2")
        first = self.answer("label,delete", one, MAX_ACTIONS="1")
        second = self.answer("label?,delete", other, MAX_ACTIONS="1")

        expect([status for _, status, _ in told(first)]).to(equal(["acted", "acted"]))
        expect(told(second)[0]).to(equal(("label", "skipped", "budget-used-up")))
        expect(second.held).to(be_true)

    with it("keeps a step to its share of a workload's pods, which steps before do not count to"):
        alerts = [self.put(f"cart-{n}", owner="ReplicaSet/cart") for n in range(2)]
        outcomes = [self.answer("label,delete", alert) for alert in alerts]

        expect([outcome.reason for outcome in outcomes]).to(
            equal(["deletion-accepted", "owner-limit"])
        )
        expect(outcomes[1].waits).to(be_above(0))

    with it("evicts no pod beside the alert's that is exempted from it, or from the step"):
        for name in ("chain", "drain", "*"):
            exempt = {"falco/exempt": name, "falco/exempt-until": str(after(NOW, 60))}
            fragile = a_pod("fragile", uid="uid-of-fragile", namespace="bank", statuses=[])
            nodes = a_ready_node("node-1"), a_ready_node("node-2")
            self.cluster = InMemoryCluster(a_namespace("bank", exempt), a_pod(), fragile, *nodes)
            outcome = self.answer("drain")

            expect(outcome.details["stay"]).to(have_key("pod bank/fragile"))
            expect(self.cluster.pods).to(have_key(("bank", "fragile")))

    with it("spares what is exempted from it, or from the step"):
        for name, acted in (("chain", []), ("delete", ["label"]), ("isolate", ["label", "delete"])):
            exempt = {"falco/exempt": name, "falco/exempt-until": str(after(NOW, 60))}
            namespace = a_namespace("shop", exempt)
            self.cluster = InMemoryCluster(namespace, a_pod(), a_ready_node("node-1"))
            outcome = self.answer("label,delete")

            found = [step for step, status, _ in told(outcome) if status == "acted"]
            expect((name, found)).to(equal((name, acted)))

    with it("keeps evidence before it deletes, and deletes nothing without it"):
        for error, steps in (
            (None, ["evidence", "delete"]),
            (EvidenceUnavailable("the store is away"), []),
        ):
            kept = FakeEvidence(error=error)
            collaborators = some_collaborators(self.cluster, evidence=kept)
            given = {"STEPS": "evidence,delete", "EVIDENCE_URL": "s3://evidence"}
            outcome = CHAIN.responder(given, collaborators).answer(self.alert)

            acted = [step for step, status, _ in told(outcome) if status == "acted"]
            expect(acted).to(equal(steps))
            self.cluster = InMemoryCluster(a_namespace("shop"), a_pod(), a_ready_node("node-1"))

    with it("changes nothing in a dry run, and says of each step what it would do"):
        outcome = self.answer("label,cordon,delete", DRY_RUN="true")

        expect((outcome.status, outcome.reason)).to(equal((Status.WOULD_ACT, "chain-done")))
        expect([status for _, status, _ in told(outcome)]).to(equal(["would act"] * 3))
        expect(len(self.cluster.pods)).to(equal(1))

    with it("fails as its first step does for what is no alert"):
        expect(self.responder("label,delete").answer(b"{").reason).to(equal("invalid-alert"))

with description("A chain with a condition") as self:

    def responder(self, steps, **settings):
        cluster = InMemoryCluster(a_namespace("shop"), a_pod(), a_ready_node("node-1"))
        given = {"STEPS": steps, "ALLOW_LAST_NODE": "true", **settings}
        return CHAIN.responder(given, some_collaborators(cluster))

    def answer(self, steps, **settings):
        return self.responder(steps, **settings).answer(an_alert(time=str(NOW)))

    with it("stops at the first step for which it does not hold"):
        outcome = self.answer("delete,cordon", WHEN='pod.labels["app"] == "db"')

        expect((outcome.status, outcome.reason)).to(equal((Status.SKIPPED, "when-false")))
        expect([step for step, _, _ in told(outcome)]).to(equal(["delete"]))
        expect(outcome.message).to(contain("; stopped at delete"))

    with it("is asked nothing of a pod by a step that tells people"):
        settings = {"SLACK_WEBHOOK_URL": "https://slack.example/x"}
        when = {"WHEN": 'pod.namespace == "shop"'}
        with patched_slack([]):
            outcome = self.answer("cordon,slack", **settings, **when)

        expect([status for _, status, _ in told(outcome)]).to(equal(["acted", "acted"]))
        expect(lambda: self.responder("slack,cordon", **settings, **when)).to(
            raise_error(InvalidSetting, contain("proves none"))
        )

with description("What a chain takes") as self:
    with it("is what its steps take, and no more"):

        def names(values):
            return {(p.resource, verb) for p in CHAIN.rights(values) for verb in p.verbs}

        for steps in ("label", "delete", "cordon,delete", "slack", "isolate,delete"):
            wanted = set()
            for name in steps.split(","):
                permissions = catalogue.load(name).rights({})
                wanted |= {(p.resource, verb) for p in permissions for verb in p.verbs}
            expect((steps, names({"STEPS": steps}))).to(equal((steps, wanted)))

    with it("has each setting of theirs once, and none that it needs without the step"):
        declared = [setting.name for setting in CHAIN.settings]

        expect(len(declared)).to(equal(len(set(declared))))
        expect(declared).to(contain("STEPS", "ISOLATE_TTL", "TAINT_KEY", "SLACK_WEBHOOK_URL"))
        required = [setting.name for setting in CHAIN.settings if setting.required]
        expect(required).to(equal(["STEPS"]))

    with it("says which of them a step misses, and which step there is not"):
        for values, words in (
            ({"STEPS": ""}, "STEPS is empty, expected: The playbooks"),
            ({"STEPS": "delete,slack"}, "SLACK_WEBHOOK_URL is not set, and the step slack expects"),
            ({"STEPS": "delete,burn"}, "STEPS has 'burn', expected names of cordon, delete"),
            ({"STEPS": "chain"}, "STEPS has 'chain'"),
            ({"STEPS": "delete", "EVIDENCE_REQUIRED": "true"}, "EVIDENCE_URL is not set"),
        ):
            expect("; ".join(CHAIN.problems(values))).to(contain(words))
        expect(CHAIN.problems({"STEPS": "label,delete"})).to(be_empty)

    with it("installs what its steps do"):
        expect(CHAIN.installs({"STEPS": "delete"})).not_to(contain("requests"))
        expect(CHAIN.installs({"STEPS": "delete,slack"})).to(contain("requests"))

    with it("is packaged with its steps"):
        for made in (archive, worker_archive):
            content = made("chain", runs=CHAIN.runs({"STEPS": "label,delete?"}))
            found = zipfile.ZipFile(io.BytesIO(content)).namelist()

            expect(found).to(contain("playbooks/label.py", "playbooks/delete.py"))
            expect(found).not_to(contain("playbooks/isolate.py"))

    with it("is undone as what its steps leave is"):
        expect(catalogue.leaving(catalogue.load("isolate"))).to(equal(["chain", "isolate"]))
        expect([each.name for each in catalogue.containing()]).not_to(contain("chain"))

    with it("ends by itself what its steps leave for a time"):
        cluster = InMemoryCluster(
            a_namespace("shop"), a_pod(), a_ready_node("node-1"), a_ready_node("node-2")
        )
        collaborators = some_collaborators(cluster)
        environ = {"STEPS": "label,cordon", "LABEL_TTL": "10s", "CORDON_TTL": "10s"}
        CHAIN.responder(environ, collaborators).answer(an_alert(time=str(NOW)))
        later = some_collaborators(cluster, clock=FixedClock(after(NOW, 60)))
        ended = expiry(CHAIN, environ, later).once()

        expect(sorted(outcome.target for outcome in ended)).to(
            equal(["node node-1", "pod shop/web-0"])
        )
        expect(expiry(CHAIN, {"STEPS": "label"}, later)).to(be_none)

    with it("looks once into the ledger for what all of its steps may have left"):
        environ = {"STEPS": "label,cordon", "LABEL_TTL": "10s", "CORDON_TTL": "10s"}
        store = InMemoryLedger()
        with patch.object(store, "read", wraps=store.read) as reads:
            expiry(CHAIN, environ, some_collaborators(ledger=store)).once()

        expect(reads.call_count).to(equal(1))


not_run_unless(CEL, globals(), title="with a condition")
