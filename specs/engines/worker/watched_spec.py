from expects import be_empty, be_none, contain, equal, expect
from mamba import description, it

from playbooks.core import catalogue
from playbooks.engines.worker import watched
from playbooks.engines.worker.metrics import Metrics
from playbooks.testing import a_pod
from specs.support.loopback.pods_api import PodsApi, while_watching

SPACES = [f"team-{number}" for number in range(watched.MOST + 1)]


def places(playbook="delete", **values):
    return watched.places(catalogue.load(playbook), values)


def rights(playbook="delete", **values):
    permissions = watched.permissions(catalogue.load(playbook), values)
    return [f"{verb} {p.resource}" for p in permissions for verb in p.verbs]


with description("The pods that a worker watches") as self:
    with it("are all of the cluster, unless NAMESPACES are names"):
        expect([places(), places(NAMESPACES="team-*"), places("isolate")]).to(equal([()] * 3))
        expect(places(NAMESPACES="shop,till,shop")).to(equal(("shop", "till")))

    with it("are none with WATCH=off, of so many namespaces, for evidence, and for nodes"):
        for given in (
            {"WATCH": "off"},
            {"NAMESPACES": ",".join(SPACES)},
            {"EVIDENCE_URL": "s3://evidence/pods"},
            {"playbook": "taint"},
            {"playbook": "slack"},
        ):
            expect(places(**given)).to(be_none)
            expect(rights(**given)).to(be_empty)

    with it("take the right to list and watch them, and what the guards ask for"):
        expect(rights()).to(contain("watch pods", "watch replicasets", "watch namespaces"))
        expect(rights(NAMESPACES="shop")).not_to(contain("watch namespaces"))

    with it("are told by the metrics"):
        metrics, api = Metrics("delete"), PodsApi()
        api.put(a_pod().manifest)

        def page(cluster):
            metrics.watch(cluster)
            with cluster.remembering():
                cluster.delete_pod(cluster.pod("web-0", namespace="shop"), grace_period_seconds=1)
            metrics.page()
            return metrics.page().decode()

        told = while_watching(api, list(api.events), page)

        expect(told).to(contain('playbook_view_objects{kind="pods",playbook="delete"} 1.0'))
        expect(told).to(contain('playbook_view_live{playbook="delete"} 1.0'))
        expect(told).to(contain('playbook_view_answers_total{answer="view",playbook="delete"} 1.0'))
        expect(told).to(contain('playbook_view_answers_total{answer="read",playbook="delete"} 0.0'))
