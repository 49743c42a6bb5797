"""Evidence as the entrypoint of delete wires it, with the guards in front."""

import tempfile
from pathlib import Path

from expects import be_empty, be_none, contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import EvidenceUnavailable, InvalidSetting
from playbooks.core.outcome import Status
from playbooks.core.settings import read
from playbooks.delete import playbook
from playbooks.infrastructure import wiring
from playbooks.taint import playbook as taint
from playbooks.testing import (
    CONTAINER,
    FakeEvidence,
    FixedClock,
    InMemoryCluster,
    a_document,
    a_pod,
    an_alert,
    some_collaborators,
)

ABOUT = {
    "k8s.ns.name": "shop",
    "k8s.pod.name": "web-0",
    "container.id": CONTAINER[:12],
}
PLACE = {"EVIDENCE_URL": "s3://evidence"}


def answer(collaborators, **environ):
    document = a_document(output_fields=ABOUT)
    return playbook.responder({**PLACE, **environ}, collaborators).answer(document)


def a_world_without(error="no bucket"):
    cluster = InMemoryCluster(a_pod())
    return some_collaborators(cluster, evidence=FakeEvidence(error=EvidenceUnavailable(error)))


with description("Evidence before a pod is deleted") as self:
    with it("is kept after all guards have passed"):
        evidence = FakeEvidence()
        refused = answer(
            some_collaborators(InMemoryCluster(a_pod()), evidence=evidence),
            PROTECTED_NAMESPACES="shop",
        )
        expect([refused.reason, evidence.kept]).to(equal(["protected-namespace", []]))

        outcome = answer(some_collaborators(InMemoryCluster(a_pod()), evidence=evidence))
        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.details["evidence_url"]).to(equal(FakeEvidence.URL))

    with it("is not kept in a dry run"):
        evidence = FakeEvidence()
        outcome = answer(
            some_collaborators(InMemoryCluster(a_pod()), evidence=evidence), DRY_RUN="true"
        )

        expect([outcome.status, evidence.kept]).to(equal([Status.WOULD_ACT, []]))

    with it("saves the pod where it is required and cannot be kept"):
        collaborators = a_world_without()
        outcome = answer(collaborators, EVIDENCE_REQUIRED="true")

        expect([outcome.status, outcome.reason]).to(equal([Status.FAILED, "evidence-unavailable"]))
        expect(outcome.details["retryable"]).to(equal(True))
        expect(collaborators.cluster.writes).to(be_empty)

    with it("saves no pod where it is not required"):
        outcome = answer(a_world_without())

        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.message).to(contain("without evidence: no bucket"))

    with it("has a place, where it is required"):
        expect(lambda: answer(some_collaborators(), EVIDENCE_REQUIRED="true", EVIDENCE_URL="")).to(
            raise_error(InvalidSetting, contain("EVIDENCE_URL is not set"))
        )

    with it("is redacted"):
        cluster = InMemoryCluster(a_pod())
        cluster.logs["web", False] = b"password=hunter2\n"
        with tempfile.TemporaryDirectory() as directory:
            settings = read(playbook.settings, {"EVIDENCE_URL": f"file://{directory}"})
            wiring.evidence_of(settings, cluster, FixedClock()).keep(a_pod(), an_alert())
            (log,) = Path(directory).rglob("web.log")

            expect(log.read_text()).to(equal("password=***\n"))

    with it("is none without a place, and for what deletes nothing"):
        for declared in (playbook, taint):
            settings = read(declared.settings, {})

            expect(wiring.evidence_of(settings, InMemoryCluster(), FixedClock())).to(be_none)
