"""What every Cluster does, the one in memory and the real one: one check a function.

Each takes a World, in which it makes what it needs. specs/infrastructure/memory/cluster_spec.py
has them for examples in memory, specs/infrastructure/kubernetes/cluster_spec.py on the Kubernetes
API.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type

from expects import (
    be_empty,
    be_none,
    contain,
    equal,
    expect,
    have_key,
    have_keys,
    raise_error,
)

from playbooks.core.cluster.api_object import ApiObject, kind_of
from playbooks.core.cluster.conflicts import until_written
from playbooks.core.cluster.network_policy import LABEL
from playbooks.core.cluster.node import Node, Taint
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.policies.kinds import NETWORK_POLICY
from playbooks.core.cluster.workload import REPLICA_CONTROLLERS, Owner, Scalable, Workload
from playbooks.core.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
    NotTheSameObject,
    PlaybookError,
    Refused,
)
from playbooks.core.evidence.steps import Log
from playbooks.core.ports import Cluster
from playbooks.testing import a_new_policy

NOBODY = "00000000-0000-0000-0000-000000000000"
THEIRS: Taint = {"key": "falco-spec/theirs", "value": "a", "effect": "NoSchedule"}
OURS: Taint = {"key": "falco-spec/ours", "value": "b", "effect": "PreferNoSchedule"}


class World(ABC):
    """Where the objects of a check come from. Names are new ones each time."""

    cluster: Cluster
    namespace: str

    @abstractmethod
    def pod(self, *, labels: Optional[Mapping[str, str]] = None, node: str = "") -> Pod:
        """A stored pod, as it was stored; it may well have no containers that run."""

    @abstractmethod
    def another_in_place_of(self, pod: Pod) -> Pod:
        """A stored pod of the same name, after the pod was removed."""

    @abstractmethod
    def event(self, pod: Pod, reason: str) -> None:
        """A stored Event about the pod."""

    @abstractmethod
    def node(self) -> Node:
        """A stored node, as it was stored."""

    @abstractmethod
    def service(self, selector: Optional[Mapping[str, str]]) -> None: ...

    @abstractmethod
    def owner(self, kind: str, labels: Mapping[str, str]) -> Owner: ...

    @abstractmethod
    def claim(self, mode: str) -> str:
        """The name of a PersistentVolumeClaim."""

    @abstractmethod
    def annotated_namespace(self, annotations: Mapping[str, str]) -> str:
        """The name of a further namespace."""

    @abstractmethod
    def workload(self, kind: str, replicas: int) -> Tuple[Owner, Workload]:
        """The controller of the pods of a stored workload, and what is to be found of it."""

    @abstractmethod
    def name(self) -> str: ...


def _changed(thing: Any, **metadata: str) -> Dict[str, Any]:
    return {**thing.manifest, "metadata": {**thing.manifest["metadata"], **metadata}}


def _raises(error: Type[PlaybookError], call: Callable[[], Any]) -> None:
    expect(call).to(raise_error(error))


def _stored(world: World, pod: Pod) -> Pod:
    return world.cluster.pod(pod.name, namespace=pod.namespace)


def _labelled(world: World, pod: Pod, value: str) -> None:
    world.cluster.patch_pod(pod, labels={"written": value}, annotations={})


def _a_policy(world: World) -> Dict[str, Any]:
    return a_new_policy(world.name(), world.namespace)


def _policy(world: World, name: str) -> Mapping[str, Any]:
    found = world.cluster.network_policies(world.namespace)
    return next(policy for policy in found if policy["metadata"]["name"] == name)


# Pods


def reads_a_pod(world: World) -> None:
    pod = world.pod(labels={"app": "web"})
    found = _stored(world, pod)

    expect([found.uid, found.name, found.labels]).to(equal([pod.uid, pod.name, {"app": "web"}]))
    expect(found.resource_version).not_to(be_empty)


def reads_a_pod_again(world: World) -> None:
    pod = world.pod()
    _labelled(world, pod, "since")

    again = world.cluster.again(pod)

    expect(again.uid).to(equal(pod.uid))
    expect(again.labels).to(have_key("written", "since"))


def does_not_take_a_pod_for_one_that_had_its_name(world: World) -> None:
    pod = world.pod()
    world.another_in_place_of(pod)

    _raises(NotTheSameObject, lambda: world.cluster.again(pod))


def reads_a_node_again(world: World) -> None:
    node = world.node()
    world.cluster.patch_node(node, spec={"taints": [*node.taints, THEIRS]})

    expect(world.cluster.again(node).has_taint(THEIRS["key"], THEIRS["effect"])).to(equal(True))
    other = Node(_changed(node, uid=NOBODY))
    _raises(NotTheSameObject, lambda: world.cluster.again(other))


def reads_a_workload_again(world: World) -> None:
    owner, _ = world.workload("ReplicaSet", 2)
    known = Scalable(owner.kind, world.cluster.owner(owner, namespace=world.namespace))
    until_written(lambda: world.cluster.scale(world.cluster.again(known), 1))

    expect(world.cluster.again(known).replicas).to(equal(1))
    other = Scalable(known.kind, _changed(known, uid=NOBODY))
    _raises(NotTheSameObject, lambda: world.cluster.again(other))


def finds_no_pod(world: World) -> None:
    _raises(
        NotFound,
        lambda: world.cluster.pod(world.name(), namespace=world.namespace),
    )


def finds_no_pod_in_a_missing_namespace(world: World) -> None:
    _raises(
        NotFound,
        lambda: world.cluster.pod(world.name(), namespace=world.name()),
    )


def lists_the_pods_of_a_node(world: World) -> None:
    node = world.node().name
    here = world.pod(node=node)
    world.pod()

    for namespaces in ((), (world.namespace,)):
        found = list(world.cluster.pods_on(node, namespaces=namespaces))
        expect([pod.uid for pod in found if pod.namespace == world.namespace]).to(equal([here.uid]))
    expect(list(world.cluster.pods_on(node, namespaces=(world.name(),)))).to(be_empty)


def deletes_a_pod(world: World) -> None:
    pod = world.pod()
    world.cluster.delete_pod(pod, grace_period_seconds=1)

    _raises(NotFound, lambda: _stored(world, pod))


def does_not_delete_a_pod_twice(world: World) -> None:
    pod = world.pod()
    world.cluster.delete_pod(pod, grace_period_seconds=1)

    _raises(NotFound, lambda: world.cluster.delete_pod(pod, grace_period_seconds=1))


def does_not_delete_a_pod_of_another_uid(world: World) -> None:
    pod = world.pod()
    other = Pod(_changed(pod, uid=NOBODY))

    _raises(NotTheSameObject, lambda: world.cluster.delete_pod(other, grace_period_seconds=1))
    expect(_stored(world, pod).uid).to(equal(pod.uid))


def does_not_delete_a_pod_that_took_its_place(world: World) -> None:
    pod = world.pod()
    other = world.another_in_place_of(pod)

    _raises(NotTheSameObject, lambda: world.cluster.delete_pod(pod, grace_period_seconds=0))
    expect(_stored(world, pod).uid).to(equal(other.uid))


def deletes_a_pod_that_was_written_since(world: World) -> None:
    pod = world.pod()
    _labelled(world, pod, "since")
    world.cluster.delete_pod(pod, grace_period_seconds=1)

    _raises(NotFound, lambda: _stored(world, pod))


def deletes_a_pod_that_is_as_it_is_remembered(world: World) -> None:
    pod = world.pod()
    remembered = Pod(pod.manifest, remembered=True)
    world.cluster.delete_pod(remembered, grace_period_seconds=1)

    _raises(NotFound, lambda: _stored(world, pod))


def does_not_delete_a_remembered_pod_that_was_written_since(world: World) -> None:
    remembered = Pod(world.pod().manifest, remembered=True)
    _labelled(world, remembered, "since")

    _raises(Conflict, lambda: world.cluster.delete_pod(remembered, grace_period_seconds=1))
    expect(_stored(world, remembered).uid).to(equal(remembered.uid))


def evicts_a_pod(world: World) -> None:
    pod = world.pod()
    world.cluster.evict_pod(pod)

    _raises(NotFound, lambda: _stored(world, pod))
    _raises(NotFound, lambda: world.cluster.evict_pod(pod))


def does_not_evict_a_pod_of_another_uid(world: World) -> None:
    pod = world.pod()
    other = Pod(_changed(pod, uid=NOBODY))

    _raises(NotTheSameObject, lambda: world.cluster.evict_pod(other))
    expect(_stored(world, pod).uid).to(equal(pod.uid))


def does_not_evict_a_pod_that_was_written_since(world: World) -> None:
    pod = world.pod()
    _labelled(world, pod, "since")

    _raises(Conflict, lambda: world.cluster.evict_pod(pod))
    expect(_stored(world, pod).uid).to(equal(pod.uid))


def scales_a_workload_as_it_was_read(world: World) -> None:
    owner, _ = world.workload("ReplicaSet", 2)

    def read() -> Scalable:
        return Scalable(owner.kind, world.cluster.owner(owner, namespace=world.namespace))

    before = read()
    # Its controller writes its status meanwhile.
    until_written(lambda: world.cluster.scale(read(), 1))

    expect((before.replicas, read().replicas)).to(equal((2, 1)))
    _raises(Conflict, lambda: world.cluster.scale(before, 0))
    expect(read().replicas).to(equal(1))


def lists_autoscalers(world: World) -> None:
    metadata = {"name": "web", "namespace": world.namespace}
    workload = Scalable("Deployment", {"metadata": metadata})

    expect(world.cluster.autoscalers(workload)).to(equal([]))


def sets_labels_and_annotations(world: World) -> None:
    pod = world.pod(labels={"app": "web", "team": "blue"})
    world.cluster.patch_pod(pod, labels={"app": None, "new": "1"}, annotations={"kept": "{}"})
    found = _stored(world, pod)

    expect(found.labels).to(equal({"team": "blue", "new": "1"}))
    expect(found.annotations).to(have_keys(kept="{}"))
    expect(found.resource_version).not_to(equal(pod.resource_version))


def takes_annotations_off(world: World) -> None:
    pod = world.pod()
    world.cluster.patch_pod(pod, labels={}, annotations={"first": "1", "second": "2"})
    world.cluster.patch_pod(_stored(world, pod), labels={}, annotations={"first": None})

    expect(_stored(world, pod).annotations).not_to(have_keys("first"))
    expect(_stored(world, pod).annotations).to(have_keys(second="2"))


def refuses_more_annotations_than_an_object_may_have(world: World) -> None:
    pod = world.pod()
    taken = sum(map(len, itertools.chain(*_stored(world, pod).annotations.items())))
    full = {"theirs": "x" * (256 * 1024 - taken - len("theirs"))}
    world.cluster.patch_pod(_stored(world, pod), labels={}, annotations=full)

    def ours() -> None:
        world.cluster.patch_pod(_stored(world, pod), labels={}, annotations={"ours": ""})

    _raises(Refused, ours)
    world.cluster.patch_pod(_stored(world, pod), labels={"new": "1"}, annotations={"none": None})
    expect(_stored(world, pod).labels).to(have_keys(new="1"))


def lists_labelled_pods(world: World) -> None:
    isolated = world.pod(labels={"falco/isolated": "some-uid"})
    world.pod()

    for namespaces in ((), (world.namespace,)):
        found = world.cluster.labelled_pods(LABEL, namespaces=namespaces)
        uids = [pod.uid for pod in found if pod.namespace == world.namespace]
        expect(uids).to(equal([isolated.uid]))
    expect(world.cluster.labelled_pods(LABEL, namespaces=(world.name(),))).to(be_empty)


def keeps_other_annotations(world: World) -> None:
    pod = world.pod()
    world.cluster.patch_pod(pod, labels={}, annotations={"first": "1"})
    world.cluster.patch_pod(_stored(world, pod), labels={}, annotations={"second": "2"})

    expect(_stored(world, pod).annotations).to(have_keys(first="1", second="2"))


def does_not_patch_a_pod_that_was_written_since(world: World) -> None:
    pod = world.pod()
    _labelled(world, pod, "first")

    _raises(Conflict, lambda: _labelled(world, pod, "second"))
    expect(_stored(world, pod).labels["written"]).to(equal("first"))


def does_not_patch_a_pod_that_took_its_place(world: World) -> None:
    pod = world.pod()
    world.another_in_place_of(pod)

    _raises(Conflict, lambda: _labelled(world, pod, "wrong"))
    expect(list(_stored(world, pod).labels)).not_to(contain("written"))


def does_not_patch_a_pod_that_is_gone(world: World) -> None:
    pod = world.pod()
    world.cluster.delete_pod(pod, grace_period_seconds=1)

    _raises(NotFound, lambda: _labelled(world, pod, "late"))


def has_an_empty_log_of_a_pod_without_a_node(world: World) -> None:
    pod = world.pod()

    expect(_log(world, pod, pod.containers[0].name)).to(equal(Log(b"")))


def has_no_log_of_a_container_that_is_not_there(world: World) -> None:
    pod = world.pod()

    _raises(Refused, lambda: _log(world, pod, world.name()))


def has_no_log_of_a_pod_that_is_gone(world: World) -> None:
    pod = world.pod()
    world.cluster.delete_pod(pod, grace_period_seconds=1)

    _raises(NotFound, lambda: _log(world, pod, pod.containers[0].name))


def lists_the_events_of_a_pod(world: World) -> None:
    """lists the Events of a pod"""
    pod, other = world.pod(), world.pod()
    world.event(pod, "Seen")
    world.event(other, "Else")
    found = world.cluster.events_of(pod, seconds=5)

    reasons = [event["reason"] for event in found]
    expect(reasons).to(contain("Seen"))
    expect(reasons).not_to(contain("Else"))


def _log(world: World, pod: Pod, container: str) -> Log:
    return world.cluster.log(pod, container, previous=False, most_bytes=1000, seconds=5)


# Nodes


def finds_no_node(world: World) -> None:
    _raises(NotFound, lambda: world.cluster.node(world.name()))


def sets_taints(world: World) -> None:
    node = world.node()
    before = list(node.taints)
    world.cluster.patch_node(node, spec={"taints": [*before, THEIRS]})
    again = world.cluster.node(node.name)
    world.cluster.patch_node(again, spec={"taints": [*again.taints, OURS]})

    expect(list(world.cluster.node(node.name).taints)).to(equal([*before, THEIRS, OURS]))


def sets_annotations_with_taints(world: World) -> None:
    node = world.node()
    world.cluster.patch_node(node, spec={"taints": node.taints}, annotations={"falco/taints": "{}"})
    again = world.cluster.node(node.name)

    expect(again.annotations).to(have_keys({"falco/taints": "{}"}))
    world.cluster.patch_node(
        again, spec={"taints": node.taints}, annotations={"falco/taints": None}
    )
    expect(dict(world.cluster.node(node.name).annotations)).to(equal(dict(node.annotations)))


def sets_labels_of_a_node(world: World) -> None:
    node = world.node()
    world.cluster.patch_node(node, spec={}, labels={"falco/x": "1"})
    again = world.cluster.node(node.name)

    expect(again.labels).to(have_keys({**node.labels, "falco/x": "1"}))
    expect(again.taints).to(equal(node.taints))
    world.cluster.patch_node(again, spec={}, labels={"falco/x": None})
    expect(dict(world.cluster.node(node.name).labels)).to(equal(dict(node.labels)))


def sets_a_field_of_a_nodes_spec_and_keeps_its_taints(world: World) -> None:
    """sets a field of a node's spec and keeps its taints"""
    node = world.node()
    world.cluster.patch_node(node, spec={"unschedulable": True})
    cordoned = world.cluster.node(node.name)
    world.cluster.patch_node(cordoned, spec={"unschedulable": None})
    uncordoned = world.cluster.node(node.name)

    expect(cordoned.manifest["spec"]["unschedulable"]).to(equal(True))
    expect(uncordoned.manifest["spec"]).not_to(have_key("unschedulable"))
    expect(_others(cordoned)).to(equal(_others(node)))


