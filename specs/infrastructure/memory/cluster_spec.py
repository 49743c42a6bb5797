"""The cluster in memory does what the real one does: see specs/support/contracts/cluster.py."""

from itertools import count

from expects import be_empty, equal, expect, raise_error
from mamba import before, description, it

from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.workload import Owner, Workload
from playbooks.core.errors import Conflict
from playbooks.infrastructure.memory.cluster import MemoryCluster
from playbooks.testing import (
    FixedClock,
    a_claim,
    a_namespace,
    a_new_policy,
    a_node,
    a_pod,
    a_replica_controller,
    a_service,
    an_event,
)
from specs.support.contracts import cluster as contract
from specs.support.contracts.examples import examples_of


class InMemoryWorld(contract.World):
    namespace = "shop"

    def __init__(self):
        self.cluster, self._numbers = MemoryCluster(FixedClock()), count(1)

    def name(self):
        return f"thing-{next(self._numbers)}"

    def pod(self, *, labels=None, node="", name=None, **metadata):
        name = name or self.name()
        metadata = {"labels": dict(labels or {}), **metadata}
        pod = a_pod(name, uid=f"uid-{self.name()}", node=node, metadata=metadata)
        self.cluster.put(pod.manifest, "Pod")
        return pod

    def another_in_place_of(self, pod):
        return self.pod(name=pod.name, resourceVersion="7")

    def event(self, pod, reason):
        self.cluster.put(an_event(pod, reason))

    def node(self):
        node = a_node(self.name())
        self.cluster.put(node.manifest, "Node")
        return node

    def service(self, selector):
        self.cluster.put(a_service(self.name(), selector=selector))

    def owner(self, kind, labels):
        name = self.name()
        self.cluster.put(a_replica_controller(name, kind=kind, labels=labels, replicas=0))
        return Owner(kind, name)

    def annotated_namespace(self, annotations):
        name = self.name()
        self.cluster.put(a_namespace(name, annotations))
        return name

    def workload(self, kind, replicas):
        workload = Workload(kind, self.name(), replicas)
        owner = Owner(kind, workload.name)
        manifest = a_replica_controller(workload.name, kind=kind, replicas=replicas)
        if kind == "Deployment":
            owner = Owner("ReplicaSet", f"{workload.name}-6d5f")
            above = f"{kind}/{workload.name}"
            manifest = a_replica_controller(owner.name, replicas=replicas, owner=above)
        elif kind == "Job":
            manifest["spec"]["parallelism"] = replicas
        self.cluster.put(manifest)
        return owner, workload

    def claim(self, mode):
        name = self.name()
        self.cluster.put(a_claim(name, mode))
        return name


with description("A cluster in memory") as self:
    with before.each:
        self.world = InMemoryWorld()

    locals().update(examples_of(contract, lambda self: [self.world]))

    with it("lists where the API servers are, where that is known"):
        expect(self.world.cluster.api_servers()).to(equal(()))
        self.world.cluster.put(
            {
                "kind": "Endpoints",
                "metadata": {"name": "kubernetes", "namespace": "default"},
                "subsets": [{"addresses": [{"ip": "10.0.0.7"}, {"ip": "10.0.0.8"}]}],
            }
        )
        expect(self.world.cluster.api_servers()).to(equal(("10.0.0.7", "10.0.0.8")))

    with description("beside that"):
        with it("keeps a pod that finalizers hold, terminating from the time of its deletion"):
            pod = self.world.pod(finalizers=["somebody/else"])
            self.world.cluster.delete_pod(pod, grace_period_seconds=30)
            held = self.world.cluster.pod(pod.name, namespace="shop")
            self.world.cluster.delete_pod(held, grace_period_seconds=0)

            expect(str(held.terminates_at)[:19]).to(equal("2026-01-02T03:04:05"))
            expect(self.world.cluster.pod(pod.name, namespace="shop")).to(equal(held))

        with it("gives a policy another uid than the one of the same name before it"):
            policy = a_new_policy("deny", "shop")
            self.world.cluster.create_network_policy(policy)
            (first,) = self.world.cluster.network_policies("shop")
            self.world.cluster.delete_network_policy(first)
            self.world.cluster.create_network_policy(policy)

            expect(lambda: self.world.cluster.delete_network_policy(first)).to(
                raise_error(Conflict)
            )

        with it("keeps policies of one name in two namespaces apart"):
            for namespace in ("shop", "bank"):
                self.world.cluster.create_network_policy(a_new_policy("deny", namespace))
            (found,) = self.world.cluster.network_policies("bank")
            self.world.cluster.delete_network_policy(found)

            expect(self.world.cluster.network_policies("shop")).not_to(be_empty)

        with it("lists the objects of a kind by namespace and name"):
            for name, namespace in (("b", "shop"), ("a", "shop"), ("c", "bank")):
                self.world.cluster.put(a_pod(name, namespace=namespace).manifest, "Pod")
            found = [str(Pod(manifest)) for manifest in self.world.cluster.objects("Pod")]

            expect(found).to(equal(["pod bank/c", "pod shop/a", "pod shop/b"]))

        with it("gives out what it had of a namespace, and takes it back"):
            pod = self.world.pod()
            taken = self.world.cluster.take("shop")

            expect(self.world.cluster.objects("Pod")).to(be_empty)
            for kind, manifest in taken:
                self.world.cluster.put(manifest, kind)
            expect(self.world.cluster.pod(pod.name, namespace="shop")).to(equal(pod))
