"""What becomes of an alert while the API server fails: a proxy before the real one sees to that.

Its pods are never scheduled, or bound to a node that does not run, so that the API alone acts.
"""

import threading
import time
from functools import partial

import urllib3
from expects import be_above, be_below, contain, equal, expect, have_len
from mamba import after, before, description, it

from playbooks.core.outcome import Status
from playbooks.engines import retrying
from playbooks.infrastructure.kubernetes.api import TIMEOUT
from specs.support.cluster.faulty_proxy import Fault, FaultyProxy, says
from specs.support.cluster.real_cluster import (
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
    responder,
    stored,
)
from specs.support.conditions import CLUSTER, not_run_unless
from specs.support.loopback.server import Answer
from specs.support.processes import eventually

MODIFIED = (
    "Operation cannot be fulfilled: the object has been modified; please apply your changes to the"
    " latest version and try again"
)
# The path of a namespace itself.
A_NAMESPACE = "/namespaces/[^/]+$"

IMPATIENT = urllib3.Timeout(connect=0.5, read=0.5)


def a_web_pod(namespace):
    return a_gated_pod(a_name(), namespace, labels={"app": "web"})


def is_stored(pod):
    metadata = pod["metadata"]
    found = stored("pod", metadata["name"], metadata["namespace"])
    return found is not None and found["metadata"]["uid"] == metadata["uid"]


def policies_of(pod):
    found = kubectl_json("get", "networkpolicies", "-n", pod["metadata"]["namespace"])["items"]
    uid = pod["metadata"]["uid"]
    return [p for p in found if p["metadata"]["ownerReferences"][0]["uid"] == uid]