def _others(node: Node) -> List[Taint]:
    """Its taints but the one by which the cluster itself says that it is cordoned."""
    return [t for t in node.taints if t["key"] != "node.kubernetes.io/unschedulable"]


def does_not_patch_a_node_that_was_written_since(world: World) -> None:
    node = world.node()
    world.cluster.patch_node(node, spec={"taints": [THEIRS]})

    _raises(Conflict, lambda: world.cluster.patch_node(node, spec={"taints": [OURS]}))
    expect(world.cluster.node(node.name).taints).to(contain(THEIRS))


def does_not_patch_a_missing_node(world: World) -> None:
    missing = Node({"metadata": {"name": world.name(), "resourceVersion": "1"}})

    _raises(NotFound, lambda: world.cluster.patch_node(missing, spec={"taints": [OURS]}))


def lists_the_nodes(world: World) -> None:
    node = world.node()
    found = {each.name: each.uid for each in world.cluster.nodes()}

    expect(found[node.name]).to(equal(node.uid))


# Namespaces and workloads


def reads_the_annotations_of_a_namespace(world: World) -> None:
    name = world.annotated_namespace({"falco-spec/a": "1"})

    expect(world.cluster.namespace_annotations(name)).to(have_keys({"falco-spec/a": "1"}))


def finds_no_namespace(world: World) -> None:
    _raises(NotFound, lambda: world.cluster.namespace_annotations(world.name()))


