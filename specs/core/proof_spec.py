from expects import be_a, be_empty, contain, equal, expect, raise_error
from hypothesis import given, settings
from hypothesis import strategies as st
from mamba import before, description, it

from playbooks.core.errors import ContainerIdPending, NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.core.proof import Proof, Proven
from playbooks.testing import (
    CONTAINER,
    OTHER_CONTAINER,
    OTHER_UID,
    UID,
    FixedClock,
    InMemoryCluster,
    a_host_alert,
    a_pod,
    a_static_pod,
    a_status,
    an_alert,
    an_audit_alert,
)

JUST_NOW = "2026-01-02T03:04:04.500000000Z"


# The victim's, the attacker's, or none.
UIDS = ("k8s.pod.uid", "k8s.pod.id", "k8smeta.pod.uid")
HOSTS = st.sampled_from(("node-1", "node-2", "falco-x7k2p", None))
GIVEN = {
    **dict.fromkeys(UIDS, st.sampled_from((UID, OTHER_UID, None))),
    **dict.fromkeys(
        ("k8s.pod.name", "k8smeta.pod.name"), st.sampled_from(("web-0", "evil-0", None))
    ),
    **dict.fromkeys(("k8s.ns.name", "k8smeta.ns.name"), st.sampled_from(("shop", "tenant", None))),
    "container.id": st.sampled_from(
        (CONTAINER[:12], OTHER_CONTAINER[:12], CONTAINER, "f" * 12, "host", None)
    ),
}

A_GONE_CONTAINER = an_alert(uid=UID, container_id=OTHER_CONTAINER[:12])


def agrees(key, value, pod):
    """Whether what a field says of a pod is so; what it does not say is."""
    if value is None:
        return True
    if key == "container.id":
        return pod.container(value) is not None
    return value == {"name": pod.name, "uid": pod.uid, "id": pod.uid}.get(
        key.rpartition(".")[2] if ".ns." not in key else "", pod.namespace
    )


