"""The client of the Kubernetes API, on a real one.

Its first group is the contract that it shares with the cluster in memory.
"""

import os
import subprocess
import sys

from expects import contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core.cluster.node import Node
from playbooks.core.cluster.pod import Pod
from playbooks.core.cluster.workload import Owner, Workload
from playbooks.core.errors import CredentialsRefused, NamespaceTerminating, NotPermitted, Refused
from playbooks.core.outcome import Status
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.testing import a_new_policy
from specs.support.cluster.real_cluster import (
    a_controller,
    a_fake_node,
    a_gated_pod,
    a_name,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    api_of,
    create,
    delete,
    delete_namespace,
    kubectl,
    kubectl_json,
    settled,
    stored,
    token_of,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.contracts import cluster as contract
from specs.support.contracts.examples import examples_of
from specs.support.processes import eventually


def long_name():
    """The longest that an object can have."""
    return f"{a_name()}.".ljust(253, "x")


def a_job(name, namespace, *, parallelism):
    """One that starts no pods."""
    pod = a_pod_manifest("", namespace, restartPolicy="Never")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parallelism": parallelism,
            "suspend": True,
            "template": {"spec": pod["spec"]},
        },
    }


class RealWorld(contract.World):
    """Its pods are never scheduled, or bound to a node that does not run: the API alone acts."""

    def __init__(self):
        self.cluster, self.namespace = KubernetesCluster(), a_namespace()
        self._nodes, self._namespaces = [], [self.namespace]

    def name(self):
        return a_name()

    def pod(self, *, labels=None, node="", name=None):
        place = {"nodeName": node} if node else {"gated": True}
        manifest = a_pod_manifest(name or a_name(), self.namespace, labels=labels, **place)
        return Pod(create(manifest)[0])

    def another_in_place_of(self, pod):
        kubectl("delete", "pod", pod.name, "-n", pod.namespace)
        return self.pod(name=pod.name)

    def event(self, pod, reason):
        about = {"kind": "Pod", "name": pod.name, "namespace": pod.namespace, "uid": pod.uid}
        metadata = {"name": a_name(), "namespace": pod.namespace}
        create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": metadata,
                "involvedObject": {"apiVersion": "v1", **about},
                "reason": reason,
                "type": "Normal",
            }
        )

    def node(self):
        self._nodes.append(a_fake_node())
        return Node(settled(self._nodes[-1]))

    def service(self, selector):
        spec = {"ports": [{"port": 80}], **({"selector": selector} if selector else {})}
        self._create("v1", "Service", spec)

    def owner(self, kind, labels):
        manifest = a_controller(kind, a_name(), self.namespace, replicas=0)
        selector = labels if kind == "ReplicationController" else {"matchLabels": labels}
        manifest["spec"]["selector"] = selector
        manifest["spec"]["template"]["metadata"]["labels"] = labels
        return Owner(kind, create(manifest)[0]["metadata"]["name"])

    def annotated_namespace(self, annotations):
        self._namespaces.append(a_namespace())
        given = [f"{key}={value}" for key, value in annotations.items()]
        kubectl("annotate", "namespace", self._namespaces[-1], *given)
        return self._namespaces[-1]

    def workload(self, kind, replicas):
        workload = Workload(kind, a_name(), replicas)
        if kind == "Job":
            create(a_job(workload.name, self.namespace, parallelism=replicas))
        else:
            size = {"replicas": replicas, "gated": True}
            create(a_controller(kind, workload.name, self.namespace, **size))
        if kind != "Deployment":
            return Owner(kind, workload.name), workload
        return Owner("ReplicaSet", eventually(lambda: self._replica_set(workload.name))), workload

    def claim(self, mode):
        storage = {"requests": {"storage": "1Mi"}}
        # No such class: nothing is ever provisioned for it.
        spec = {"accessModes": [mode], "resources": storage, "storageClassName": a_name()}
        return self._create("v1", "PersistentVolumeClaim", spec)

    def removed(self):
        for node in self._nodes:
            delete("node", node)
        for namespace in self._namespaces:
            delete_namespace(namespace)

    def _replica_set(self, deployment):
        selected = ("-n", self.namespace, "-l", f"app={deployment}")
        found = kubectl_json("get", "replicasets", *selected)["items"]
        return found[0]["metadata"]["name"] if found else False

    def _create(self, version, kind, spec):
        metadata = {"name": a_name(), "namespace": self.namespace}
        create({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
        return metadata["name"]


with description("A cluster behind the Kubernetes API") as self:
    with before.all:
        self.world = RealWorld()

    with after.all:
        self.world.removed()

    locals().update(examples_of(contract, lambda self: [self.world]))


def a_call_without_configuration(**environ):
    """What a process of its own says of a first call in an environment without a cluster."""
    code = (
        "from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster\n"
        "try: KubernetesCluster().node('any')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    bare = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**bare, "HOME": "/nonexistent", **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


with description("Without a cluster to act on, a call") as self:
    with it("says that there is neither a service account nor a kubeconfig"):
        said = a_call_without_configuration()

        expect(said).to(contain("NoCluster no cluster to act on"))
        expect(said).to(contain("KUBERNETES_LOAD_KUBE_CONFIG=1 uses the kubeconfig"))

    with it("says that the kubeconfig which it was told to use is not there"):
        said = a_call_without_configuration(
            KUBERNETES_LOAD_KUBE_CONFIG="1", KUBECONFIG="/nonexistent/kubeconfig"
        )

        expect(said).to(contain("NoCluster no cluster to act on"))


with description("With a token that has no rights, a call") as self:
    with before.all:
        self.namespace = a_namespace()
        self.pod = Pod(a_gated_pod("web", self.namespace))
        self.cluster = KubernetesCluster(api_of(token_of("default", self.namespace)))

    with after.all:
        delete_namespace(self.namespace)

    with it("is not permitted to read"):
        expect(lambda: self.cluster.pod("web", namespace=self.namespace)).to(
            raise_error(NotPermitted)
        )

    with it("is not permitted to change anything"):
        expect(lambda: self.cluster.delete_pod(self.pod, grace_period_seconds=1)).to(
            raise_error(NotPermitted)
        )
        expect(lambda: self.cluster.patch_pod(self.pod, labels={"a": "b"}, annotations={})).to(
            raise_error(NotPermitted)
        )
        policy = a_new_policy(a_name(), self.namespace)
        expect(lambda: self.cluster.create_network_policy(policy)).to(raise_error(NotPermitted))

    with it("makes a reaction fail, with the API server's words"):
        outcome = answer("delete", alert_about(self.pod.manifest), self.cluster)

        expect(outcome.reason).to(equal("not-permitted"))
        expect(outcome.message).to(contain(f"system:serviceaccount:{self.namespace}:default"))
        expect(outcome.details["retryable"]).to(equal(False))

    with it("has its credentials refused with a token that nobody issued"):
        cluster = KubernetesCluster(api_of("nonsense"))

        expect(lambda: cluster.pod("web", namespace=self.namespace)).to(
            raise_error(CredentialsRefused)
        )


with description("A namespace that is being deleted") as self:
    with before.all:
        self.namespace, self.node = a_namespace(), a_fake_node()
        # No kubelet ever ends this one, so that the namespace stays as it is.
        self.pod = create(a_pod_manifest("web", self.namespace, nodeName=self.node))[0]
        kubectl("delete", "namespace", self.namespace, "--wait=false")
        eventually(lambda: "deletionTimestamp" in stored("pod", "web", self.namespace)["metadata"])

    with after.all:
        delete_namespace(self.namespace)
        delete("node", self.node)

    with it("takes nothing new, which is no lack of rights"):
        policy = a_new_policy(a_name(), self.namespace)

        expect(lambda: KubernetesCluster().create_network_policy(policy)).to(
            raise_error(NamespaceTerminating)
        )

    with it("keeps a pod from being isolated, and nothing is left half done"):
        outcome = answer("isolate", alert_about(self.pod))

        expect(outcome.reason).to(equal("namespace-terminating"))
        expect(outcome.details["retryable"]).to(equal(False))
        labels = stored("pod", "web", self.namespace)["metadata"].get("labels") or {}
        expect(list(labels)).not_to(contain("falco/isolated"))

    with it("does not keep the node of a pod from being tainted"):
        outcome = answer("taint", alert_about(self.pod), TAINT_KEY="falco-spec/terminating")

        expect(outcome.status).to(equal(Status.ACTED))

    with it("has a pod left to the deletion that is under way"):
        outcome = answer("delete", alert_about(self.pod), GRACE_PERIOD_SECONDS="30")

        expect(outcome.reason).to(equal("terminating"))


with description("A name of 253 characters") as self:
    with before.all:
        self.namespace = a_namespace()
        self.long = long_name()
        self.node = a_fake_node(long_name())
        self.pod, self.bound = create(
            a_pod_manifest(self.long, self.namespace, gated=True, labels={"app": "web"}),
            a_pod_manifest(long_name(), self.namespace, nodeName=self.node),
        )
        policy = a_new_policy(long_name(), self.namespace)
        self.policy = create({**policy, "spec": {"podSelector": {}, "ingress": [{}]}})[0]

    with after.all:
        delete_namespace(self.namespace)
        delete("node", self.node)

    with it("is no obstacle to isolating a pod, nor to naming a policy that still allows traffic"):
        outcome = answer("isolate", alert_about(self.pod))

        expect(outcome.reason).to(equal("isolated-in-part"))
        expect(outcome.details["still_allowing"]).to(equal([self.policy["metadata"]["name"]]))
        owner = stored("networkpolicy", outcome.details["policy"], self.namespace)["metadata"]
        expect(owner["ownerReferences"][0]["name"]).to(equal(self.long))

    with it("is no obstacle to tainting a node"):
        outcome = answer("taint", alert_about(self.bound), TAINT_KEY="falco-spec/long")

        expect(outcome.target).to(equal(f"node {self.node}"))
        expect(outcome.status).to(equal(Status.ACTED))

    with it("is no obstacle to deleting a pod"):
        outcome = answer("delete", alert_about(self.pod))

        expect(outcome.status).to(equal(Status.ACTED))
        expect(stored("pod", self.long, self.namespace)).to(equal(None))


with description("What the API server does not accept") as self:
    with it("is refused, in its own words"):
        namespace = a_namespace()
        try:
            policy = a_new_policy(a_name(), namespace)
            wrong = {**policy, "spec": {"podSelector": {"matchLabels": {"a": "not a value"}}}}
            expect(lambda: KubernetesCluster().create_network_policy(wrong)).to(
                raise_error(Refused, contain("a valid label must be"))
            )
        finally:
            delete_namespace(namespace)


not_run_unless(CLUSTER, globals())
