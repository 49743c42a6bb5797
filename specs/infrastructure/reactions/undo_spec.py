"""Undoing, and ending in time, what isolate and taint did: ``falco-playbook`` and the worker as
processes of their own, on pods that are never scheduled and nodes that no machine stands behind.
"""

import json
import time
from types import MappingProxyType

from expects import be_empty, be_none, contain, equal, expect, have_key, have_len, match
from mamba import after, before, description, it

from playbooks.core.outcome import Status
from specs.support.cluster.real_cluster import (
    a_controller,
    a_fake_node,
    a_gated_pod,
    a_name,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    create,
    delete,
    delete_namespace,
    kubectl,
    kubectl_json,
    kubeless_definitions,
    settled,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually
from specs.support.programs import falco_playbook
from specs.support.worker.worker_on_cluster import FUNCTION, Served

# Seconds.
TTL = 10


def pods_of(namespace):
    return kubectl_json("get", "pods", "-n", namespace)["items"]


def policies_of(namespace):
    return kubectl_json("get", "networkpolicies", "-n", namespace)["items"]


def again(pod):
    return stored("pod", pod["metadata"]["name"], pod["metadata"]["namespace"])


def replicas_of(namespace):
    """How many pods each ReplicaSet says that it has."""
    found = kubectl_json("get", "replicasets", "-n", namespace)["items"]
    return [replica_set["status"].get("replicas") for replica_set in found]


def a_replica(namespace):
    """A pod of the Deployment web, or False."""
    found = [pod for pod in pods_of(namespace) if pod["metadata"]["name"].startswith("web-")]
    return found[0] if found else False


def a_function(name, namespace):
    return {
        "apiVersion": "kubeless.io/v1beta1",
        "kind": "Function",
        "metadata": {"name": f"falco-{name}", "namespace": namespace},
        "spec": {"handler": "isolate.handler"},
    }


def a_binding(name, namespace):
    """As deploying makes it where the function has rights."""
    named = f"falco-{name}.{namespace}"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": named, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": named},
        "subjects": [],
    }


def isolated_by(worker, pod):
    """The outcome, as the worker's HTTP tells it."""
    _, body = worker.post(json.dumps(alert_about(pod)).encode())
    return json.loads(body)


def as_before(manifest):
    """Without what every write changes."""
    left_out = ("resourceVersion", "managedFields")
    kept = {k: v for k, v in manifest["metadata"].items() if k not in left_out}
    return {**manifest, "metadata": kept}


def edit_policy(outcome, namespace):
    patch = '{"spec": {"policyTypes": ["Ingress"]}}'
    kubectl("patch", "networkpolicy", outcome.details["policy"], "-n", namespace, "-p", patch)


with description("Undoing an isolation without detaching") as self:
    with before.all:
        kubeless_definitions()
        self.namespace = ns = a_namespace()
        self.name = a_name()
        self.pod = a_gated_pod("web", ns, labels={"app": "web"})
        self.policies = policies_of(ns)
        self.ledger = {"LEDGER": f"{ns}/falco-{self.name}-ledger"}
        create(a_function(self.name, ns))
        create(a_binding(self.name, ns))
        self.outcome = answer("isolate", alert_about(self.pod), **self.ledger)
        self.isolated = again(self.pod)
        self.code, self.said = falco_playbook("undo", "pod/web", "-n", ns, "-N", self.name)

    with after.all:
        delete_namespace(self.namespace)

    with it("was to be done: the pod was isolated, and says why and since when"):
        annotations = self.isolated["metadata"]["annotations"]

        expect(self.outcome.status).to(equal(Status.ACTED))
        expect(self.outcome.details["undo"]).to(
            equal(f"falco-playbook undo pod/web -n {self.namespace} -A")
        )
        expect(annotations["falco/policy"]).to(equal(self.outcome.details["policy"]))
        expect(annotations["falco/rule"]).to(equal("Terminal shell in container"))

    with it("gives back the pod and the policies as they were"):
        expect((self.code, self.said.partition("\n")[0])).to(
            equal(
                (
                    0,
                    f"pod {self.namespace}/web is released; NetworkPolicy"
                    f" {self.outcome.details['policy']} deleted",
                )
            )
        )
        expect(as_before(again(self.pod))).to(equal(as_before(self.pod)))
        expect(policies_of(self.namespace)).to(equal(self.policies))

    with it("has nothing to undo the second time"):
        code, said = falco_playbook("undo", "pod/web", "-n", self.namespace, "-N", self.name)

        expect(code).to(equal(0))
        expect(said).to(contain("nothing to undo"))

    with it("holds off the next alert, by whoever asked for it"):
        again_alerted = answer("isolate", alert_about(self.pod), **self.ledger)
        who = json.loads(kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]

        expect((again_alerted.status, again_alerted.reason)).to(equal((Status.SKIPPED, "undone")))
        expect(again_alerted.message).to(match(rf"{who} \(.+\) released it"))
        expect(as_before(again(self.pod))).to(equal(as_before(self.pod)))


