"""The view of pods on a real API server: what its preconditions hold, and how it goes on."""

import contextlib
import threading

from expects import be_true, equal, expect
from mamba import after, before, description, it

from playbooks.infrastructure.kubernetes.api import KubernetesApi
from playbooks.infrastructure.kubernetes.view.watched import CHANGED, VIEW, WatchedCluster
from specs.support.cluster.real_cluster import (
    a_gated_pod,
    a_namespace,
    alert_about,
    delete_namespace,
    kubectl,
    responder,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually


class Held:
    """A view that hears of nothing while it is entered, and then of all that happened."""

    def __init__(self, cluster):
        (self._follower,) = cluster.pods.followers
        self._go_on = threading.Event()

    def __enter__(self):
        self._take = self._follower._take

        def later(line):
            self._go_on.wait(60)
            self._take(line)

        self._follower._take = later
        return self

    def __exit__(self, *_):
        self._follower._take = self._take
        self._go_on.set()


def known(cluster, pod):
    """Whether the view has the pod as it is."""
    metadata = pod["metadata"]
    with cluster.remembering(), contextlib.suppress(Exception):
        found = cluster.pod(metadata["name"], namespace=metadata["namespace"])
        return found.remembered and found.resource_version == metadata["resourceVersion"]
    return False


with description("A view of pods on a real API server") as self:
    with before.all:
        self.namespace = a_namespace()

    with after.all:
        delete_namespace(self.namespace)

    with before.each:
        self.cluster = WatchedCluster(KubernetesApi(), namespaces=(self.namespace,))
        self.cluster.start()

    with after.each:
        self.cluster.stop()

    def a_pod(self, name):
        pod = a_gated_pod(name, self.namespace)
        eventually(lambda: known(self.cluster, pod))
        return pod

    def answer(self, pod):
        return responder("delete", self.cluster).answer(alert_about(pod))

    def answers(self, *names):
        return [self.cluster.answers[name] for name in names]

    with it("takes one call to delete a pod that is as it is remembered"):
        pod = self.a_pod("as-it-is")

        expect(self.answer(pod).reason).to(equal("deletion-accepted"))
        expect(self.answers(VIEW, CHANGED)).to(equal([1, 0]))

    with it("is held by the API server to what it remembers: a pod written since is read anew"):
        pod = self.a_pod("written")
        with Held(self.cluster):
            kubectl("label", "pod", "written", "-n", self.namespace, "since=then")
            outcome = self.answer(pod)

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(self.answers(VIEW, CHANGED)).to(equal([0, 1]))

    with it("leaves the pod alone that has the name of the one that it remembers"):
        pod = self.a_pod("web-0")
        with Held(self.cluster):
            kubectl("delete", "pod", "web-0", "-n", self.namespace, "--now")
            another = a_gated_pod("web-0", self.namespace)
            outcome = self.answer(pod)

        expect(outcome.reason).to(equal("not-the-same-pod"))
        found = stored("pod", "web-0", self.namespace)["metadata"]
        expect((found["uid"], "deletionTimestamp" in found)).to(
            equal((another["metadata"]["uid"], False))
        )
        # It hears of the other one once it goes on.
        eventually(lambda: known(self.cluster, stored("pod", "web-0", self.namespace)))

    with it("goes on from a version of long ago, by what changed since or by a new list"):
        self.a_pod("before")
        self.cluster.stop()
        second = WatchedCluster(KubernetesApi(), namespaces=(self.namespace,))
        (follower,) = second.pods.followers
        # As if it had been away for so long: what the API server forgot, it answers with 410.
        follower._version = "1"
        second.start()
        try:
            eventually(lambda: known(second, stored("pod", "before", self.namespace)))

            expect(second.live).to(be_true)
        finally:
            second.stop()


not_run_unless(CLUSTER, globals())
