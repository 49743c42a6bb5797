import json
import tempfile
from pathlib import Path

from expects import be_empty, be_none, contain, equal, expect, have_length, raise_error
from mamba import after, before, description, it

from playbooks.core.alert import Alert
from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.workload import Owner, controller
from playbooks.core.errors import InvalidAlert, NotFound
from playbooks.infrastructure.memory.cluster import MemoryCluster
from playbooks.infrastructure.memory.scene import Scene, owner_of, scene
from playbooks.testing import CONTAINER, a_host_alert, an_alert, an_audit_alert

ALERTS = Path(__file__).parents[2] / "support" / "alerts"


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
        for name in ("alpine", "falco-74htl", "my-app"):
            expect(the_pod(an_alert(pod=name)).owner).to(be_none)

    with it("gives a pod with a number its StatefulSet, and a Service"):
        alert = an_alert(pod="db-0")
        (owner,), (service,) = of_kind("StatefulSet", alert), of_kind("Service", alert)

        expect(the_pod(alert).owner).to(equal(Owner("StatefulSet", "db")))
        expect(owner["spec"]["selector"]["matchLabels"]).to(equal({"app": "db"}))
        expect(service["spec"]["selector"]).to(equal({"app": "db"}))

    with it("says how many pods a workload wants, or not"):
        alert = an_alert(pod="db-0")
        found = [
            each["spec"].get("replicas")
            for replicas in (3, None)
            for each in scene([alert], replicas=replicas)
            if each["kind"] == "StatefulSet"
        ]

        expect(found).to(equal([3, None]))

    with it("takes a name that no controller makes for nobody's"):
        expect([owner_of("my-app"), owner_of("web-12345")]).to(equal([None, None]))

    with it("has each node with a taint of somebody else"):
        node, _ = of_kind("Node", an_alert(), an_alert(pod="web-1"))

        expect(node["metadata"]["name"]).to(equal("node-1"))
        expect(node["spec"]["taints"][0]["key"]).to(equal("dedicated"))

    with it("has nodes that are ready and take pods, and more than one of them"):
        nodes = [Node(each) for each in of_kind("Node", an_alert())]

        expect([node.name for node in nodes]).to(equal(["node-1", "node-2"]))
        for node in nodes:
            expect([node.takes_pods_of(Node({})), node.control_plane]).to(equal([True, False]))

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
        for line in (ALERTS / "falco_alerts.jsonl").read_text().splitlines():
            try:
                alerts.append(Alert.parse(line))
            except InvalidAlert:
                expect(json.loads(line)["rule"]).to(equal("Fake rule"))
        names = [each["metadata"]["name"] for each in of_kind("Pod", *alerts)]

        expect(names).to(have_length(7))
        expect(names).to(contain("hellofalco", "mysql-db-7d59548d75-wh44s"))


with description("A scene in a cluster") as self:
    with before.each:
        self.cluster = MemoryCluster()
        self.scene = Scene(self.cluster)

    with it("has the pod of an alert, on its node, in its namespace"):
        self.scene.expect([an_alert()])
        pod = self.cluster.pod("web-0", namespace="shop")

        expect(pod.container(CONTAINER[:12]).name).to(equal("main"))
        expect(self.cluster.node(pod.node).taints[0]["key"]).to(equal("dedicated"))
        expect(self.cluster.namespace_annotations("shop")).to(be_empty)

    with it("puts each object once, also where it was deleted since"):
        self.scene.expect([an_alert()])
        pod = self.cluster.pod("web-0", namespace="shop")
        self.cluster.delete_pod(pod, grace_period_seconds=0)
        self.scene.expect([an_alert()])

        expect(lambda: self.cluster.pod("web-0", namespace="shop")).to(raise_error(NotFound))
        expect(self.scene.pods()).to(equal([("shop/web-0", None)]))

    with it("says which pods were ever there, and what is there now"):
        self.scene.expect([an_alert(), an_alert(pod="web-1")])

        expect([(name, pod.name) for name, pod in self.scene.pods()]).to(
            equal([("shop/web-0", "web-0"), ("shop/web-1", "web-1")])
        )


def why(path):
    try:
        Scene(MemoryCluster()).load(path)
    except ValueError as error:
        return str(error)
    raise AssertionError("it was loaded")


with description("A file of objects for a scene") as self:
    with before.each:
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "stand-in.yaml"
        self.cluster = MemoryCluster()
        self.scene = Scene(self.cluster)

    with after.each:
        self.directory.cleanup()

    with it("adds its objects, times as they are written"):
        self.scene.load(ALERTS / "stand-in.yaml")
        ((_, pod),) = self.scene.pods()

        expect(pod.manifest["metadata"]["deletionTimestamp"]).to(equal("2021-04-10T19:27:21Z"))
        expect(pod.node).to(equal("node-1"))

    with it("leaves out what it says is gone, whatever alerts say"):
        self.scene.load(ALERTS / "stand-in.yaml")
        name = "poolmgr-go-default-516098-5bdbf8c8f5-g8gvc"
        self.scene.expect([an_alert(namespace="fission-function", pod=name)])

        expect(lambda: self.cluster.pod(name, namespace="fission-function")).to(
            raise_error(NotFound)
        )

    with it("gives an object a uid and a beginning where it has none"):
        self.path.write_text("kind: Pod\nmetadata: {name: web-0, namespace: shop}")
        self.scene.load(self.path)
        pod = self.cluster.pod("web-0", namespace="shop")

        expect(pod.uid).not_to(be_empty)
        expect(str(pod.created)).to(contain("1970-01-01"))

    with it("is refused where it is no YAML, with its name"):
        self.path.write_text("a: [")

        expect(why(self.path)).to(contain(str(self.path)))

    with it("is refused where a kind is not known"):
        self.path.write_text("kind: Lease\nmetadata: {name: web}")

        expect(why(self.path)).to(contain("expected objects of kind Pod"))

    with it("is refused where an object has no name"):
        self.path.write_text("kind: Pod")

        expect(why(self.path)).to(contain("a Pod has no metadata.name"))

    with it("is refused where it is not there"):
        expect(why(self.path)).to(contain("No such file"))
