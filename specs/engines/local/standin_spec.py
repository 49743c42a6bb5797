import json
import os
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.request import urlopen

from expects import be_empty, contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Owner, Pod, Workload
from playbooks.core.errors import Refused
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.engines.local.standin.kinds import BY_NAME
from playbooks.engines.local.standin.objects import Objects
from playbooks.engines.local.standin.scene import scene
from specs.support import cluster_contract as contract
from specs.support import ledger_contract
from specs.support.conditions import Condition, not_run_unless
from specs.support.fakes import FakeOwnPod, FixedClock
from specs.support.mothers import CONTAINER, an_alert

KMOCK = Condition(find_spec("kmock") is not None, "kmock is not installed (Python 3.11 and later)")

if KMOCK.holds:
    from playbooks.engines.local.standin.server import StandIn
    from playbooks.infrastructure.kubernetes.api import KubernetesApi
    from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
    from playbooks.infrastructure.kubernetes.connect import as_kubectl
    from playbooks.infrastructure.kubernetes.events import KubernetesEvents
    from playbooks.infrastructure.kubernetes.ledger import ConfigMapLedger


class StandInWorld(contract.World):
    namespace = "shop"

    def __init__(self, objects, cluster):
        self.objects, self.cluster, self._numbers = objects, cluster, count(1)

    def name(self):
        return f"thing-{next(self._numbers)}"

    def stored(self, kind, name, *, namespace="shop", spec=None, **metadata):
        body = {"metadata": {"name": name, **metadata}, "spec": spec or {}}
        return self.objects.create(BY_NAME[kind], namespace, body)

    def pod(self, *, labels=None, node="", name=None):
        spec = {"nodeName": node, "containers": [{"name": "main"}]}
        return Pod(self.stored("Pod", name or self.name(), spec=spec, labels=dict(labels or {})))

    def another_in_place_of(self, pod):
        self.objects.delete(BY_NAME["Pod"], pod.namespace, pod.name, {})
        return self.pod(name=pod.name)

    def event(self, pod, reason):
        event = {
            "kind": "Event",
            "metadata": {"name": self.name(), "namespace": pod.namespace},
            "involvedObject": {"uid": pod.uid},
            "reason": reason,
        }
        self.objects.put(event)

    def node(self):
        return Node(self.stored("Node", self.name(), namespace=""))

    def service(self, selector):
        self.stored("Service", self.name(), spec={"selector": selector} if selector else {})

    def owner(self, kind, labels):
        name = self.name()
        selector = {"matchLabels": labels} if kind == "ReplicaSet" else labels
        self.stored(kind, name, spec={"selector": selector, "replicas": 0})
        return Owner(kind, name)

    def annotated_namespace(self, annotations):
        name = self.name()
        self.stored("Namespace", name, namespace="", annotations=annotations)
        return name

    def workload(self, kind, replicas):
        workload = Workload(kind, self.name(), replicas)
        number = "parallelism" if kind == "Job" else "replicas"
        if kind != "Deployment":
            spec = {number: replicas, "selector": {}}
            self.stored(kind, workload.name, spec=spec)
            return Owner(kind, workload.name), workload
        above = {"kind": kind, "name": workload.name, "controller": True}
        name = f"{workload.name}-6d5f"
        spec = {number: replicas, "selector": {}}
        self.stored("ReplicaSet", name, spec=spec, ownerReferences=[above])
        return Owner("ReplicaSet", name), workload

    def claim(self, mode):
        return self.stored("PersistentVolumeClaim", self.name(), spec={"accessModes": [mode]})[
            "metadata"
        ]["name"]


def client_of(stand_in):
    """The adapter, connected by the kubeconfig that the stand-in writes."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "kubeconfig"
        stand_in.write_kubeconfig(path)
        target = as_kubectl({"KUBECONFIG": str(path)})
    return KubernetesCluster(KubernetesApi(connect=target.connect))


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

    with it("does what every cluster does"):
        collaborators, broken = StandInWorld(self.objects, self.cluster), []
        for name in contract.CHECKS:
            try:
                getattr(contract, name)(collaborators)
            except Exception as error:
                broken.append(f"{name}: {error}")

        expect(broken).to(be_empty)

    with it("has the pods of a scene, on their nodes"):
        for manifest in scene([an_alert()]):
            self.objects.put(manifest)
        pod = self.cluster.pod("web-0", namespace="shop")

        expect(pod.container(CONTAINER[:12]).name).to(equal("main"))
        expect(self.cluster.node(pod.node).taints[0]["key"]).to(equal("dedicated"))

    with it("does what every ledger does"):
        broken = []
        for number, name in enumerate(ledger_contract.CHECKS):
            place = {"namespace": "shop", "name": f"ledger-{number}"}
            store, other = (ConfigMapLedger(self.cluster._api, **place) for _ in range(2))
            try:
                getattr(ledger_contract, name)(store, other)
            except Exception as error:
                broken.append(f"{name}: {error}")

        expect(broken).to(be_empty)

    with it("refuses what the API refuses"):
        pod = StandInWorld(self.objects, self.cluster).pod(name="web-6")
        pod.manifest["metadata"]["uid"] = "another"

        expect(lambda: self.cluster.patch_pod(pod, labels={}, annotations={})).to(
            raise_error(Refused)
        )

    with it("takes the Events that a playbook writes"):
        recorder = KubernetesEvents(self.cluster._api, "delete", FakeOwnPod(), FixedClock())
        target_ref = TargetRef("delete", "Pod", "web-7", "shop", "uid-1")
        done = replace(Outcome.acted("pod shop/web-7", "done", "done"), target_ref=target_ref)
        recorder.record(an_alert(), done)
        recorder.record(an_alert(), done)
        (made,) = get(f"{self.stand_in.url}/apis/events.k8s.io/v1/events")["items"]

        expect([made["reason"], made["series"]["count"]]).to(equal(["Done", 2]))

    with it("tells what it serves, as kubectl asks"):
        core = get(f"{self.stand_in.url}/api/v1")
        named = ["pods", "nodes", "namespaces", "configmaps"]
        groups = [each["name"] for each in get(f"{self.stand_in.url}/apis")["groups"]]

        expect(core["groupVersion"]).to(equal("v1"))
        expect([each["name"] for each in core["resources"]]).to(contain(*named))
        expect(groups).to(contain("apps", "batch", "networking.k8s.io"))


not_run_unless(KMOCK, globals())