def reads_the_deployment_of_a_replica_set(world: World) -> None:
    _finds_the_workload(world, "Deployment", 3)


def reads_a_stateful_set(world: World) -> None:
    _finds_the_workload(world, "StatefulSet", 2)


def reads_a_replication_controller(world: World) -> None:
    _finds_the_workload(world, "ReplicationController", 2)


def reads_a_job(world: World) -> None:
    _finds_the_workload(world, "Job", 2)


def takes_an_owner_of_another_api_for_the_workload(world: World) -> None:
    world.cluster.create_network_policy(_a_policy(world))
    owner = Owner("NetworkPolicy.networking.k8s.io", world.name())
    found = world.cluster.workload(owner, namespace=world.namespace)

    expect(found).to(equal(Workload(owner.kind, owner.name, 0)))


def knows_no_workload_of_a_kind_that_is_not_there(world: World) -> None:
    for kind in ("Rollout", "Cage.evil.example", "ReplicaSet.evil.example", "Cage.v1"):
        expect(world.cluster.workload(Owner(kind, "x"), namespace=world.namespace)).to(be_none)


def takes_an_owner_that_is_gone_for_the_workload(world: World) -> None:
    owner = Owner("StatefulSet", world.name())
    found = world.cluster.workload(owner, namespace=world.namespace)

    expect(found).to(equal(Workload("StatefulSet", owner.name, None)))


