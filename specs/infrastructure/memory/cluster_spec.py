"""The cluster in memory does what the real one does: both run specs/support/cluster_contract.py."""

from itertools import count
from pathlib import Path

from expects import be_empty, contain, equal, expect, raise_error
from mamba import before, description, it

from playbooks.core.cluster.pod import Owner, Pod, Workload
from playbooks.core.errors import Conflict
from playbooks.infrastructure.memory.cluster import MemoryCluster
from specs.support import cluster_contract as contract
from specs.support.fakes import FixedClock
from specs.support.mothers import (
    a_claim,
    a_namespace,
    a_node,
    a_pod,
    a_replica_controller,
    a_service,
    an_event,
)

SPECS = Path(__file__).parents[2]


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

    with it("reads a pod"):
        contract.reads_a_pod(self.world)

    with it("finds no pod"):
        contract.finds_no_pod(self.world)

    with it("finds no pod in a missing namespace"):
        contract.finds_no_pod_in_a_missing_namespace(self.world)

    with it("lists the pods of a node"):
        contract.lists_the_pods_of_a_node(self.world)

    with it("deletes a pod"):
        contract.deletes_a_pod(self.world)

    with it("does not delete a pod twice"):
        contract.does_not_delete_a_pod_twice(self.world)

    with it("does not delete a pod of another uid"):
        contract.does_not_delete_a_pod_of_another_uid(self.world)

    with it("does not delete a pod that took its place"):
        contract.does_not_delete_a_pod_that_took_its_place(self.world)

    with it("deletes a pod that was written since"):
        contract.deletes_a_pod_that_was_written_since(self.world)

    with it("sets labels and annotations"):
        contract.sets_labels_and_annotations(self.world)

    with it("takes annotations off"):
        contract.takes_annotations_off(self.world)

    with it("lists labelled pods"):
        contract.lists_labelled_pods(self.world)

    with it("keeps other annotations"):
        contract.keeps_other_annotations(self.world)

    with it("does not patch a pod that was written since"):
        contract.does_not_patch_a_pod_that_was_written_since(self.world)

    with it("does not patch a pod that took its place"):
        contract.does_not_patch_a_pod_that_took_its_place(self.world)

    with it("does not patch a pod that is gone"):
        contract.does_not_patch_a_pod_that_is_gone(self.world)

    with it("has an empty log of a pod without a node"):
        contract.has_an_empty_log_of_a_pod_without_a_node(self.world)

    with it("has no log of a container that is not there"):
        contract.has_no_log_of_a_container_that_is_not_there(self.world)

    with it("has no log of a pod that is gone"):
        contract.has_no_log_of_a_pod_that_is_gone(self.world)

    with it("lists the Events of a pod"):
        contract.lists_the_events_of_a_pod(self.world)

    with it("finds no node"):
        contract.finds_no_node(self.world)

    with it("sets taints"):
        contract.sets_taints(self.world)

    with it("sets annotations with taints"):
        contract.sets_annotations_with_taints(self.world)

    with it("sets a field of a node's spec and keeps its taints"):
        contract.sets_a_field_of_a_nodes_spec_and_keeps_its_taints(self.world)

    with it("does not patch a node that was written since"):
        contract.does_not_patch_a_node_that_was_written_since(self.world)

    with it("does not patch a missing node"):
        contract.does_not_patch_a_missing_node(self.world)

    with it("lists the nodes"):
        contract.lists_the_nodes(self.world)

    with it("reads the annotations of a namespace"):
        contract.reads_the_annotations_of_a_namespace(self.world)

    with it("finds no namespace"):
        contract.finds_no_namespace(self.world)

    with it("reads the deployment of a replica set"):
        contract.reads_the_deployment_of_a_replica_set(self.world)

    with it("reads a stateful set"):
        contract.reads_a_stateful_set(self.world)

    with it("reads a replication controller"):
        contract.reads_a_replication_controller(self.world)

    with it("reads a job"):
        contract.reads_a_job(self.world)

    with it("takes an owner of an unknown kind for the workload"):
        contract.takes_an_owner_of_an_unknown_kind_for_the_workload(self.world)

    with it("takes an owner that is gone for the workload"):
        contract.takes_an_owner_that_is_gone_for_the_workload(self.world)

    with it("stores a policy"):
        contract.stores_a_policy(self.world)

    with it("does not store a policy twice"):
        contract.does_not_store_a_policy_twice(self.world)

    with it("replaces a policy"):
        contract.replaces_a_policy(self.world)

    with it("does not replace a policy that was written since"):
        contract.does_not_replace_a_policy_that_was_written_since(self.world)

    with it("does not replace a missing policy"):
        contract.does_not_replace_a_missing_policy(self.world)

    with it("deletes a policy"):
        contract.deletes_a_policy(self.world)

    with it("does not delete a policy that was written since"):
        contract.does_not_delete_a_policy_that_was_written_since(self.world)

    with it("lists the selectors of services"):
        contract.lists_the_selectors_of_services(self.world)

    with it("reads the selector of a replica set"):
        contract.reads_the_selector_of_a_replica_set(self.world)

    with it("lists replica controllers"):
        contract.lists_replica_controllers(self.world)

    with it("reads the selector of a replication controller"):
        contract.reads_the_selector_of_a_replication_controller(self.world)

    with it("finds no owner"):
        contract.finds_no_owner(self.world)

    with it("reads the access modes of a claim"):
        contract.reads_the_access_modes_of_a_claim(self.world)

    with it("finds no claim"):
        contract.finds_no_claim(self.world)

    with description("beside that"):
        with it("keeps a pod that finalizers hold, terminating from the time of its deletion"):
            pod = self.world.pod(finalizers=["somebody/else"])
            self.world.cluster.delete_pod(pod, grace_period_seconds=30)
            held = self.world.cluster.pod(pod.name, namespace="shop")
            self.world.cluster.delete_pod(held, grace_period_seconds=0)

            expect(str(held.terminates_at)[:19]).to(equal("2026-01-02T03:04:05"))
            expect(self.world.cluster.pod(pod.name, namespace="shop")).to(equal(held))

        with it("gives a policy another uid than the one of the same name before it"):
            policy = contract.a_manifest("deny", "shop")
            self.world.cluster.create_network_policy(policy)
            (first,) = self.world.cluster.network_policies("shop")
            self.world.cluster.delete_network_policy(first)
            self.world.cluster.create_network_policy(policy)

            expect(lambda: self.world.cluster.delete_network_policy(first)).to(
                raise_error(Conflict)
            )

        with it("keeps policies of one name in two namespaces apart"):
            for namespace in ("shop", "bank"):
                self.world.cluster.create_network_policy(contract.a_manifest("deny", namespace))
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


with description("The contract of clusters") as self:
    with it("is checked in full, in memory and on the real API"):
        for spec in (
            "infrastructure/memory/cluster_spec.py",
            "infrastructure/kubernetes_cluster_spec.py",
        ):
            text = (SPECS / spec).read_text(encoding="utf-8")
            for name in contract.CHECKS:
                expect(text).to(contain(f"contract.{name}(self.world)"))