def labels_of(pod):
    found = stored("pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
    return found["metadata"].get("labels") or {}


class Answered:
    """An alert answered through a proxy, retried for some seconds, and how long that took."""

    def __init__(self, playbook, alert, *faults, seconds=20, timeout=IMPATIENT, **settings):
        self.proxy = FaultyProxy(*faults)
        try:
            reaction = responder(playbook, self.proxy.cluster(timeout), **settings)
            started = time.monotonic()
            self.outcome = retrying.answer(partial(reaction.answer, alert), seconds=seconds)
            self.seconds = time.monotonic() - started
        finally:
            self.proxy.stop()


def deleted(pod, *faults, **options):
    return Answered("delete", alert_about(pod), *faults, **options)


with description("An alert that the API server answers badly") as self:
    with before.all:
        self.namespace = a_namespace()

    with after.all:
        delete_namespace(self.namespace)

    with before.each:
        self.pod = a_web_pod(self.namespace)

    with it("is acted upon at once where nothing is wrong"):
        answered = deleted(self.pod)

        expect(answered.outcome.status).to(equal(Status.ACTED))
        # The pod, the exemptions of its namespace, and the deletion.
        expect(answered.proxy.seen).to(have_len(6))
        expect(is_stored(self.pod)).to(equal(False))

    with it("is retried after 429, and not before it was asked to"):
        busy = says(429, "TooManyRequests", "too many requests", headers={"Retry-After": "1"})
        answered = deleted(self.pod, busy)

        expect(answered.outcome.status).to(equal(Status.ACTED))
        expect(answered.outcome.details["attempts"]).to(equal(2))
        expect(answered.seconds).to(be_above(1.0))
        expect(is_stored(self.pod)).to(equal(False))

    with it("is retried after 500, and read again before it is acted upon"):
        broken = says(500, "InternalError", "etcdserver: leader changed", method="DELETE", times=2)
        answered = deleted(self.pod, broken)

        expect(answered.outcome.status).to(equal(Status.ACTED))
        expect(answered.outcome.details["attempts"]).to(equal(3))
        pods = [call for call in answered.proxy.seen if "/pods/" in call]
        expect([call.partition(" ")[0] for call in pods]).to(equal(["GET", "DELETE"] * 3))
        expect(is_stored(self.pod)).to(equal(False))

    with it("is retried after the 503 of a load balancer, which is no JSON"):
        away = Fault(answer=Answer(503, b"upstream connect error", {"Retry-After": "0"}))
        answered = deleted(self.pod, away)

        expect(answered.outcome.status).to(equal(Status.ACTED))
        expect(is_stored(self.pod)).to(equal(False))

    with it("is retried after a cut connection"):
        answered = deleted(self.pod, Fault(times=2))

        expect(answered.outcome.status).to(equal(Status.ACTED))
        expect(answered.outcome.details["attempts"]).to(equal(3))
        expect(is_stored(self.pod)).to(equal(False))

    with it("is retried after a call that met its deadline"):
        answered = deleted(self.pod, Fault(hangs=3.0))

        expect(answered.outcome.status).to(equal(Status.ACTED))
        expect(answered.seconds).to(be_below(2.5))
        expect(is_stored(self.pod)).to(equal(False))

    with it("is retried while connections are refused"):
        proxy = FaultyProxy()
        proxy.stop()
        starts = threading.Timer(1.0, proxy.start)
        starts.start()
        try:
            reaction = responder("delete", proxy.cluster(IMPATIENT))
            ask = partial(reaction.answer, alert_about(self.pod))
            outcome = retrying.answer(ask, seconds=20)
        finally:
            starts.join()
            proxy.stop()

        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.details["attempts"]).to(be_above(1))
        expect(is_stored(self.pod)).to(equal(False))

    with it("fails loudly where it stays so, within its time, and nothing is done"):
        broken = says(500, "InternalError", "etcdserver: no leader", method="DELETE", times=99)
        answered = deleted(self.pod, broken, seconds=2)

        expect(answered.outcome.reason).to(equal("cluster-unavailable"))
        expect(answered.outcome.details["retryable"]).to(equal(True))
        expect(answered.outcome.message).to(contain("etcdserver: no leader (500)"))
        expect(answered.seconds).to(be_below(2.5))
        expect(is_stored(self.pod)).to(equal(True))

    with it("fails where connections stay refused"):
        proxy = FaultyProxy()
        proxy.stop()
        reaction = responder("delete", proxy.cluster(IMPATIENT))
        ask = partial(reaction.answer, alert_about(self.pod))
        outcome = retrying.answer(ask, seconds=1)

        expect(outcome.reason).to(equal("cluster-unavailable"))
        expect(outcome.message).to(contain("did not answer GET"))

    with it("fails at once where the account lacks the right, and is not retried"):
        forbidden = says(403, "Forbidden", "pods is forbidden", method="DELETE", times=99)
        answered = deleted(self.pod, forbidden)

        expect(answered.outcome.reason).to(equal("not-permitted"))
        expect(answered.proxy.calls("DELETE")).to(equal(1))

    with it("is retried where a guard cannot be asked, and acted upon once it can"):
        forbidden = says(403, "Forbidden", "namespaces is forbidden", path=A_NAMESPACE)
        answered = deleted(self.pod, forbidden)

        expect(answered.outcome.status).to(equal(Status.ACTED))
        expect(answered.outcome.details["attempts"]).to(equal(2))

    with it("fails where a guard cannot be asked, and nothing is done"):
        forbidden = says(403, "Forbidden", "namespaces is forbidden", path=A_NAMESPACE, times=99)
        answered = deleted(self.pod, forbidden, seconds=1)

        expect(answered.outcome.reason).to(equal("guard-unanswered"))
        expect(answered.proxy.calls("DELETE")).to(equal(0))
        expect(is_stored(self.pod)).to(equal(True))

    with it("fails where no answer comes within the client's own ten seconds"):
        silent = Fault(hangs=12.0)
        answered = deleted(self.pod, silent, seconds=1, timeout=TIMEOUT)

        expect(answered.outcome.reason).to(equal("cluster-unavailable"))
        expect(answered.seconds).to(be_above(9.5))
        expect(answered.seconds).to(be_below(11.5))


with description("A deletion that was accepted but whose answer was lost") as self:
    with before.all:
        self.namespace, self.node = a_namespace(), a_fake_node()

    with after.all:
        delete_namespace(self.namespace)
        delete("node", self.node)

    with it("is found done where the pod is gone by then"):
        pod = a_web_pod(self.namespace)
        answered = deleted(pod, Fault(method="DELETE", passed_on=True))

        expect(answered.outcome.reason).to(equal("pod-gone"))
        expect(answered.proxy.calls("DELETE")).to(equal(1))

    with it("is found under way where the pod is terminating by then"):
        pod = create(a_pod_manifest(a_name(), self.namespace, nodeName=self.node))[0]
        answered = deleted(pod, Fault(method="DELETE", passed_on=True), GRACE_PERIOD_SECONDS="30")

        expect(answered.outcome.reason).to(equal("terminating"))
        expect(answered.proxy.calls("DELETE")).to(equal(1))

    with it("does not hit the pod that has the name by then"):
        pod = a_web_pod(self.namespace)
        name = pod["metadata"]["name"]
        others = []
        replaced = Fault(
            method="DELETE",
            passed_on=True,
            then=lambda: others.extend(create(a_pod_manifest(name, self.namespace, gated=True))),
        )
        answered = deleted(pod, replaced, timeout=urllib3.Timeout(5))

        expect(answered.outcome.reason).to(equal("not-the-same-pod"))
        expect(answered.proxy.calls("DELETE")).to(equal(1))
        expect(is_stored(others[0])).to(equal(True))


