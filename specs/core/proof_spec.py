from expects import be_a, be_empty, contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import ContainerIdPending
from playbooks.core.outcome import Outcome
from playbooks.core.proof import Proof, Proven
from specs.support.fakes import FixedClock, InMemoryCluster
from specs.support.mothers import (
    CONTAINER,
    OTHER_CONTAINER,
    OTHER_UID,
    UID,
    a_host_alert,
    a_pod,
    a_static_pod,
    a_status,
    an_alert,
    an_audit_alert,
)

JUST_NOW = "2026-01-02T03:04:04.500000000Z"


def the_proof(alert, *pods, identity="strict", namespaces=()):
    cluster = InMemoryCluster(*pods)
    proof = Proof(cluster, FixedClock(), identity=identity, namespaces=namespaces)
    return proof.of(alert)


with description("The proof of a target") as self:
    with description("by uid"):
        with it("holds for the pod of that uid"):
            proven = the_proof(an_alert(container_id=None, uid=UID), a_pod())

            expect(proven).to(be_a(Proven))
            expect(proven.evidence).to(equal(f"uid {UID} is that of pod shop/web-0"))

        with it("fails for a pod recreated under the same name"):
            outcome = the_proof(an_alert(container_id=None, uid=OTHER_UID), a_pod())

            expect(outcome.reason).to(equal("not-the-same-pod"))
            expect(outcome.message).to(contain(UID))
            expect(outcome.message).to(contain(OTHER_UID))

        with it("holds for a static pod by its config hash"):
            expect(the_proof(an_alert(container_id=None, uid="f00d"), a_static_pod())).to(
                be_a(Proven)
            )

        with it("does not take anybody's annotation for a config hash"):
            pod = a_pod(metadata={"annotations": {"kubernetes.io/config.hash": "f00d"}})

            expect(the_proof(an_alert(container_id=None, uid="f00d"), pod).reason).to(
                equal("not-the-same-pod")
            )

        with it("holds where the container of the alert is one that the API has forgotten"):
            alert = an_alert(uid=UID, container_id=OTHER_CONTAINER[:12])

            expect(the_proof(alert, a_pod())).to(be_a(Proven))

    with description("by container id"):
        with it("holds where the id begins that of a container"):
            proven = the_proof(an_alert(), a_pod())

            expect(proven.container.name).to(equal("web"))
            expect(proven.evidence).to(
                equal(f"container {CONTAINER[:12]} is web in pod shop/web-0")
            )

        with it("holds for an init container"):
            pod = a_pod(
                statuses=[],
                spec={"initContainers": [{"name": "init"}]},
                status={"initContainerStatuses": [a_status("init")]},
            )

            expect(the_proof(an_alert(), pod).container.name).to(equal("init"))

        with it("holds for an ephemeral container"):
            pod = a_pod(
                statuses=[],
                spec={"ephemeralContainers": [{"name": "debug"}]},
                status={"ephemeralContainerStatuses": [a_status("debug")]},
            )

            expect(the_proof(an_alert(), pod).container.name).to(equal("debug"))

        with it("holds for the run of a crash-looping container that ended last"):
            status = a_status(
                container_id=OTHER_CONTAINER,
                lastState={"terminated": {"containerID": f"cri-o://{CONTAINER}"}},
            )

            expect(the_proof(an_alert(), a_pod(statuses=[status]))).to(be_a(Proven))

        with it("fails where no container has the id, and says which there are"):
            outcome = the_proof(
                an_alert(), a_pod(statuses=[a_status(container_id=OTHER_CONTAINER)])
            )

            expect(outcome.reason).to(equal("not-the-same-pod"))
            expect(outcome.message).to(
                equal("pod shop/web-0 has no container 1376fe875695: it has web abcdef012345")
            )

        with it("may hold soon where a container has no id yet"):
            pod = a_pod(statuses=[a_status(container_id=None)])

            expect(lambda: the_proof(an_alert(), pod)).to(raise_error(ContainerIdPending))

        with it("may hold soon where a container has no status yet"):
            expect(lambda: the_proof(an_alert(), a_pod(statuses=[]))).to(
                raise_error(ContainerIdPending)
            )

        with it("may hold soon where the alert is so young that the container may be a new run"):
            pod = a_pod(statuses=[a_status(container_id=OTHER_CONTAINER)])

            expect(lambda: the_proof(an_alert(time=JUST_NOW), pod)).to(
                raise_error(ContainerIdPending)
            )

        with it("does not wait for the containers of a finished pod"):
            pod = a_pod(statuses=[a_status(container_id=None)], phase="Failed")

            expect(the_proof(an_alert(), pod).reason).to(equal("not-the-same-pod"))

    with description("with ids that disagree"):
        with it("fails, and says what was found"):
            outcome = the_proof(an_alert(uid=OTHER_UID), a_pod())

            expect(outcome.reason).to(equal("not-the-same-pod"))
            expect(outcome.message).to(contain("but container 1376fe875695 is its web"))

    with description("without any id"):
        with it("fails without a call: a name proves nothing"):
            cluster = InMemoryCluster(a_pod())
            proof = Proof(cluster, FixedClock(), identity="strict", namespaces=())

            expect(proof.of(an_alert(container_id=None)).reason).to(equal("unproven"))
            expect(cluster.calls).to(be_empty)

        with it("fails for a container id that cannot be one, and shows it"):
            outcome = the_proof(an_alert(container_id="1376fe"), a_pod())

            expect(outcome.reason).to(equal("unproven"))
            expect(outcome.message).to(contain("'1376fe'"))

        with it("fails for an audit alert, whoever it names"):
            expect(the_proof(an_audit_alert(), a_pod()).reason).to(equal("unproven"))

    with description("with IDENTITY=name"):
        with it("holds for a successful audited call"):
            expect(the_proof(an_audit_alert(), a_pod(), identity="name")).to(be_a(Proven))

        with it("fails for a call that was refused"):
            outcome = the_proof(an_audit_alert(code="403"), a_pod(), identity="name")

            expect(outcome.reason).to(equal("unproven"))

        with it("fails for a pod that is younger than the alert"):
            alert = an_audit_alert(time="2026-01-02T01:59:59Z")

            expect(the_proof(alert, a_pod(), identity="name").reason).to(equal("unproven"))

        with it("fails for a pod of the alert's own second, which may be younger"):
            alert = an_audit_alert(time="2026-01-02T02:00:00.900000000Z")

            expect(the_proof(alert, a_pod(), identity="name").reason).to(equal("unproven"))

        with it("fails for an alert of another source"):
            outcome = the_proof(an_alert(container_id=None), a_pod(), identity="name")

            expect(outcome.reason).to(equal("unproven"))

        with it("fails where an id was given but is unusable"):
            fields = {**an_audit_alert().fields, "container.id": "nonsense"}
            alert = an_alert(fields, source="k8s_audit")

            expect(the_proof(alert, a_pod(), identity="name").reason).to(equal("unproven"))

    with description("without a namespace in the alert"):
        with it("finds the pod on the node of the alert by its container"):
            decoy = a_pod("decoy", statuses=[a_status(container_id=OTHER_CONTAINER)])
            proven = the_proof(an_alert(namespace=None, pod=None), decoy, a_pod())

            expect(proven.pod.name).to(equal("web-0"))

        with it("fails where no pod of the node has it"):
            outcome = the_proof(an_alert(namespace=None), a_pod(node="node-2"))

            expect(outcome.reason).to(equal("unproven"))

        with it("fails where the alert names another pod than the container's"):
            outcome = the_proof(an_alert(namespace=None, pod="db-0"), a_pod())

            expect(outcome.reason).to(equal("not-the-same-pod"))

        with it("fails where the uid is another than the container's pod has"):
            outcome = the_proof(an_alert(namespace=None, pod=None, uid=OTHER_UID), a_pod())

            expect(outcome.reason).to(equal("not-the-same-pod"))

        with it("fails where two pods have it"):
            outcome = the_proof(
                an_alert(namespace=None, pod=None), a_pod(), a_pod("web-1", uid=OTHER_UID)
            )

            expect(outcome.reason).to(equal("ambiguous"))

        with it("fails without a container id, or without a node"):
            no_id = an_alert(namespace=None, container_id=None, uid=UID)
            no_node = an_alert(namespace=None, hostname=None)

            expect(the_proof(no_id, a_pod()).reason).to(equal("unproven"))
            expect(the_proof(no_node, a_pod()).reason).to(equal("unproven"))

        with it("looks only into the namespaces that it may"):
            outcome = the_proof(
                an_alert(namespace=None, pod=None), a_pod(), namespaces=("billing",)
            )
            by_glob = the_proof(an_alert(namespace=None, pod=None), a_pod(), namespaces=("b*",))

            expect([outcome.reason, by_glob.reason]).to(equal(["unproven"] * 2))

        with it("may find it soon where the alert is young"):
            alert = an_alert(namespace=None, pod=None, time=JUST_NOW)

            expect(lambda: the_proof(alert)).to(raise_error(ContainerIdPending))

    with it("says that a pod is gone"):
        outcome = the_proof(an_alert())

        expect(outcome).to(
            equal(Outcome.skipped("pod-gone", "pod shop/web-0 is gone", "pod shop/web-0"))
        )

    with it("finds no pod in a host alert"):
        expect(the_proof(a_host_alert()).reason).to(equal("no-pod"))

    with it("costs one call where the namespace is known"):
        cluster = InMemoryCluster(a_pod())
        Proof(cluster, FixedClock(), identity="strict", namespaces=()).of(an_alert())

        expect(cluster.calls).to(equal(["pod"]))