def _finds_the_workload(world: World, kind: str, replicas: int) -> None:
    owner, workload = world.workload(kind, replicas)
    found = world.cluster.workload(owner, namespace=world.namespace)

    expect([found, found.kind, found.replicas]).to(equal([workload, kind, replicas]))


# Policies


def stores_a_policy(world: World) -> None:
    policy = _a_policy(world)
    world.cluster.create_network_policy(policy)
    found = _policy(world, policy["metadata"]["name"])

    expect(found["spec"]["podSelector"]).to(equal(policy["spec"]["podSelector"]))
    expect(found["metadata"]["resourceVersion"]).not_to(be_empty)


def lists_the_policies_of_each_kind_that_is_served(world: World) -> None:
    world.cluster.create_network_policy(_a_policy(world))

    expect(list(world.cluster.network_policies(world.namespace, NETWORK_POLICY))).not_to(be_empty)
    for kind in world.cluster.policy_kinds():
        found = list(world.cluster.network_policies(world.namespace, kind))
        said = {(each["apiVersion"], each["kind"]) for each in found}
        expect(said - {(kind.api, kind.kind)}).to(be_empty)


def reads_the_labels_of_a_namespace(world: World) -> None:
    name = world.annotated_namespace({"falco-spec/a": "1"})

    expect(world.cluster.namespace_labels(name)).not_to(have_keys("falco-spec/a"))
    _raises(NotFound, lambda: world.cluster.namespace_labels(world.name()))


