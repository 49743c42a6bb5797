import tracemalloc

from expects import be_below, be_empty, be_false, be_true, contain, equal, expect
from mamba import description, it

from playbooks.core.claim import Claim
from playbooks.testing import CONTAINER, OTHER_UID, UID, a_host_alert, an_alert, an_audit_alert

SHORT = CONTAINER[:12]


def a_claim(fields, **changes):
    return an_alert(fields, **changes).claim


with description("The claim of an alert") as self:
    with it("gives namespace, pod, uid, container and node"):
        claim = an_alert(uid=UID).claim

        expect(claim).to(equal(Claim("shop", "web-0", uid=UID, container_id=SHORT, node="node-1")))

    with it("takes the legacy pod id for the uid"):
        expect(a_claim({"k8s.pod.id": UID}).uid).to(equal(UID))

    with description("from several families of fields"):
        with it("takes k8smeta where k8s gives nothing"):
            claim = a_claim(
                {
                    "k8s.ns.name": None,
                    "k8s.pod.name": "<NA>",
                    "k8smeta.ns.name": "shop",
                    "k8smeta.pod.name": "web-0",
                    "k8smeta.pod.uid": UID,
                }
            )

            expect([claim.namespace, claim.pod, claim.uid]).to(equal(["shop", "web-0", UID]))

        with it("says where k8s and k8smeta contradict each other"):
            claim = a_claim(
                {
                    "k8s.ns.name": "shop",
                    "k8s.pod.name": "web-0",
                    "k8smeta.ns.name": "other",
                    "k8smeta.pod.name": "db-0",
                    "k8smeta.pod.uid": UID,
                }
            )

            expect(claim.conflict).to(equal("namespace shop and other, pod web-0 and db-0"))

        with it("takes the uid that only one of them gives, and every uid that is given"):
            fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "k8smeta.pod.uid": UID}
            both = {**fields, "k8s.pod.uid": OTHER_UID, "k8s.pod.id": UID}

            expect(a_claim(fields).uid).to(equal(UID))
            expect([a_claim(both).uid, a_claim(both).other_uids]).to(equal([OTHER_UID, (UID,)]))

        with it("takes the namespace of one with the name of another: only ids prove them"):
            claim = a_claim({"k8s.pod.name": "web-0", "k8smeta.ns.name": "other"})

            expect([claim.namespace, claim.pod]).to(equal(["other", "web-0"]))

    with description("of an audit alert"):
        with it("takes the audited pod"):
            claim = an_audit_alert(code="201").claim

            expect([claim.namespace, claim.pod]).to(equal(["shop", "web-0"]))
            expect(claim.succeeded).to(be_true)

        with it("counts an exec that switched protocols as a success"):
            expect(an_audit_alert(code="101").claim.succeeded).to(be_true)

        with it("knows that a refused call did not succeed"):
            expect(an_audit_alert(code="403").claim.succeeded).to(be_false)

        with it("takes nothing where the audited resource is no pod"):
            claim = a_claim(
                {
                    "ka.target.resource": "secrets",
                    "ka.target.namespace": "shop",
                    "ka.target.name": "web-0",
                },
                source="k8s_audit",
            )

            expect(claim.points_at_pod).to(be_false)

    with description("its container id"):
        with it("may be as long as the runtime has it, in any case"):
            expect(a_claim({"container.id": CONTAINER.upper()}).container_id).to(equal(CONTAINER))

        with it("is given but unusable where it is no hexadecimal number of 12 to 64 digits"):
            for value in ("1376fe87569", "1" * 65, "1376fe87569g", "HOST", 137, True, [SHORT]):
                claim = a_claim({"container.id": value})

                expect(claim.container_id).to(be_empty)
                expect(claim.unusable).to(contain("container.id"))
                expect(claim.points_at_pod).to(be_true)

        with it("is absent where it is null, empty or <NA>"):
            for value in (None, "", "<NA>"):
                expect(a_claim({"container.id": value}).unusable).to(be_empty)

        with it("means the host where it says so"):
            expect(a_host_alert().claim).to(equal(Claim(host=True, node="node-1")))
            expect(a_host_alert().claim.points_at_pod).to(be_false)

        with it("contradicts a pod where it says that it is the host"):
            for fields in ({"k8s.pod.name": "web-0"}, {"k8smeta.pod.uid": UID}):
                expect(a_claim({"container.id": "host", **fields}).conflict).to(contain("host"))

    with description("of a source that knows no pods"):
        with it("points at nothing, whatever the fields say"):
            fields = {"k8s.ns.name": "shop", "k8s.pod.name": "web-0", "container.id": SHORT}
            for source in ("internal", "aws_cloudtrail", "gcp_auditlog", "okta"):
                expect(a_claim(fields, source=source)).to(equal(Claim()))

    with it("takes no name that could not be one"):
        for name in ("../../nodes/x", "web 0", "a" * 254, "", 5, ["web-0"], "web-0\n", "-"):
            expect(a_claim({"k8s.ns.name": name, "k8s.pod.name": name}).pod).to(be_empty)

    with it("says which name could not be one"):
        claim = a_claim(
            {"k8s.ns.name": "shop\ufffd", "k8s.pod.name": "web-0", "container.id": SHORT}
        )

        expect(claim.unusable).to(equal("k8s.ns.name 'shop\ufffd'"))

    with it("takes the node's name as the kubelet makes it of the host's"):
        expect(an_alert(hostname=" WORKER-1\n").claim.node).to(equal("worker-1"))

    with it("takes no host name that could change what is asked"):
        expect(an_alert(hostname="node-1,metadata.namespace=kube-system").claim.node).to(be_empty)

    with it("keeps nothing of what is too long to be a name: whoever calls the API writes it"):
        tracemalloc.start()
        for number in range(20):
            long = f"{number}{'x' * 100_000}"
            a_claim({"k8s.ns.name": long, "k8s.pod.name": long, "container.id": long})
            Claim.of("syscall", long, {"k8s.pod.name": "web-0"})
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        expect(kept).to(be_below(1_000_000))