with description("Undoing an isolation after a ReplicaSet has replaced the pod") as self:
    with before.all:
        self.namespace = ns = a_namespace()
        gates = [{"name": "falco-spec/never"}]
        create(a_controller("Deployment", "web", ns, replicas=2, schedulingGates=gates))
        found = eventually(lambda: len(pods_of(ns)) == 2 and pods_of(ns))
        ledger = {"LEDGER": f"{ns}/falco-isolate-ledger"}
        self.outcome = answer("isolate", alert_about(found[0]), **ledger)
        eventually(lambda: len(pods_of(ns)) == 3)
        eventually(lambda: replicas_of(ns) == [2])
        self.pods, self.policies = pods_of(ns), policies_of(ns)
        self.target = f"pod/{found[0]['metadata']['name']}"
        place = ("-n", ns, "--ledger", ledger["LEDGER"])
        self.code, self.said = falco_playbook("undo", self.target, *place)
        self.forced, _ = falco_playbook("undo", self.target, *place, "--force")
        # Were one pod too many, it would be killed by now.
        time.sleep(2)

    with after.all:
        delete_namespace(self.namespace)

    with it("names the choices"):
        expect(self.outcome.message).to(contain("detached from ReplicaSet"))
        expect(self.code).to(equal(1))
        expect(self.said).to(contain("has replaced it", "Delete it (kubectl delete pod"))

    with it("kills nobody and changes nothing, not even when it is forced"):
        expect(self.forced).to(equal(1))
        expect(pods_of(self.namespace)).to(equal(self.pods))
        expect(policies_of(self.namespace)).to(equal(self.policies))


with description("Undoing what somebody changed since") as self:
    with before.all:
        self.namespace = ns = a_namespace()
        self.pod = a_gated_pod("web", ns, labels={"app": "web"})
        self.ledger = f"{ns}/falco-isolate-ledger"
        self.outcome = answer("isolate", alert_about(self.pod), LEDGER=self.ledger)
        edit_policy(self.outcome, ns)

    with after.all:
        delete_namespace(self.namespace)

    with it("is refused, and then done when it is forced"):
        undo = ("undo", "pod/web", "-n", self.namespace, "--ledger", self.ledger)
        code, said = falco_playbook(*undo)

        expect(code).to(equal(1))
        expect(said).to(contain("was edited", "--force"))
        expect(policies_of(self.namespace)).to(have_len(1))
        expect(falco_playbook(*undo, "--force")[0]).to(equal(0))
        expect(policies_of(self.namespace)).to(be_empty)
        expect(as_before(again(self.pod))).to(equal(as_before(self.pod)))