with description("A taint, while the API server answers badly,") as self:
    with before.all:
        self.namespace, self.node = a_namespace(), a_fake_node()
        self.pod = create(a_pod_manifest(a_name(), self.namespace, nodeName=self.node))[0]

    with after.all:
        delete_namespace(self.namespace)
        delete("node", self.node)

    with before.each:
        self.key = f"falco-spec/{a_name()}"

    with it("is added after conflicts, to the node as it is then"):
        conflict = says(409, "Conflict", MODIFIED, method="PATCH", times=2)
        answered = Answered("taint", alert_about(self.pod), conflict, TAINT_KEY=self.key)

        expect(answered.outcome.reason).to(equal("tainted"))
        expect(list(answered.outcome.details)).not_to(contain("attempts"))
        nodes = [call for call in answered.proxy.seen if call.startswith("GET /api/v1/nodes/")]
        expect(nodes).to(have_len(3))
        expect(taints_of(self.node, self.key)).to(have_len(1))

    with it("is added in a later attempt after more conflicts than one takes"):
        conflict = says(409, "Conflict", MODIFIED, method="PATCH", times=7)
        answered = Answered("taint", alert_about(self.pod), conflict, TAINT_KEY=self.key)

        expect(answered.outcome.reason).to(equal("tainted"))
        expect(answered.outcome.details["attempts"]).to(equal(2))

    with it("is not added twice where the answer was lost"):
        lost = Fault(method="PATCH", passed_on=True)
        answered = Answered("taint", alert_about(self.pod), lost, TAINT_KEY=self.key)

        expect(answered.outcome.reason).to(equal("already-tainted"))
        expect(taints_of(self.node, self.key)).to(have_len(1))


def taints_of(node, key):
    return [t for t in stored("node", node)["spec"]["taints"] if t["key"] == key]


with description("An isolation, while the API server answers badly,") as self:
    with before.all:
        self.namespace = a_namespace()

    with after.all:
        delete_namespace(self.namespace)

    with before.each:
        self.pod = a_web_pod(self.namespace)

    with it("is finished after a conflict on the pod, with the policy that is there"):
        conflict = says(409, "Conflict", MODIFIED, method="PATCH")
        answered = Answered("isolate", alert_about(self.pod), conflict)

        expect(answered.outcome.reason).to(equal("isolated"))
        expect(answered.proxy.calls("POST")).to(equal(1))
        expect(policies_of(self.pod)).to(have_len(1))
        expect(labels_of(self.pod)["falco/isolated"]).to(equal(self.pod["metadata"]["uid"]))

    with it("does not store a second policy where the answer to the first was lost"):
        answered = Answered("isolate", alert_about(self.pod), Fault(method="POST", passed_on=True))

        expect(answered.outcome.reason).to(equal("isolated"))
        expect(policies_of(self.pod)).to(have_len(1))

    with it("is found done where the answer to its last call was lost"):
        answered = Answered("isolate", alert_about(self.pod), Fault(method="PATCH", passed_on=True))

        expect(answered.outcome.reason).to(equal("already-isolated"))
        expect(policies_of(self.pod)).to(have_len(1))

    with it("fails with a policy that is for nobody yet, and a later alert finishes it"):
        broken = says(500, "InternalError", "etcdserver: no leader", method="PATCH", times=99)
        answered = Answered("isolate", alert_about(self.pod), broken, seconds=1)

        expect(answered.outcome.reason).to(equal("cluster-unavailable"))
        expect(policies_of(self.pod)).to(have_len(1))
        expect(labels_of(self.pod)).to(equal({"app": "web"}))
        expect(answer("isolate", alert_about(self.pod)).reason).to(equal("isolated"))

    with it("leaves the pod alone that took its place meanwhile, and no policy of the first"):
        name = self.pod["metadata"]["name"]
        others = []

        def replaced():
            kubectl("delete", "pod", name, "-n", self.namespace)
            others.extend(create(a_pod_manifest(name, self.namespace, gated=True)))

        # The policy is stored, and the pod is another just before it is patched.
        answered = Answered(
            "isolate",
            alert_about(self.pod),
            Fault(method="PATCH", first=replaced),
            timeout=urllib3.Timeout(10),
        )

        expect(answered.proxy.calls("PATCH")).to(equal(1))
        expect(answered.outcome.reason).to(equal("not-the-same-pod"))
        expect(list(labels_of(others[0]))).not_to(contain("falco/isolated"))
        eventually(lambda: not policies_of(self.pod))


not_run_unless(CLUSTER, globals())
