"""What a pod names as its controller, where the cluster cannot tell whether it is one. Runs without
a cluster: the answers are those of Kubernetes 1.34."""

from expects import be_none, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core.cluster.workload import Owner, Workload
from playbooks.core.errors import ClusterUnavailable
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from specs.support.loopback.server import Answer, LoopbackServer, api_of, nothing_there

GROUP = {"kind": "APIGroup", "preferredVersion": {"version": "v1beta1"}}
DOWN = Answer(503, b"service unavailable")


def a_page(next=""):
    """One pod that names the owner, of a list by pages."""
    owner = {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "name": "x"}
    pods = [{"metadata": {"name": "web-0", "ownerReferences": [{**owner, "controller": True}]}}]
    return {"metadata": {"continue": next}, "items": pods}


def of(server, answers):
    """The workload of an owner of the kind PodMetrics."""
    server.answer = lambda asked: answers.get(asked.path) or nothing_there(asked)
    cluster = KubernetesCluster(api_of(server))
    return cluster.workload(Owner("PodMetrics.metrics.k8s.io", "x"), namespace="shop")


with description("An owner of an API that is away") as self:
    with before.all:
        self.server = LoopbackServer()

    with after.all:
        self.server.stop()

    with it("is no workload, so that naming one keeps no alert from being answered"):
        there = {"/apis/metrics.k8s.io": Answer(200, GROUP)}

        expect(of(self.server, {**there, "/apis/metrics.k8s.io/v1beta1": DOWN})).to(be_none)

    with it("is not known where the API server itself is"):
        away = {"/apis/metrics.k8s.io": DOWN}

        expect(lambda: of(self.server, away)).to(raise_error(ClusterUnavailable))

    with it("is a workload where the API has the kind, of the pods that name it, by pages"):
        resources = {"resources": [{"name": "pods", "kind": "PodMetrics"}]}
        found = of(
            self.server,
            {
                "/apis/metrics.k8s.io": Answer(200, GROUP),
                "/apis/metrics.k8s.io/v1beta1": Answer(200, resources),
                "/api/v1/namespaces/shop/pods?limit=200": Answer(200, a_page(next="2")),
                "/api/v1/namespaces/shop/pods?limit=200&continue=2": Answer(200, a_page()),
            },
        )

        expect(found).to(equal(Workload("PodMetrics.metrics.k8s.io", "x", 2)))