def a_restarted_status(**changes):
    """Of three runs the last two are known, both begun after the alert."""
    last = {"containerID": "containerd://" + "e" * 64, "startedAt": "2026-01-02T03:01:00Z"}
    return a_status(
        **{
            "restartCount": 2,
            "state": {"running": {"startedAt": "2026-01-02T03:02:00Z"}},
            "lastState": {"terminated": last},
            **changes,
        }
    )


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

        with it("holds where the container of the alert is one that was restarted since"):
            for status in (
                a_restarted_status(),
                a_restarted_status(state={"waiting": {}}),
                a_restarted_status(restartCount=1, lastState={}),
                a_restarted_status(restartCount=1, state={}, lastState={}),
            ):
                proven = the_proof(A_GONE_CONTAINER, a_pod(statuses=[status]))

                expect(proven).to(be_a(Proven))
                expect(proven.evidence).to(contain("which was restarted since"))

        with it("fails where no restart explains that the container is none of the pod's"):
            for status in (
                a_status(),
                # Both of two runs are known.
                a_restarted_status(restartCount=1),
                # The run that is known was under way at the time of the alert.
                a_restarted_status(
                    restartCount=5,
                    lastState={
                        "terminated": {
                            "containerID": "containerd://" + "e" * 64,
                            "startedAt": "2026-01-02T02:59:59Z",
                        }
                    },
                ),
            ):
                outcome = the_proof(A_GONE_CONTAINER, a_pod(statuses=[status]))

                expect(outcome.reason).to(equal("not-the-same-pod"))
                expect(outcome.message).to(contain("has no container abcdef012345"))

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

    with description("with a host name"):
        with before.each:
            self.other = a_pod(
                "db-0", uid=OTHER_UID, node="node-2", statuses=[a_status(container_id="e" * 64)]
            )

        with it("holds where that is the name of Falco's own pod, and no node's"):
            expect(the_proof(an_alert(hostname="falco-x7k2p"), a_pod(), self.other)).to(
                be_a(Proven)
            )

        with it("holds where it is the node's name in capitals"):
            expect(the_proof(an_alert(hostname="NODE-1"), a_pod(), self.other)).to(be_a(Proven))

        with it("fails where it is another node, on which pods run"):
            for alert in (an_alert(hostname="node-2"), an_alert(hostname="node-2", uid=UID)):
                outcome = the_proof(alert, a_pod(), self.other)

                expect(outcome.reason).to(equal("not-the-same-pod"))
                expect(outcome.message).to(
                    contain("is on node node-1, the alert is of node node-2")
                )

        with it("holds where a tenant names Falco's host in a pod of his, which never runs there"):
            decoy = a_pod("decoy", uid=OTHER_UID, node="falco-x7k2p", statuses=[], phase="Pending")

            expect(the_proof(an_alert(hostname="falco-x7k2p"), a_pod(), decoy)).to(be_a(Proven))

        with it("holds where nobody may be asked whose it is"):

            class Strict(InMemoryCluster):
                def pods_on(self, node, *, namespaces):
                    raise NotPermitted("LIST /pods: forbidden (403)")

            proof = Proof(Strict(a_pod()), FixedClock(), identity="strict", namespaces=())

            expect(proof.of(an_alert(hostname="node-2"))).to(be_a(Proven))

        with it("looks once whether it is a node's"):
            cluster = InMemoryCluster(a_pod(), self.other)
            proof = Proof(cluster, FixedClock(), identity="strict", namespaces=())
            for _ in range(3):
                proof.of(an_alert(hostname="falco-x7k2p"))

            expect(cluster.calls).to(equal(["pod", "pods_on", "pod", "pod"]))

        with it("is that of whoever heard it, in an audit alert"):
            alert = an_audit_alert(hostname="node-2")

            expect(the_proof(alert, a_pod(), self.other, identity="name")).to(be_a(Proven))

    with description("with fields that disagree"):
        with it("fails without a call where the alert contradicts itself"):
            cluster = InMemoryCluster(a_pod())
            proof = Proof(cluster, FixedClock(), identity="strict", namespaces=())
            fields = {**an_alert(uid=UID).fields, "k8smeta.pod.name": "db-0"}
            host = {"container.id": "host", "k8s.ns.name": "shop", "k8s.pod.uid": UID}

            for contradicting in (fields, host):
                expect(proof.of(an_alert(contradicting)).reason).to(equal("not-the-same-pod"))
            expect(cluster.calls).to(be_empty)

        with it("fails where one of two uids is another pod's"):
            fields = {**an_alert(uid=UID).fields, "k8smeta.pod.uid": OTHER_UID}

            expect(the_proof(an_alert(fields), a_pod()).message).to(
                contain(f"the alert's is {OTHER_UID}")
            )

        with it("holds for a static pod, which has a uid of the kubelet's and one of the API's"):
            fields = {**an_alert(uid="f00d").fields, "k8smeta.pod.uid": UID}

            expect(the_proof(an_alert(fields), a_static_pod())).to(be_a(Proven))

        with it("fails where one id proves the pod and another cannot be one"):
            for fields in ({"container.id": "1376fe"}, {"k8smeta.ns.name": "sh op"}):
                alert = an_alert({**an_alert(uid=UID).fields, **fields})

                expect(the_proof(alert, a_pod()).reason).to(equal("unproven"))

        with it("proves no pod with which any field disagrees, whatever is combined"):
            victim = a_pod()
            attacker = a_pod(
                "evil-0",
                namespace="tenant",
                uid=OTHER_UID,
                node="node-2",
                statuses=[a_status(container_id=OTHER_CONTAINER)],
            )
            proved = []

            @settings(max_examples=200, database=None, deadline=None, derandomize=True)
            @given(st.fixed_dictionaries({}, optional=GIVEN), HOSTS)
            def hold(fields, host):
                proven = the_proof(an_alert(fields, hostname=host), victim, attacker)
                if isinstance(proven, Proven):
                    proved.append(fields)
                    pod = proven.pod
                    assert host in (pod.node, "falco-x7k2p", None), (fields, host)
                    assert all(agrees(k, v, pod) for k, v in fields.items()), (fields, host)
                    assert {"container.id", *UIDS} & {k for k, v in fields.items() if v}, fields

            hold()
            expect(proved).not_to(be_empty)

    with description("with ids that disagree"):
        with it("fails, and says what was found"):
            outcome = the_proof(an_alert(uid=OTHER_UID), a_pod())

            expect(outcome.reason).to(equal("not-the-same-pod"))
            expect(outcome.message).to(
                contain("although container 1376fe875695 is its container web")
            )

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

        said = "pod shop/web-0 is gone: it was not there when it was looked up"
        expect(outcome).to(equal(Outcome.skipped("pod-gone", said, "pod shop/web-0")))

    with it("finds no pod in a host alert"):
        expect(the_proof(a_host_alert()).reason).to(equal("no-pod"))

    with it("costs one call where the namespace is known"):
        cluster = InMemoryCluster(a_pod())
        Proof(cluster, FixedClock(), identity="strict", namespaces=()).of(an_alert())

        expect(cluster.calls).to(equal(["pod"]))
