"""Deleting pods that run. See specs/reactions/delete_pod_spec.py for what is decided when."""

import re
import subprocess
import time
from functools import partial

from expects import be_above, be_below, be_none, contain, equal, expect
from mamba import after, before, description, it

from playbooks.core.cluster.pod import Pod
from playbooks.core.outcome import Status
from playbooks.engines import retrying
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from specs.support.cluster.real_cluster import (
    IMAGE,
    a_controller,
    a_gated_pod,
    a_name,
    a_namespace,
    a_pod_manifest,
    alert_about,
    answer,
    container_id,
    create,
    delete_namespace,
    gone,
    kubectl,
    responder,
    running_pod,
    running_pods,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.processes import eventually

# Ends at first, and runs on when its container is started again.
ENDS_ONCE = "test -e /memory/started && exec sleep 3600; touch /memory/started; exit 1"
ENDS_ITSELF = "trap 'sleep 5; exit' TERM; while :; do sleep 1; done"
MEMORY = {"volumeMounts": [{"name": "memory", "mountPath": "/memory"}]}


class Interrupted(KubernetesCluster):
    """Something happens after the pod was read and before it is deleted."""

    def __init__(self, happens):
        super().__init__()
        self._happens = happens

    def pod(self, name, *, namespace):
        found = super().pod(name, namespace=namespace)
        self._happens()
        return found


def recreated(pod):
    """The pod of the same name that its StatefulSet starts in its place."""
    metadata = pod["metadata"]
    kubectl("delete", "pod", metadata["name"], "-n", metadata["namespace"], "--grace-period=1")
    expect(gone(pod)).to(equal(True))
    return running_pod(metadata["name"], metadata["namespace"])


def has_restarted(name, namespace):
    """The pod, once the API has the id of a container of it that ended."""

    def looked_at():
        pod = stored("pod", name, namespace)
        status = pod["status"].get("containerStatuses", [{}])[0]
        assert status.get("lastState", {}).get("terminated"), f"{name} has not restarted"
        return pod

    return eventually(looked_at)


def ended_container(pod):
    """The 12 characters of the id of the run that ended last."""
    ended = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    return ended["containerID"].rpartition("//")[2][:12]


def still_there(pod):
    found = stored("pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
    return (
        found is not None
        and found["metadata"]["uid"] == pod["metadata"]["uid"]
        and "deletionTimestamp" not in found["metadata"]
    )


def seconds_left(pod):
    found = Pod(stored("pod", pod["metadata"]["name"], pod["metadata"]["namespace"]))
    return found.terminates_at.nanoseconds / 1e9 - time.time()


with description("Deleting a running pod") as self:
    with before.all:
        self.namespace = a_namespace()
        memory = {"volumes": [{"name": "memory", "emptyDir": {}}], "container": MEMORY}
        ns = self.namespace
        create(
            a_controller("Deployment", "web", ns),
            a_controller("StatefulSet", "db", ns),
            a_pod_manifest("restarted", ns, command=("sh", "-c", ENDS_ONCE), **memory),
            a_pod_manifest("looping", ns, command=("sh", "-c", "sleep 1; exit 1")),
            a_pod_manifest("patient", ns, grace=600),
            a_pod_manifest("deleted", ns, grace=600, command=("sh", "-c", ENDS_ITSELF)),
            a_pod_manifest("hurried", ns, grace=20),
            a_pod_manifest("debugged", ns),
            a_pod_manifest("nameless", ns),
            a_pod_manifest("bystander", ns),
            a_pod_manifest(
                "preparing",
                ns,
                initContainers=[{"name": "init", "image": IMAGE, "command": ["sleep", "3600"]}],
            ),
        )
        running_pods(ns, count=8)

    with after.all:
        delete_namespace(self.namespace)

    with it("kills it, and its ReplicaSet starts another"):
        pod = running_pods(self.namespace, app="web")[0]
        outcome = answer("delete", alert_about(pod))

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(gone(pod)).to(equal(True))
        another = running_pods(self.namespace, app="web")[0]
        expect(another["metadata"]["uid"]).not_to(equal(pod["metadata"]["uid"]))

    with it("leaves a StatefulSet's pod alone that was recreated under the same name"):
        pod = running_pod("db-0", self.namespace)
        another = recreated(pod)
        by_container = answer("delete", alert_about(pod))
        by_uid = answer(
            "delete",
            alert_about(pod, fields={"container.id": None, "k8s.pod.uid": pod["metadata"]["uid"]}),
        )

        expect(by_container.reason).to(equal("not-the-same-pod"))
        expect(by_container.message).to(contain(container_id(another)))
        expect(by_uid.reason).to(equal("not-the-same-pod"))
        expect(still_there(another)).to(equal(True))

    with it("leaves it alone too when it was recreated after it was read"):
        pod = running_pod("db-0", self.namespace)
        cluster = Interrupted(lambda: recreated(pod))
        outcome = answer("delete", alert_about(pod), cluster)

        expect(outcome.status).to(equal(Status.SKIPPED))
        expect(outcome.reason).to(equal("not-the-same-pod"))
        expect(still_there(running_pod("db-0", self.namespace))).to(equal(True))

    with it("finds one whose container has been started again since the alert"):
        pod = has_restarted("restarted", self.namespace)
        expect(ended_container(pod)).not_to(equal(container_id(pod)))
        outcome = answer("delete", alert_about(pod, fields={"container.id": ended_container(pod)}))

        expect(outcome.status).to(equal(Status.ACTED))
        expect(gone(pod)).to(equal(True))

    with it("finds one whose container crashes again and again"):
        pod = has_restarted("looping", self.namespace)
        outcome = answer("delete", alert_about(pod, fields={"container.id": ended_container(pod)}))

        expect(outcome.status).to(equal(Status.ACTED))
        expect(gone(pod)).to(equal(True))

    with it("finds one by its init container, before the others have started"):
        pod = eventually(lambda: with_a_container("preparing", self.namespace, "init"))
        outcome = answer("delete", alert_about(pod))

        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.message).to(contain("also deletes containers main"))
        expect(gone(pod)).to(equal(True))

    with it("finds one by an ephemeral container"):
        kubectl(
            *("debug", "debugged", "-n", self.namespace, f"--image={IMAGE}", "--container=debug"),
            *("--image-pull-policy=IfNotPresent", "--quiet", "--", "sleep", "3600"),
        )
        pod = eventually(lambda: with_a_container("debugged", self.namespace, "debug"))
        alert = alert_about(pod, fields={"container.id": container_id(pod, "debug")})
        outcome = answer("delete", alert)

        expect(outcome.details["container"]).to(equal("debug"))
        expect(outcome.status).to(equal(Status.ACTED))
        expect(gone(pod)).to(equal(True))

    with it("finds one by node and container where the alert names neither pod nor namespace"):
        pod = running_pod("nameless", self.namespace)
        alert = alert_about(pod, fields={"k8s.ns.name": None, "k8s.pod.name": None})
        outcome = answer("delete", alert)

        expect(outcome.target).to(equal(f"pod {self.namespace}/nameless"))
        expect(gone(pod)).to(equal(True))

    with it("does not leave it the 600 seconds of grace that it asks for"):
        pod = running_pod("patient", self.namespace)
        outcome = answer("delete", alert_about(pod))

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(gone(pod)).to(equal(True))

    with it("brings the end forward of one that was being deleted with 600 seconds"):
        # The API accepts it. Kubelets up to 1.34 at least still wait for the end of the first
        # grace period (kubernetes#113606), so this one ends by itself.
        pod = running_pod("deleted", self.namespace)
        kubectl("delete", "pod", "deleted", "-n", self.namespace, "--wait=false")
        expect(seconds_left(pod)).to(be_above(500))
        outcome = answer("delete", alert_about(pod))

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(outcome.message).to(contain("which its kubelet may still wait for"))
        expect(seconds_left(pod)).to(be_below(3))

    with it("leaves one alone that will have ended before our grace period would have"):
        pod = running_pod("hurried", self.namespace)
        kubectl("delete", "pod", "hurried", "-n", self.namespace, "--wait=false")
        outcome = answer("delete", alert_about(pod), GRACE_PERIOD_SECONDS="60")

        expect(outcome.reason).to(equal("terminating"))
        expect(seconds_left(pod)).to(be_below(21))

    with it("touches no pod that the alert does not prove"):
        outcome = answer(
            "delete",
            alert_about(
                running_pod("bystander", self.namespace), fields={"container.id": "0123456789ab"}
            ),
        )

        expect(outcome.reason).to(equal("not-the-same-pod"))
        expect(still_there(running_pod("bystander", self.namespace))).to(equal(True))

    with it("only says in a dry run what it would do"):
        pod = running_pod("bystander", self.namespace)

        expect(answer("delete", alert_about(pod), DRY_RUN="true").status).to(
            equal(Status.WOULD_ACT)
        )
        expect(still_there(pod)).to(equal(True))

    with it("says of one that is gone that it is"):
        pod = a_gated_pod("brief", self.namespace)
        answer("delete", alert_about(pod))

        expect(stored("pod", "brief", self.namespace)).to(be_none)
        expect(answer("delete", alert_about(pod)).reason).to(equal("pod-gone"))


def with_a_container(name, namespace, container):
    """The pod, once the API has the id of that container."""
    pod = stored("pod", name, namespace)
    known = [found.name for found in Pod(pod).containers if found.ids]
    assert container in known, f"{name} has no container {container} yet"
    return pod


# Prints the id of the container in which a process runs that has MARK in its command line, as soon
# as it runs: what Falco's drivers do. Wants to see the processes of its node (hostPID).
SENSOR = """
while :; do
    for process in /proc/[0-9]*; do
        if grep -q "$(echo MARK)" $process/cmdline 2>/dev/null; then cat $process/cgroup; exit; fi
    done
done
"""

with description("Deleting a pod at the moment in which its process starts") as self:
    with before.all:
        self.namespace, self.mark = a_namespace(), a_name()
        create(a_pod_manifest("sensor", self.namespace, hostPID=True))
        node = running_pod("sensor", self.namespace)["spec"]["nodeName"]
        # Its own command line must not hold the mark.
        pattern = f"[{self.mark[0]}]{self.mark[1:]}"
        script = SENSOR.replace('"$(echo MARK)"', f"'{pattern}'")
        sensor = subprocess.Popen(
            ["kubectl", "exec", "-n", self.namespace, "sensor", "--", "sh", "-c", script],
            stdout=subprocess.PIPE,
            text=True,
        )
        # While its hook runs, the kubelet tells the API nothing of the container.
        hook = {"postStart": {"exec": {"command": ["sleep", "2"]}}}
        script = f": {self.mark}; while :; do sleep 1; done"
        self.pod = create(
            a_pod_manifest(
                "young",
                self.namespace,
                command=("sh", "-c", script),
                nodeName=node,
                container={"lifecycle": hook},
            )
        )[0]
        seen, _ = sensor.communicate(timeout=30)
        ids = re.findall(r"[0-9a-f]{64}", seen)
        assert ids, "the container's id cannot be read from /proc/<pid>/cgroup on this cluster"
        self.alert = alert_about(
            self.pod,
            seconds_ago=0,
            fields={"container.id": ids[0][:12], "k8s.pod.uid": None},
        )
        self.first = answer("delete", self.alert)
        ask = partial(responder("delete").answer, self.alert)
        self.outcome = retrying.answer(ask, seconds=60)

    with after.all:
        delete_namespace(self.namespace)

    with it("cannot prove it at first, because the API does not know the container yet"):
        expect(self.first.reason).to(equal("container-id-pending"))
        expect(self.first.details["retryable"]).to(equal(True))

    with it("proves and deletes it when it is tried again"):
        expect(self.outcome.reason).to(equal("deletion-accepted"))
        expect(self.outcome.details["attempts"]).to(be_above(1))
        expect(gone(self.pod)).to(equal(True))


not_run_unless(CLUSTER, globals())