def does_not_store_a_policy_twice(world: World) -> None:
    policy = _a_policy(world)
    world.cluster.create_network_policy(policy)

    _raises(AlreadyExists, lambda: world.cluster.create_network_policy(policy))


def replaces_a_policy(world: World) -> None:
    policy = _a_policy(world)
    world.cluster.create_network_policy(policy)
    found = _policy(world, policy["metadata"]["name"])
    world.cluster.replace_network_policy(_with_types(found, ["Ingress", "Egress"]))

    found = _policy(world, policy["metadata"]["name"])
    expect(found["spec"]["policyTypes"]).to(equal(["Ingress", "Egress"]))


def does_not_replace_a_policy_that_was_written_since(world: World) -> None:
    policy = _a_policy(world)
    world.cluster.create_network_policy(policy)
    stale = _policy(world, policy["metadata"]["name"])
    world.cluster.replace_network_policy(_with_types(stale, ["Ingress"]))

    _raises(
        Conflict,
        lambda: world.cluster.replace_network_policy(_with_types(stale, ["Egress"])),
    )


def does_not_replace_a_missing_policy(world: World) -> None:
    policy = _a_policy(world)
    metadata = {**policy["metadata"], "resourceVersion": "1"}

    _raises(
        NotFound,
        lambda: world.cluster.replace_network_policy({**policy, "metadata": metadata}),
    )


