from expects import be_empty, be_true, contain, end_with, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import EvidenceUnavailable, NotFound, NotPermitted, NotTheSameObject
from playbooks.core.outcome import Status
from playbooks.core.proof import Proof
from playbooks.reactions.delete_pod import DeletePod
from playbooks.testing import (
    OTHER_UID,
    UID,
    FakeEvidence,
    FixedClock,
    InMemoryCluster,
    a_pod,
    a_static_pod,
    a_status,
    an_alert,
)


def a_terminating_pod(until, grace=600):
    return a_pod(metadata={"deletionTimestamp": until, "deletionGracePeriodSeconds": grace})


def delete_pod(cluster, grace=1, **evidence):
    clock = FixedClock()
    proof = Proof(cluster, clock, identity="strict", namespaces=())
    return DeletePod(cluster, clock, proof, grace_period_seconds=grace, **evidence)


def run(cluster, alert=None, *, grace=1, **evidence):
    return delete_pod(cluster, grace, **evidence).run(alert or an_alert())


def plan(cluster):
    return delete_pod(cluster).plan(an_alert())


with description("Deleting a pod") as self:
    with it("deletes the proven pod, in two calls"):
        cluster = InMemoryCluster(a_pod())
        outcome = run(cluster)

        expect(cluster.pods).to(be_empty)
        expect(cluster.calls).to(equal(["pod", "delete_pod"]))
        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.target).to(equal("pod shop/web-0"))
        expect(outcome.message).to(equal("deletion accepted of pod shop/web-0"))

    with it("leaves a pod alone that is not proven"):
        cluster = InMemoryCluster(a_pod(statuses=[a_status(container_id="f" * 64)]))
        outcome = run(cluster)

        expect(outcome.reason).to(equal("not-the-same-pod"))
        expect(cluster.writes).to(be_empty)

    with it("gives the containers their grace period"):
        cluster = InMemoryCluster(a_pod())
        run(cluster, grace=30)

        expect(cluster.graces).to(equal([30]))

    with it("says that without grace only the object is removed"):
        outcome = run(InMemoryCluster(a_pod()), grace=0)

        expect(outcome.message).to(contain("only the object is removed at once"))

    with it("names the containers that go with the one in the alert"):
        pod = a_pod(containers=("web", "proxy", "log"))
        outcome = run(InMemoryCluster(pod))

        expect(outcome.message).to(end_with("also deletes containers proxy, log"))

    with description("that comes back"):
        with it("says so of a DaemonSet's"):
            outcome = run(InMemoryCluster(a_pod(owner="DaemonSet/agent")))

            expect(outcome.message).to(end_with("it will come back: it belongs to DaemonSet agent"))

        with it("says so of a static pod"):
            outcome = run(InMemoryCluster(a_static_pod()))

            expect(outcome.message).to(
                end_with("it will come back: it is a static pod of node node-1")
            )

    with description("that is gone"):
        with it("is skipped where it was never found"):
            expect(run(InMemoryCluster()).reason).to(equal("pod-gone"))

        with it("is skipped where it went meanwhile"):
            cluster = InMemoryCluster(a_pod())
            cluster.failures["delete_pod"] = [NotFound("gone")]

            expect(run(cluster).reason).to(equal("pod-gone"))

        with it("is skipped where another has its name meanwhile"):
            cluster = InMemoryCluster(a_pod())
            cluster.failures["delete_pod"] = [NotTheSameObject("uid")]

            expect(run(cluster).reason).to(equal("not-the-same-pod"))

    with description("that is being deleted already"):
        with it("is skipped where what is left is no longer than our grace period"):
            cluster = InMemoryCluster(a_terminating_pod("2026-01-02T03:04:06Z"))
            outcome = run(cluster)

            expect(outcome.reason).to(equal("terminating"))
            expect(outcome.message).to(equal("pod shop/web-0 is being deleted and has 1 s left"))
            expect(cluster.writes).to(be_empty)

        with it("is skipped where its time is over, and the alert is not from after it"):
            cluster = InMemoryCluster(a_terminating_pod("2026-01-02T03:00:00Z"))

            expect(run(cluster, grace=0).reason).to(equal("terminating"))

        with it("has failed, and is held, where it acts on past its deadline"):
            cluster = InMemoryCluster(a_terminating_pod("2026-01-02T02:59:00Z"))
            outcome = run(cluster)

            expect((outcome.status, outcome.reason)).to(equal((Status.FAILED, "still-running")))
            expect((outcome.held, outcome.error.retryable)).to(equal((True, False)))
            expect(outcome.target_ref.name).to(equal("web-0"))
            expect(outcome.message).to(
                contain("deleting it again ends nothing", "isolate", "node node-1")
            )
            expect(cluster.writes).to(be_empty)

        with it("is deleted again where an intruder would have longer"):
            cluster = InMemoryCluster(a_terminating_pod("2026-01-02T04:04:05Z"))
            outcome = run(cluster)

            expect(cluster.graces).to(equal([1]))
            expect(outcome.message).to(
                end_with(
                    "it was being deleted with a longer grace period, which its kubelet may still"
                    " wait for"
                )
            )

    with description("that was deleted"):

        def verified(self, *there, error=None):
            cluster = InMemoryCluster(a_pod())
            reaction = delete_pod(cluster, grace=30)
            action = reaction.plan(an_alert())
            cluster = reaction._cluster = InMemoryCluster(*there)
            cluster.failures["pod"] = [error] if error else []
            return reaction.verify(action)

        with it("is verified once it is gone, also where another has its name"):
            for there in ((), (a_pod(uid=OTHER_UID),)):
                found = self.verified(*there)

                expect(found.holds).to(be_true)
                expect(found.words).to(contain("pod shop/web-0 is gone"))

        with it("is not while it is there, however long it was to take"):
            ending = self.verified(a_terminating_pod("2026-01-02T03:04:35Z"))

            expect((ending.holds, ending.words)).to(
                equal(
                    (
                        False,
                        "pod shop/web-0 is still there: it was to end at"
                        " 2026-01-02T03:04:35.000000000Z",
                    )
                )
            )
            expect(self.verified(a_pod()).words).to(contain("it is not being deleted"))

        with it("is not known where it may not be read"):
            expect(lambda: self.verified(error=NotPermitted("no"))).to(raise_error(NotPermitted))

        with it("is looked at after its grace period"):
            expect(delete_pod(InMemoryCluster(), grace=30).settles).to(equal(30.0))

    with description("of which evidence is kept"):
        with it("keeps it before the pod is deleted"):
            cluster, evidence = InMemoryCluster(a_pod()), FakeEvidence()
            cluster.failures["delete_pod"] = [NotPermitted("may not")]

            expect(lambda: run(cluster, evidence=evidence)).to(raise_error(NotPermitted))
            expect([(str(pod), alert) for pod, alert in evidence.kept]).to(
                equal([("pod shop/web-0", an_alert())])
            )

        with it("names the place of the set, and what it lacks"):
            evidence = FakeEvidence(missing=["the log of web (no answer)"])
            outcome = run(InMemoryCluster(a_pod()), evidence=evidence)

            expect(outcome.message).to(
                equal(
                    "deletion accepted of pod shop/web-0; evidence is in"
                    " s3://evidence/shop/web-0/set, without the log of web (no answer)"
                )
            )
            expect(outcome.details["evidence_url"]).to(equal(FakeEvidence.URL))
            expect(outcome.details["evidence_missing"]).to(equal(["the log of web (no answer)"]))

        with it("names it also where the pod went meanwhile"):
            cluster = InMemoryCluster(a_pod())
            cluster.failures["delete_pod"] = [NotFound("gone")]
            outcome = run(cluster, evidence=FakeEvidence())

            expect(outcome.reason).to(equal("pod-gone"))
            expect(outcome.details["evidence_url"]).to(equal(FakeEvidence.URL))

        with it("keeps none by planning alone, as a dry run does"):
            evidence = FakeEvidence()
            delete_pod(InMemoryCluster(a_pod()), evidence=evidence).plan(an_alert())

            expect(evidence.kept).to(be_empty)

        with it("is deleted without it, and says so, where it is not required"):
            cluster = InMemoryCluster(a_pod())
            outcome = run(cluster, evidence=FakeEvidence(error=EvidenceUnavailable("no bucket")))

            expect(cluster.pods).to(be_empty)
            expect(outcome.status).to(equal(Status.ACTED))
            expect(outcome.message).to(end_with("; without evidence: no bucket"))
            expect(outcome.details["evidence_missing"]).to(equal(["no bucket"]))

        with it("is left alone, to be tried again, where it is required"):
            cluster = InMemoryCluster(a_pod())
            evidence = FakeEvidence(error=EvidenceUnavailable("no bucket"))

            expect(lambda: run(cluster, evidence=evidence, evidence_required=True)).to(
                raise_error(EvidenceUnavailable)
            )
            expect(EvidenceUnavailable.retryable).to(be_true)
            expect(cluster.writes).to(be_empty)

    with it("skips a finished pod"):
        for phase in ("Succeeded", "Failed"):
            cluster = InMemoryCluster(a_pod(phase=phase))

            expect(run(cluster).reason).to(equal("finished"))
            expect(cluster.writes).to(be_empty)

    with it("plans it with reads alone"):
        cluster = InMemoryCluster(a_pod())
        action = plan(cluster)

        expect(action.message).to(equal("delete pod shop/web-0"))
        expect(action.uid).to(equal(UID))
        expect(cluster.writes).to(be_empty)

    with it("lets an error through"):
        cluster = InMemoryCluster(a_pod())
        cluster.failures["delete_pod"] = [NotPermitted("may not")]

        expect(lambda: run(cluster)).to(raise_error(NotPermitted))
