"""Scaling a Deployment: what is written, how it is scaled back, and what the playbook's own account
may do on a cluster that was set up."""

from functools import partial

from expects import contain, equal, expect
from mamba import after, before, description, it

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from specs.support.cluster.admission import HeldAccount, in_force, refusal_of
from specs.support.cluster.real_cluster import (
    a_controller,
    a_namespace,
    alert_about,
    answer,
    create,
    delete_namespace,
    kubectl,
    kubectl_json,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually
from specs.support.programs import falco_playbook


def a_pod_of_a_deployment(namespace):
    """Never scheduled: its number is all that matters."""
    create(a_controller("Deployment", "web", namespace, gated=True))

    def made():
        found = kubectl_json("get", "pods", "-n", namespace, "-l", "app=web")["items"]
        return found[0] if found else False

    return eventually(made)


def replicas_in(namespace):
    return stored("deployment", "web", namespace)["spec"]["replicas"]


def scaled(api, namespace, number):
    """Try to, in a dry run."""
    path = ("apis", "apps", "v1", "namespaces", namespace, "deployments", "web", "scale")
    return api.patch(*path, body={"spec": {"replicas": number}}, dryRun="All")


with description("Scaling a workload") as self:
    with before.all:
        self.namespace = a_namespace()
        self.pod = a_pod_of_a_deployment(self.namespace)

    with after.all:
        delete_namespace(self.namespace)

    with it("scales the Deployment of a pod to 0, and undo scales it back"):
        kubectl(
            *("autoscale", "deployment", "web", "-n", self.namespace),
            *("--max=3", "--cpu-percent=80"),
        )
        ledger = f"{self.namespace}/scaled"
        cluster = KubernetesCluster(KubernetesApi())
        outcome = answer("scale", alert_about(self.pod), cluster, LEDGER=ledger)

        expect((outcome.reason, outcome.error)).to(equal(("scaled", None)))
        expect(outcome.message).to(
            equal(
                f"scaled deployment {self.namespace}/web from 1 to 0; HorizontalPodAutoscaler web"
                " sets nothing while it is 0"
            )
        )
        expect(replicas_in(self.namespace)).to(equal(0))
        undo = outcome.details["undo"].replace(" -A", "").split()[1:]
        code, said = falco_playbook(*undo, "--ledger", ledger)
        expect((code, said.count(f"deployment {self.namespace}/web: scaled back to 1"))).to(
            equal((0, 1))
        )
        expect(replicas_in(self.namespace)).to(equal(1))


with description("The account of scale, on a cluster that was set up,") as self:
    with before.all:
        self.namespace = a_namespace()
        self.pod = a_pod_of_a_deployment(self.namespace)
        self.account = HeldAccount("scale", self.namespace, NAMESPACES=self.namespace)
        self.api = self.account.api
        in_force(partial(scaled, self.api, self.namespace, 2), "scales to SCALE_TO")

    with after.all:
        self.account.end()

    with it("may not write the workload itself, nor scale to another number"):
        path = ("apis", "apps", "v1", "namespaces", self.namespace, "deployments", "web")
        said = refusal_of(lambda: self.api.patch(*path, body={"spec": {"replicas": 0}}))
        expect(said).to(contain("cannot patch"))
        said = refusal_of(partial(scaled, self.api, self.namespace, 1))
        expect(said).to(contain("'falco-playbook-scale-deployments-scale'"))

    with it("is found to be held to that by the check"):
        expect(self.account.found_held()).to(contain("rules tried"))

    with it("scales the Deployment of a pod"):
        cluster = self.account.cluster
        outcome = answer("scale", alert_about(self.pod), cluster, NAMESPACES=self.namespace)

        expect((outcome.reason, outcome.error)).to(equal(("scaled", None)))
        expect(replicas_in(self.namespace)).to(equal(0))


not_run_unless(CLUSTER, globals())