def deletes_a_policy(world: World) -> None:
    policy = _a_policy(world)
    world.cluster.create_network_policy(policy)
    found = _policy(world, policy["metadata"]["name"])
    world.cluster.delete_network_policy(found)

    _raises(NotFound, lambda: world.cluster.delete_network_policy(found))


def does_not_delete_a_policy_that_was_written_since(world: World) -> None:
    policy = _a_policy(world)
    world.cluster.create_network_policy(policy)
    stale = _policy(world, policy["metadata"]["name"])
    world.cluster.replace_network_policy(_with_types(stale, ["Ingress"]))

    _raises(Conflict, lambda: world.cluster.delete_network_policy(stale))
    expect(_policy(world, policy["metadata"]["name"])).to(have_keys("spec"))


def _with_types(policy: Mapping[str, Any], types: List[str]) -> Dict[str, Any]:
    return {**policy, "spec": {**policy["spec"], "policyTypes": types}}


# What selects pods, and what they mount


def deletes_an_object_by_its_uid_and_creates_it_again(world: World) -> None:
    kind = kind_of("serviceaccount")
    name = world.name()
    metadata = {"name": name, "namespace": world.namespace, "labels": {"a": "b"}}
    wanted = ApiObject(kind, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})

    def read() -> ApiObject:
        return world.cluster.object(kind, name, namespace=world.namespace)

    _raises(NotFound, read)
    made = world.cluster.create_object(wanted)
    expect([read().uid, read().labels]).to(equal([made.uid, {"a": "b"}]))
    _raises(AlreadyExists, lambda: world.cluster.create_object(wanted))
    expect(world.cluster.again(made).uid).to(equal(made.uid))
    other = ApiObject(kind, {**made.manifest, "metadata": {**metadata, "uid": NOBODY}})
    _raises(NotTheSameObject, lambda: world.cluster.delete_object(other))
    world.cluster.delete_object(made)
    _raises(NotFound, read)
    _raises(NotFound, lambda: world.cluster.delete_object(made))
    expect(world.cluster.create_object(wanted).uid).not_to(equal(made.uid))


