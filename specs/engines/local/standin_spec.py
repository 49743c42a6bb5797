import json
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

from expects import be_empty, contain, equal, expect, have_len, raise_error
from mamba import after, before, description, it

from playbooks.core.errors import AlreadyExists, Conflict, NotFound, NotTheSameObject, Refused
from playbooks.core.pod import Owner
from playbooks.core.selectors import Selector
from playbooks.engines.local.standin.objects import Objects
from playbooks.engines.local.standin.scene import scene
from specs.support.conditions import Condition, not_run_unless
from specs.support.mothers import a_policy, an_alert

KMOCK = Condition(find_spec("kmock") is not None, "kmock is not installed (Python 3.11 and later)")

if KMOCK.holds:
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import load_kube_config

    from playbooks.engines.local.standin.server import StandIn
    from playbooks.infrastructure.kubernetes_api import KubernetesApi
    from playbooks.infrastructure.kubernetes_cluster import KubernetesCluster

REPLICA = "web-7d59548d75-wh44s"


def client_of(stand_in):
    """The adapter, connected by the kubeconfig that the stand-in writes."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "kubeconfig"
        stand_in.write_kubeconfig(path)
        configuration = Configuration()
        load_kube_config(config_file=str(path), client_configuration=configuration)
    configuration.proxy = None
    api = KubernetesApi()
    api._client = ApiClient(configuration)
    return KubernetesCluster(api)


def get(url):
    with urlopen(url) as answer:
        return json.load(answer)


with description("The stand-in, to the client of the Kubernetes API,") as self:
    with before.all:
        os.environ.setdefault("NO_PROXY", "127.0.0.1")
        self.objects = Objects()
        self.stand_in = StandIn(self.objects).__enter__()
        self.cluster = client_of(self.stand_in)

    with after.all:
        self.stand_in.__exit__(None, None, None)

    def a_fresh_pod(self, name):
        for manifest in scene([an_alert(pod=name)]):
            self.objects.put(manifest)
        return self.cluster.pod(name, namespace="shop")

    with it("has the pod that was put"):
        expect(str(self.a_fresh_pod("web-0"))).to(equal("pod shop/web-0"))

    with it("does not find other pods"):
        expect(lambda: self.cluster.pod("none", namespace="shop")).to(raise_error(NotFound))

    with it("lists the pods of a node, in a namespace and in all"):
        self.a_fresh_pod("web-9")
        everywhere = self.cluster.pods_on("node-1", namespaces=())
        there = self.cluster.pods_on("node-1", namespaces=("shop",))

        expect([pod.name for pod in everywhere]).to(contain("web-9"))
        expect([pod.name for pod in there]).to(contain("web-9"))
        expect(self.cluster.pods_on("node-1", namespaces=("bank",))).to(be_empty)
        expect(self.cluster.pods_on("node-2", namespaces=())).to(be_empty)

    with it("deletes a pod of that uid"):
        pod = self.a_fresh_pod("web-1")
        self.cluster.delete_pod(pod, grace_period_seconds=1)

        expect(lambda: self.cluster.pod("web-1", namespace="shop")).to(raise_error(NotFound))
        expect(lambda: self.cluster.delete_pod(pod, grace_period_seconds=1)).to(
            raise_error(NotFound)
        )

    with it("keeps a pod of another uid"):
        pod = self.a_fresh_pod("web-2")
        pod.manifest["metadata"]["uid"] = "another"

        expect(lambda: self.cluster.delete_pod(pod, grace_period_seconds=1)).to(
            raise_error(NotTheSameObject)
        )

    with it("sets and takes off labels of a pod"):
        pod = self.a_fresh_pod("web-3")
        self.cluster.patch_pod(pod, labels={"run": None, "a": "b"}, annotations={"c": "d"})
        found = self.cluster.pod("web-3", namespace="shop")

        expect(found.labels).to(equal({"a": "b"}))
        expect(found.annotations).to(equal({"c": "d"}))

    with it("refuses to patch a pod that was written since"):
        pod = self.a_fresh_pod("web-4")
        self.cluster.patch_pod(pod, labels={"a": "b"}, annotations={})

        expect(lambda: self.cluster.patch_pod(pod, labels={"a": "c"}, annotations={})).to(
            raise_error(Conflict)
        )

    with it("sets taints, and refuses to on a node that was written since"):
        self.a_fresh_pod("web-5")
        node = self.cluster.node("node-1")
        taint = {"key": "falco/alert", "value": "true", "effect": "NoSchedule"}
        self.cluster.set_taints(node, taints=[*node.taints, taint])

        expect(self.cluster.node("node-1").taints).to(equal((*node.taints, taint)))
        expect(lambda: self.cluster.set_taints(node, taints=[])).to(raise_error(Conflict))

    with it("stores, lists and replaces policies"):
        policy = a_policy("mine")
        del policy["metadata"]["resourceVersion"]
        self.cluster.create_network_policy(policy)
        (stored,) = self.cluster.network_policies("shop")
        changed = {**stored, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}
        self.cluster.replace_network_policy(changed)

        expect(self.cluster.network_policies("shop")[0]["spec"]).to(equal(changed["spec"]))
        expect(lambda: self.cluster.replace_network_policy(changed)).to(raise_error(Conflict))
        expect(lambda: self.cluster.create_network_policy(policy)).to(raise_error(AlreadyExists))
        expect(self.cluster.network_policies("bank")).to(have_len(0))

    with it("knows the owner of a replica, and its Service"):
        pod = self.a_fresh_pod(REPLICA)

        expect(self.cluster.owner_selector(pod.owner, namespace="shop").selects(pod.labels)).to(
            equal(True)
        )
        expect(self.cluster.service_selectors("shop")).to(contain(Selector({"app": "web"})))
        expect(
            lambda: self.cluster.owner_selector(
                Owner("ReplicationController", "none"), namespace="shop"
            )
        ).to(raise_error(NotFound))

    with it("knows no claim"):
        expect(lambda: self.cluster.access_modes("data", namespace="shop")).to(
            raise_error(NotFound)
        )

    with it("refuses what the API refuses"):
        pod = self.a_fresh_pod("web-6")
        pod.manifest["metadata"]["uid"] = "another"

        expect(lambda: self.cluster.patch_pod(pod, labels={}, annotations={})).to(
            raise_error(Refused)
        )

    with it("tells what it serves, as kubectl asks"):
        resources = [each["name"] for each in get(f"{self.stand_in.url}/api/v1")["resources"]]

        expect(resources).to(contain("pods", "nodes", "services"))


not_run_unless(KMOCK, globals())