with description("A taint on a node beside the real ones") as self:
    with before.all:
        self.namespace = a_namespace()
        self.node = a_fake_node()
        self.key = f"falco-spec/{self.node}"
        self.pod = create(a_pod_manifest("bound", self.namespace, nodeName=self.node))[0]
        self.was = settled(self.node)
        self.settings = {"LEDGER": f"{self.namespace}/taint", "TAINT_KEY": self.key}

    with after.all:
        delete_namespace(self.namespace)
        delete("node", self.node)

    def taint(self, **more):
        return answer("taint", alert_about(self.pod), **self.settings, **more)

    def the_node(self):
        return stored("node", self.node)

    def taints(self):
        return [t for t in self.the_node()["spec"]["taints"] if t["key"] == self.key]

    with it("comes off by undo, which gives back the node as it was and holds off the next alert"):
        outcome = self.taint()
        expect(outcome.reason).to(equal("tainted"))
        expect(self.taints()).to(have_len(1))
        undo = outcome.details["undo"].split()[1:]
        code, _ = falco_playbook(*undo, "--ledger", self.settings["LEDGER"], "--by", "a spec")

        expect(code).to(equal(0))
        expect(as_before(self.the_node())).to(equal(as_before(self.was)))
        expect(self.taint().reason).to(equal("undone"))

    with it("comes off by a sweep once its time is over, and not before"):
        self.settings["LEDGER"] = f"{self.namespace}/another"
        outcome = self.taint(TAINT_TTL=f"{TTL}s")
        early = falco_playbook("sweep", "-p", "taint", "--ledger", self.settings["LEDGER"])

        expect(outcome.reason).to(equal("tainted"))
        expect(early[1]).not_to(contain(self.node))
        expect(self.taints()).to(have_len(1))
        time.sleep(TTL)
        code, said = falco_playbook("sweep", "-p", "taint", "--ledger", self.settings["LEDGER"])

        expect(code).to(equal(0))
        expect(said).to(contain(f"{self.key}=true:NoSchedule taken off"))
        expect(as_before(self.the_node())).to(equal(as_before(self.was)))


class Isolating(Served):
    """Workers that isolate in one namespace."""

    playbook = "isolate"
    settings = MappingProxyType({"ISOLATE_TTL": f"{TTL}s"})

    def isolating(self):
        return self.start_serving(LEDGER=f"{self.namespace}/{FUNCTION}-ledger")


with description("Isolations for a time, after the worker was killed and started again") as self:
    with before.all:
        self.served = Isolating("falco.spec.undo")
        self.served.begin()
        self.namespace = ns = self.served.namespace
        gates = [{"name": "falco-spec/never"}]
        create(a_controller("Deployment", "web", ns, replicas=1, schedulingGates=gates))
        self.attached, self.edited = (
            a_gated_pod(name, ns, labels={"app": name}) for name in ("attached", "edited")
        )
        self.detached = eventually(lambda: a_replica(ns))
        all_of_them = (self.attached, self.edited, self.detached)
        worker = self.served.isolating()
        self.outcomes = [isolated_by(worker, pod) for pod in all_of_them]
        worker.kill()
        patch = '{"spec": {"policyTypes": ["Ingress"]}}'
        policy = f"falco-isolate-{self.edited['metadata']['uid']}"
        kubectl("patch", "networkpolicy", policy, "-n", ns, "-p", patch)
        self.before = [again(pod) for pod in all_of_them]
        time.sleep(TTL)
        self.worker = self.served.isolating()
        self.worker.says('"released"', 30).says('"deleted"', 30).says('"changed-since"', 30)

    with after.all:
        self.served.end()

    with it("were there when it was killed"):
        expect([outcome["reason"] for outcome in self.outcomes]).to(equal(["isolated"] * 3))
        for pod in self.before:
            expect(pod["metadata"]["labels"]).to(have_key("falco/isolated"))
            expect(pod["metadata"]["annotations"]).to(have_key("falco/until"))

    with it("end by themselves: the attached pod is released, and is as it was"):
        expect(as_before(again(self.attached))).to(equal(as_before(self.attached)))

    with it("end by themselves: the detached pod is deleted, and its replacement is not"):
        expect(again(self.detached)).to(be_none)
        left = {pod["metadata"]["name"] for pod in pods_of(self.namespace)}
        expect(left).to(have_len(3))

    with it("leave alone what somebody changed since"):
        expect(again(self.edited)["metadata"]["labels"]).to(have_key("falco/isolated"))
        names = [p["metadata"]["name"] for p in policies_of(self.namespace)]
        expect(names).to(equal([f"falco-isolate-{self.edited['metadata']['uid']}"]))


not_run_unless(CLUSTER, globals())