def patches_an_object_as_it_was_read(world: World) -> None:
    kind, name = kind_of("deployment"), world.name()
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": world.namespace, "annotations": {"theirs": "1"}}
    manifest = {"apiVersion": kind.api, "kind": kind.kind, "metadata": metadata, "spec": spec}
    made = world.cluster.create_object(ApiObject(kind, manifest))

    def patch(**changes: Any) -> Any:
        def write() -> None:
            read = world.cluster.object(kind, name, namespace=world.namespace)
            world.cluster.patch_object(read, **changes)

        until_written(write)
        found = world.cluster.object(kind, name, namespace=world.namespace)
        return found.manifest["spec"].get("paused"), _theirs_and_ours(found), dict(found.labels)

    ours = {"falco-spec/a": "1"}
    patched = patch(spec={"paused": True}, annotations=ours, labels=ours)
    expect(patched).to(equal((True, {"theirs": "1", **ours}, ours)))
    off = {"falco-spec/a": None}
    expect(patch(annotations=off)).to(equal((True, {"theirs": "1"}, ours)))
    expect(patch(spec={"paused": None}, labels=off)).to(equal((None, {"theirs": "1"}, {})))
    _raises(Conflict, lambda: world.cluster.patch_object(made, spec={"paused": True}))
    other = ApiObject(
        kind, {**made.manifest, "metadata": {**made.manifest["metadata"], "uid": NOBODY}}
    )
    _raises(Conflict, lambda: world.cluster.patch_object(other, spec={"paused": True}))
    world.cluster.delete_object(made)
    _raises(NotFound, lambda: world.cluster.patch_object(made, spec={"paused": True}))


def _theirs_and_ours(found: ApiObject) -> Dict[str, str]:
    """Without the annotation of the cluster's own controller."""
    return {k: v for k, v in found.annotations.items() if "kubernetes.io/" not in k}


def knows_by_which_labels_services_select_a_pod(world: World) -> None:
    for selector in ({"app": "web"}, {"app": "web", "tier": "other"}, None):
        world.service(selector)
    labels = {"app": "web", "tier": "front"}
    pod = Pod({"metadata": {"name": "web-0", "namespace": world.namespace, "labels": labels}})

    expect(world.cluster.service_keys(pod)).to(equal({"app"}))


def reads_the_owner_of_pods(world: World) -> None:
    owner = world.owner("ReplicaSet", {"app": "web"})
    found = world.cluster.owner(owner, namespace=world.namespace)
    known = replace(owner, uid=found["metadata"]["uid"])
    same = world.cluster.owner(known, namespace=world.namespace)

    expect(found["metadata"]["name"]).to(equal(owner.name))
    expect(found["spec"]["selector"]).to(equal({"matchLabels": {"app": "web"}}))
    expect(same["metadata"]["uid"]).to(equal(found["metadata"]["uid"]))


def lists_controllers_that_would_kill_for_a_pod(world: World) -> None:
    for kind in REPLICA_CONTROLLERS:
        labels = {"app": world.name()}
        made = world.owner(kind, labels)

        expect(world.cluster.rivals(world.namespace, {**labels, "x": "y"})).to(equal([made]))
        expect(world.cluster.rivals(world.namespace, {"x": "y"})).not_to(contain(made))


def finds_no_owner(world: World) -> None:
    there = world.owner("ReplicationController", {"app": "old"})
    for owner in (
        Owner("ReplicaSet", world.name()),
        replace(there, uid="another"),
        replace(there, kind="ReplicationController.evil.example"),
    ):
        _raises(NotFound, lambda: world.cluster.owner(owner, namespace=world.namespace))


def knows_its_providers_and_what_the_api_server_calls(world: World) -> None:
    expect(world.cluster.providers()).to(equal(frozenset()))
    expect(world.cluster.serving_namespaces()).not_to(have_keys(world.namespace))


def reads_the_access_modes_of_a_claim(world: World) -> None:
    claim = world.claim("ReadWriteMany")
    found = world.cluster.access_modes(claim, namespace=world.namespace)

    expect(found).to(equal(("ReadWriteMany",)))


def finds_no_claim(world: World) -> None:
    _raises(
        NotFound,
        lambda: world.cluster.access_modes(world.name(), namespace=world.namespace),
    )
