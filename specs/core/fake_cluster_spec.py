"""The cluster in memory does what the real one does: both run specs/support/cluster_contract.py."""

from itertools import count
from pathlib import Path

from expects import contain, expect
from mamba import before, description, it

from playbooks.core.cluster.pod import Owner, ReplicaController, Workload
from playbooks.core.cluster.selectors import Selector
from specs.support import cluster_contract as contract
from specs.support.fakes import InMemoryCluster
from specs.support.mothers import a_node, a_pod

SPECS = Path(__file__).parents[1]


class InMemoryWorld(contract.World):
    namespace = "shop"

    def __init__(self):
        self.cluster, self._numbers = InMemoryCluster(), count(1)

    def name(self):
        return f"thing-{next(self._numbers)}"

    def pod(self, *, labels=None, node="", name=None):
        name = name or self.name()
        metadata = {"labels": dict(labels or {})}
        pod = a_pod(name, uid=f"uid-{self.name()}", node=node, metadata=metadata)
        self.cluster.pods[pod.namespace, pod.name] = pod
        return pod

    def another_in_place_of(self, pod):
        another = self.pod(name=pod.name)
        another.manifest["metadata"]["resourceVersion"] = "7"
        return another

    def event(self, pod, reason):
        self.cluster.events.setdefault(pod.uid, []).append({"reason": reason})

    def node(self):
        node = a_node(self.name())
        self.cluster.known_nodes[node.name] = node
        return node

    def service(self, selector):
        self.cluster.services += [selector] if selector else []

    def owner(self, kind, labels):
        owner = Owner(kind, self.name())
        self.cluster.owner_selectors[str(owner)] = Selector(labels)
        self.cluster.controllers.append(ReplicaController(owner, Selector(labels), 0, 0))
        return owner

    def annotated_namespace(self, annotations):
        name = self.name()
        self.cluster.namespaces[name] = annotations
        return name

    def workload(self, kind, replicas):
        workload = Workload(kind, self.name(), replicas)
        owner = Owner("ReplicaSet" if kind == "Deployment" else kind, workload.name)
        self.cluster.workloads[str(owner)] = workload
        return owner, workload

    def claim(self, mode):
        name = self.name()
        self.cluster.claims[name] = (mode,)
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


with description("The contract of clusters") as self:
    with it("is checked in full, in memory and on the real API"):
        for spec in ("core/fake_cluster_spec.py", "infrastructure/kubernetes_cluster_spec.py"):
            text = (SPECS / spec).read_text(encoding="utf-8")
            for name in contract.CHECKS:
                expect(text).to(contain(f"contract.{name}(self.world)"))
