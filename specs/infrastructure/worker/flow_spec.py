"""Triggers that change while alerts flow, and alerts that are older than a playbook."""

import itertools
import json
import threading
import time

from expects import be_above, be_below, be_empty, equal, expect, have_len
from mamba import after, before, description, it

from specs.support.cluster import real_cluster as cluster
from specs.support.cluster.engines import TRIGGERS
from specs.support.conditions import CLUSTER, not_run_unless, program
from specs.support.processes import eventually
from specs.support.worker.worker_on_cluster import NO_CAPS, Served, trigger

# An alert every 12 seconds for a week.
HISTORY = 7 * 24 * 3600 // 12


def gated(namespace, *names):
    """Pods that are never scheduled: proven by their uid."""
    return cluster.create(*[cluster.a_pod_manifest(name, namespace, gated=True) for name in names])


def message(subject, pod):
    return subject, json.dumps(cluster.alert_about(pod)).encode()


def left(namespace):
    """The names of the pods that nobody deleted."""
    return cluster.kubectl("get", "pods", "-n", namespace, "-o", "name").split()


class Flow:
    """Alerts about one pod after the other, on three subjects in turn, until it ends."""

    def __init__(self, nats, pods):
        self._nats = nats
        self._pods = iter(pods)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._publish, daemon=True)
        self.sent = {"falco.error.x": [], "falco.notice.x": [], "falco.debug.x": []}

    def start(self):
        self._thread.start()

    def _publish(self):
        for subject in itertools.cycle(self.sent):
            pod = next(self._pods, None)
            if pod is None or self._over.wait(0.02):
                return
            self._nats.publish(message(subject, pod))
            self.sent[subject].append((time.time(), f"pod/{pod['metadata']['name']}"))

    def end(self):
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def between(self, subject, since, until):
        """The pods of the alerts of a subject that were sent meanwhile."""
        return {name for moment, name in self.sent[subject] if since < moment < until}


with description("A worker whose triggers change while alerts flow") as self:
    with before.all:
        self.served = Served("falco.error.*")
        self.served.begin()
        self.worker = self.served.start_serving(**NO_CAPS)
        pods = gated(self.served.namespace, *[f"pod-{number}" for number in range(600)])
        self.flow = Flow(self.served.nats, pods)

    with after.all:
        self.flow.end()
        self.served.end()

    def changed(self, topics, change):
        """The moments before a change, and after the worker goes by these topics."""
        since = time.time()
        change()
        eventually(lambda: self.worker.log.rpartition("topics of ")[2].startswith(topics), 5)
        return since, time.time()

    with it("acts on what each topic gets while it is served, and on nothing else"):
        namespace = self.served.namespace
        flow = self.flow
        name = trigger(namespace, "", 1)["metadata"]["name"]
        place = (name, "-n", namespace)
        edit = json.dumps({"spec": {"topic": "falco.debug.*"}})
        flow.start()
        time.sleep(2)
        created, served = self.changed(
            "falco-delete: falco.error.*, falco.notice.*",
            lambda: cluster.create(trigger(namespace, "falco.notice.*", 1)),
        )
        time.sleep(2)
        edited, moved = self.changed(
            "falco-delete: falco.debug.*, falco.error.*",
            lambda: cluster.kubectl("patch", TRIGGERS, *place, "--type=merge", "-p", edit),
        )
        time.sleep(3)
        deleted, gone = self.changed(
            'falco-delete: falco.error.*"',
            lambda: cluster.kubectl("delete", TRIGGERS, *place),
        )
        time.sleep(2)
        flow.end()
        end = time.time()
        # An alert that waits when its topic ends is for nobody any more.
        acted_upon = (
            flow.between("falco.error.x", 0, end)
            | flow.between("falco.notice.x", served, edited - 1)
            | flow.between("falco.debug.x", moved, deleted - 1)
        )
        # Times of objects have no fractions.
        never = (
            flow.between("falco.notice.x", 0, created - 1)
            | flow.between("falco.notice.x", moved, end)
            | flow.between("falco.debug.x", 0, edited - 1)
            | flow.between("falco.debug.x", gone, end)
        )
        eventually(lambda: not acted_upon & set(left(namespace)), 30, every=0.5)

        for subject in flow.sent:
            expect(len(flow.sent[subject])).to(be_above(50))
            expect(len(acted_upon & flow.between(subject, 0, end))).to(be_above(10))
        expect(never).not_to(be_empty)
        expect(never - set(left(namespace))).to(be_empty)
        expect(self.served.nats.messages("FALCO_DEAD")).to(be_empty)

with description("A new playbook on a stream that holds a week of alerts") as self:
    with before.all:
        self.served = Served("falco.error.*")
        self.served.begin()
        self.served.nats.stream("FALCO", "falco.>")
        # Whoever made them is older: the Function and its trigger come after.
        namespace = self.served.namespace
        cluster.kubectl("delete", TRIGGERS, "--all", "-n", namespace)
        self.pods = gated(namespace, *[f"old-{number}" for number in range(20)])
        old = [message("falco.error.x", pod) for pod in self.pods]
        self.served.nats.publish(*itertools.islice(itertools.cycle(old), HISTORY))
        time.sleep(1.1)
        cluster.create(trigger(namespace, "falco.error.*"))

    with after.all:
        self.served.end()

    with it("acts on nothing of it, and at once on what is new"):
        namespace = self.served.namespace
        (new,) = gated(namespace, "new")
        worker = self.served.start_serving(**NO_CAPS)
        begun = time.monotonic()
        self.served.nats.publish(message("falco.error.x", new))
        cluster.gone(new)
        took = time.monotonic() - begun
        eventually(self.served.nats.settled)
        (consumer,) = self.served.nats.consumers()

        expect(took).to(be_below(3))
        expect(left(namespace)).to(have_len(len(self.pods)))
        expect([line["status"] for line in worker.outcomes]).to(equal(["acted"]))
        expect(self.served.nats.call("STREAM.INFO.FALCO")["state"]["messages"]).to(
            equal(HISTORY + 1)
        )
        expect(consumer["config"]["filter_subject"]).to(equal("falco.error.*"))


not_run_unless(CLUSTER, globals())
not_run_unless(program("nats-server"), globals())
