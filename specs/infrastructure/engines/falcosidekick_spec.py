import json
import os
import time
from pathlib import Path

from expects import be_empty, contain, equal, expect, have_key, have_len
from mamba import after, before, description, it

from playbooks.core.instant import Instant
from specs.engines.worker.rig import TOKEN
from specs.support.cluster import real_cluster as cluster
from specs.support.cluster.engines import no_controller_at_work
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.engines.falcosidekick import FALCOSIDEKICK, Falcosidekick
from specs.support.processes import eventually
from specs.support.worker.worker_on_cluster import Served

RECORDED = Path(__file__).parents[2] / "support" / "alerts" / "falco_alerts.jsonl"

# A shell in a container of a pod, at this line of the recorded alerts.
NUMBER = 7
SUBJECT = "falco.notice.terminal_shell_in_container"


def recorded_alert(pod):
    """The recorded alert, but for whom it names and when it was."""
    alert = json.loads(RECORDED.read_text(encoding="utf-8").splitlines()[NUMBER - 1])
    about = {
        "k8s.ns.name": pod["metadata"]["namespace"],
        "k8s.pod.name": pod["metadata"]["name"],
        "container.id": cluster.container_id(pod),
    }
    fields = {**alert["output_fields"], **about}
    return {**alert, "time": str(Instant(time.time_ns())), "output_fields": fields}


def begin(self):
    """A worker that serves the recorded alert's subject, and may delete in two namespaces."""
    self.sidekick = None
    self.served = Served("falco.notice.*", also=1)
    self.served.begin()
    self.worker = self.served.start_serving()


def send_to(self, **settings):
    self.sidekick = Falcosidekick(self.served.directory, **settings)


def finish(self):
    if self.sidekick is not None:
        self.sidekick.kill()
    self.served.end()


def a_running_pair(self, name):
    """The pod that is meant, and one of its name in another namespace."""
    namespaces = self.served.namespaces
    cluster.create(*[cluster.a_pod_manifest(name, namespace) for namespace in namespaces])
    return [cluster.running_pod(name, namespace) for namespace in namespaces]


def expect_only_the_first_gone(pod, decoy):
    expect(cluster.gone(pod)).to(equal(True))
    there = cluster.stored("pod", decoy["metadata"]["name"], decoy["metadata"]["namespace"])
    expect(there["metadata"]["uid"]).to(equal(decoy["metadata"]["uid"]))
    expect(there["metadata"]).not_to(have_key("deletionTimestamp"))


def the_outcome(self):
    """The only one that there is."""
    eventually(lambda: self.worker.outcomes)
    expect(self.worker.outcomes).to(have_len(1))
    return self.worker.outcomes[0]


def expect_one_of_two_deleted(self):
    """The outcome of an alert about a pod, of which another one has the name."""
    pod, decoy = a_running_pair(self, "web")
    self.sidekick.take(recorded_alert(pod))
    expect_only_the_first_gone(pod, decoy)
    outcome = the_outcome(self)
    expect((outcome["status"], outcome["reason"])).to(equal(("acted", "deletion-accepted")))
    expect(outcome["details"]["uid"]).to(equal(pod["metadata"]["uid"]))
    return outcome


with description("Falcosidekick's NATS output") as self:
    with before.each:
        begin(self)

    with after.each:
        finish(self)

    with it("has the worker delete the pod of a real alert, and no other of its name"):
        send_to(self, NATS_HOSTPORT=self.served.nats.url)
        outcome = expect_one_of_two_deleted(self)
        expect(outcome["details"]["subject"]).to(equal(SUBJECT))
        # Falco gave none: it is Falcosidekick's.
        expect(outcome["alert"]["uuid"]).not_to(be_empty)


def a_service(worker, namespace):
    """As deploying makes one. The worker runs on the node itself, and the API server passes calls
    on to pods alone: one has the address of the node."""
    cluster.create(cluster.a_pod_manifest("on-the-node", namespace, hostNetwork=True))
    pod = cluster.running_pod("on-the-node", namespace)
    about = {"name": "falco-delete", "namespace": namespace}
    ports = [{"port": 8080, "targetPort": worker.port}]
    place = {"kind": "Pod", "name": "on-the-node", "namespace": namespace}
    address = {"ip": pod["status"]["podIP"], "targetRef": place}
    subset = {"addresses": [address], "ports": [{"port": worker.port}]}
    cluster.create(
        {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": {"ports": ports}},
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": about, "subsets": [subset]},
    )


with description("Falcosidekick's Kubeless output, to a worker") as self:
    with before.each:
        self.sidekick = None
        self.served = Served("falco.notice.*")
        self.served.begin()
        self.worker = self.served.start_serving(HTTP_HOST="0.0.0.0")
        a_service(self.worker, self.served.namespace)

    with after.each:
        finish(self)

    with it("is a dry run, through the API server: it can send no token"):
        send_to(
            self,
            KUBELESS_FUNCTION="falco-delete",
            KUBELESS_NAMESPACE=self.served.namespace,
            KUBELESS_PORT="8080",
            KUBELESS_KUBECONFIG=os.environ["KUBECONFIG"],
        )
        cluster.create(cluster.a_pod_manifest("web", self.served.namespace))
        pod = cluster.running_pod("web", self.served.namespace)
        self.sidekick.take(recorded_alert(pod))

        outcome = the_outcome(self)
        expect(outcome["status"]).to(equal("would act"))
        self.sidekick.says('Kubeless - Call Function "falco-delete" OK')
        there = cluster.stored("pod", "web", self.served.namespace)
        expect(there["metadata"]).not_to(have_key("deletionTimestamp"))


with description("Falcosidekick's webhook output") as self:
    with before.each:
        begin(self)

    with after.each:
        finish(self)

    with it("has the worker delete the pod by HTTP, with the token in a custom header"):
        send_to(
            self,
            WEBHOOK_ADDRESS=f"http://127.0.0.1:{self.worker.port}/",
            WEBHOOK_CUSTOMHEADERS=f"Authorization:Bearer {TOKEN}",
        )
        outcome = expect_one_of_two_deleted(self)
        expect(outcome["details"]["subject"]).to(contain("falco-inbox."))
        self.sidekick.says("Webhook - POST OK (200)")

    with it("is refused with another token, and no pod is touched"):
        send_to(
            self,
            WEBHOOK_ADDRESS=f"http://127.0.0.1:{self.worker.port}/",
            WEBHOOK_CUSTOMHEADERS="Authorization:Bearer not-the-token-at-all",
        )
        pod, _ = a_running_pair(self, "web")
        self.sidekick.take(recorded_alert(pod))
        self.sidekick.says("401")
        time.sleep(1)

        expect(self.worker.outcomes).to(be_empty)
        there = cluster.stored("pod", "web", pod["metadata"]["namespace"])
        expect(there["metadata"]).not_to(have_key("deletionTimestamp"))


not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
not_run_unless(FALCOSIDEKICK, globals())
not_run_unless(no_controller_at_work(), globals(), title="Kubeless")
