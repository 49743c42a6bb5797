import json
import time

from expects import be_below, be_empty, be_none, contain, equal, expect, have_key, have_len
from mamba import after, before, description, it

from specs.support.cluster import real_cluster as cluster
from specs.support.cluster.engines import TRIGGERS
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.processes import eventually
from specs.support.worker.worker_on_cluster import FUNCTION, IN_A_POD, NO_CAPS, Served, trigger


def edit(namespace, name, topic):
    patch = json.dumps({"spec": {"topic": topic}})
    cluster.kubectl("patch", TRIGGERS, name, "-n", namespace, "--type=merge", "-p", patch)


def begin(self, **settings):
    """A worker for a Function of its own, with the topic falco.error.*."""
    self.served = Served("falco.error.*")
    self.served.begin()
    self.namespace = self.served.namespace
    self.nats, self.proxy = self.served.nats, self.served.proxy
    self.worker = self.served.start_serving(HTTP_HOST="0.0.0.0", **settings)


def finish(self):
    self.served.end()


def publish(self, pod, subject="falco.error.x"):
    self.nats.publish((subject, json.dumps(cluster.alert_about(pod)).encode()))


def gated(namespace, *names):
    """Pods that are never scheduled: proven by their uid."""
    return cluster.create(*[cluster.a_pod_manifest(name, namespace, gated=True) for name in names])


def seconds_until(words, worker, act):
    begun = time.monotonic()
    act()
    worker.says(words, 10)
    return time.monotonic() - begun


with description("The worker on a real cluster") as self:
    with before.all:
        begin(self, **IN_A_POD)

    with after.all:
        finish(self)

    with it("deletes the running pod that an alert proves, and no other of its name"):
        elsewhere = cluster.a_namespace()
        cluster.create(
            cluster.a_pod_manifest("web", self.namespace),
            cluster.a_pod_manifest("web", elsewhere),
        )
        pod = cluster.running_pod("web", self.namespace)
        publish(self, pod)

        expect(cluster.gone(pod)).to(equal(True))
        expect(cluster.stored("pod", "web", elsewhere)["metadata"]).not_to(
            have_key("deletionTimestamp")
        )
        outcome = self.worker.outcomes[-1]
        expect(outcome["status"]).to(equal("acted"))
        expect(outcome["reason"]).to(equal("deletion-accepted"))

    with it("follows a trigger that is created, edited and deleted, within 5 seconds"):
        name = "falco-delete-trigger-1"
        made = seconds_until(
            "subscribed to falco.notice.*",
            self.worker,
            lambda: cluster.create(trigger(self.namespace, "falco.notice.*", 1)),
        )
        one, two, three = gated(self.namespace, "one", "two", "three")
        publish(self, one, "falco.notice.x")
        cluster.gone(one)
        edited = seconds_until(
            "subscribed to falco.debug.*",
            self.worker,
            lambda: edit(self.namespace, name, "falco.debug.*"),
        )
        publish(self, two, "falco.debug.x")
        cluster.gone(two)
        cluster.kubectl("delete", TRIGGERS, name, "-n", self.namespace)
        eventually(lambda: "falco.debug.*" not in self.worker.log.rpartition("topics of")[2], 5)
        publish(self, three, "falco.debug.x")
        eventually(self.nats.settled)

        expect(made).to(be_below(5))
        expect(edited).to(be_below(5))
        expect(cluster.stored("pod", "three", self.namespace)).not_to(be_none)

    with it("does not act on history when a trigger is created or its topic edited"):
        (old,) = gated(self.namespace, "old")
        publish(self, old, "falco.warning.x")
        time.sleep(1.1)
        name = "falco-delete-trigger-2"
        cluster.create(trigger(self.namespace, "falco.alert.*", 2))
        self.worker.says("subscribed to falco.alert.*", 5)
        publish(self, old, "falco.warning.y")
        time.sleep(1.1)
        edit(self.namespace, name, "falco.warning.*")
        self.worker.says("subscribed to falco.warning.*", 5)
        eventually(self.nats.settled)

        expect(cluster.stored("pod", "old", self.namespace)).not_to(be_none)
        publish(self, old, "falco.warning.x")
        expect(cluster.gone(old)).to(equal(True))

    with it("answers a posted alert with what it did"):
        (pod,) = gated(self.namespace, "posted")
        status, said = self.worker.post(json.dumps(cluster.alert_about(pod)).encode())

        expect(status).to(equal(200))
        expect(said).to(contain("deletion-accepted"))

    with it("gives a call through the API server's proxy a dry run, never an action"):
        (pod,) = gated(self.namespace, "proxied")
        # The API server calls pods only: one on the node's own network stands for the worker,
        # which listens there. Where Kubeless' controllers run, they make a Service of the
        # Function's own name.
        port, relay = self.worker.port, f"{FUNCTION}-relay"
        labels = {"app": relay}
        cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": relay, "namespace": self.namespace},
                "spec": {
                    "selector": labels,
                    "ports": [{"name": "http-function-port", "port": 8080, "targetPort": port}],
                },
            },
            cluster.a_pod_manifest(relay, self.namespace, labels=labels, hostNetwork=True),
        )
        cluster.running_pod(relay, self.namespace)
        alert = json.dumps(cluster.alert_about(pod))
        where = f"/api/v1/namespaces/{self.namespace}/services/{relay}:8080/proxy/"
        said = eventually(
            lambda: cluster.kubectl("create", "--raw", where, "-f", "-", stdin=alert), 10
        )

        expect(json.loads(said)["dry_run"]).to(equal(True))
        expect(json.loads(said)["status"]).to(equal("would act"))
        expect(cluster.stored("pod", "proxied", self.namespace)).not_to(be_none)

    with it("needs no more than the rights that it has"):
        expect(self.worker.log).not_to(contain("forbidden"))

with description("The worker, while the API server is away") as self:
    with before.all:
        begin(self, MAX_DELIVERIES="1", **NO_CAPS)

    with after.all:
        finish(self)

    with it("keeps every alert, costs none a delivery, and goes on when it is back"):
        pods = gated(self.namespace, *[f"pod-{number}" for number in range(20)])
        self.proxy.cut()
        for pod in pods:
            publish(self, pod)
        self.worker.says("the API server is away", 20)
        time.sleep(20)
        expect(self.worker.get("/readyz")[0]).to(equal(200))
        begun = time.monotonic()
        self.proxy.restore()
        for pod in pods:
            cluster.gone(pod)

        expect(time.monotonic() - begun).to(be_below(20))
        expect(self.nats.messages("FALCO_DEAD")).to(be_empty)
        acted = [line for line in self.worker.outcomes if line["status"] == "acted"]
        expect(acted).to(have_len(20))
        expect({line["details"]["delivery"] for line in acted}).to(equal({1}))

    with it("follows its triggers again afterwards"):
        self.proxy.cut()
        time.sleep(2)
        cluster.create(trigger(self.namespace, "falco.notice.*", 9))
        self.proxy.restore()

        self.worker.says("subscribed to falco.notice.*", 10)


not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
