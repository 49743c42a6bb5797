import json
from pathlib import Path

from expects import be_empty, be_none, contain, equal, expect, have_length
from mamba import description, it

from playbooks.core.alert import Alert
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Owner, Pod, controller
from playbooks.core.errors import InvalidAlert
from playbooks.engines.local.standin.scene import scene
from specs.support.mothers import a_host_alert, an_alert, an_audit_alert

RECORDED = Path(__file__).parents[2] / "support" / "alerts" / "falco_alerts.jsonl"


def of_kind(kind, *alerts):
    return [each for each in scene(alerts) if each["kind"] == kind]


def the_pod(*alerts):
    (manifest,) = of_kind("Pod", *alerts)
    return Pod(manifest)


with description("The scene of alerts") as self:
    with it("has the running pod of an alert, with its container, on its node"):
        pod = the_pod(an_alert(hostname="node-7"))

        expect(str(pod)).to(equal("pod shop/web-0"))
        expect(pod.phase).to(equal("Running"))
        expect(pod.node).to(equal("node-7"))
        expect(pod.container("1376fe875695")).not_to(be_none)
        expect(pod.containers[0].ids[0]).to(have_length(64))

    with it("is the same each time"):
        expect(scene([an_alert()])).to(equal(scene([an_alert()])))

    with it("has the uid that the alert gives"):
        expect(the_pod(an_alert(uid="u-1")).uid).to(equal("u-1"))

    with it("believes the latest of the alerts about one pod"):
        early = an_alert(container_id="aaaaaaaaaaaa", time="2026-01-01T00:00:00Z")
        late = an_alert(container_id="bbbbbbbbbbbb", time="2026-01-02T00:00:00Z")

        for alerts in ((early, late), (late, early)):
            expect(the_pod(*alerts).container("bbbbbbbbbbbb")).not_to(be_none)
            expect(the_pod(*alerts).container("aaaaaaaaaaaa")).to(be_none)

    with it("has the pod before the alert"):
        pod = the_pod(an_alert(time="2026-01-02T01:30:00.5Z"))

        expect(str(pod.created)).to(equal("2026-01-02T00:30:00.000000000Z"))

    with it("gives a replica its ReplicaSet, of a Deployment, and a Service"):
        alert = an_alert(pod="mysql-db-7d59548d75-wh44s")
        pod, (owner,), (service,) = (
            the_pod(alert),
            of_kind("ReplicaSet", alert),
            of_kind("Service", alert),
        )

        expect(str(pod.owner)).to(equal("ReplicaSet mysql-db-7d59548d75"))
        expect(controller(owner["metadata"])).to(equal(Owner("Deployment", "mysql-db")))
        expect(owner["spec"]["selector"]["matchLabels"]).to(equal(pod.labels))
        expect(service["spec"]["selector"]).to(equal({"app": "mysql-db"}))

    with it("leaves other pods alone"):
        for name in ("web-0", "alpine", "falco-74htl", "my-app"):
            expect(the_pod(an_alert(pod=name)).owner).to(be_none)

    with it("has each node with a taint of somebody else"):
        node, _ = of_kind("Node", an_alert(), an_alert(pod="web-1"))

        expect(node["metadata"]["name"]).to(equal("node-1"))
        expect(node["spec"]["taints"][0]["key"]).to(equal("dedicated"))

    with it("has nodes that are ready and take pods, and more than one of them"):
        nodes = [Node(each) for each in of_kind("Node", an_alert())]

        expect([node.name for node in nodes]).to(equal(["node-1", "node-2"]))
        for node in nodes:
            expect([node.ready, node.schedulable, node.control_plane]).to(
                equal([True, True, False])
            )

    with it("has the namespaces of its pods"):
        (namespace,) = of_kind("Namespace", an_alert(), an_alert(pod="web-1"))

        expect(namespace["metadata"]["name"]).to(equal("shop"))

    with it("has the node of a host alert"):
        node, _ = of_kind("Node", a_host_alert(hostname="worker-3"))

        expect(node["metadata"]["name"]).to(equal("worker-3"))

    with it("has the pod of an audit alert, though nothing proves it"):
        expect(str(the_pod(an_audit_alert()))).to(equal("pod shop/web-0"))

    with it("has nothing for alerts that do not give namespace and name"):
        expect(scene([an_alert(namespace=None), an_alert(source="okta")])).to(be_empty)

    with it("of the recorded alerts has the pods that they name"):
        alerts = []
        for line in RECORDED.read_text().splitlines():
            try:
                alerts.append(Alert.parse(line))
            except InvalidAlert:
                expect(json.loads(line)["rule"]).to(equal("Fake rule"))
        names = [each["metadata"]["name"] for each in of_kind("Pod", *alerts)]

        expect(names).to(have_length(7))
        expect(names).to(contain("hellofalco", "mysql-db-7d59548d75-wh44s"))
