"""The worker's look whether Cilium knows of an isolation, on a real API server that serves
CiliumEndpoints. No Cilium is there: a stand-in for its agent writes them, and takes the label of a
pod into its identity some seconds later, as the agent does.
"""

import asyncio
import json
import threading
import time
from contextlib import redirect_stderr
from io import StringIO

from expects import be_above, be_below, contain, equal, expect
from mamba import after, before, description, it

from playbooks.engines.runtime import Runtime
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.work.follow_ups import FollowUps
from specs.support.cluster.policy_definitions import POLICY_DEFINITIONS, PolicyDefinitions
from specs.support.cluster.real_cluster import (
    a_namespace,
    a_pod_manifest,
    alert_about,
    create,
    delete_namespace,
    kubectl,
    responder,
)
from specs.support.conditions import not_run_unless

# Seconds until the agent takes a label into an identity, and for which the worker looks.
AGENT, CONFIRM = 3.0, 7.0


def an_endpoint(pod, *labels):
    """As Cilium's agent writes it, of what matters here."""
    metadata = pod["metadata"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEndpoint",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "ownerReferences": [owner],
        },
        "status": {
            "id": 1,
            "identity": {"id": 4711, "labels": ["k8s:app=web", *labels]},
            "state": "ready",
        },
    }


def agent(pod):
    """Once it has waited, it gives the pod the identity that its labels make."""
    time.sleep(AGENT)
    metadata = pod["metadata"]
    labels = ["k8s:app=web", f"k8s:falco/isolated={metadata['uid']}"]
    patch = json.dumps({"status": {"identity": {"id": 4712, "labels": labels}}})
    place = ("-n", metadata["namespace"], "--type=merge", "-p", patch)
    kubectl("patch", "ciliumendpoint", metadata["name"], *place)


class Kept:
    """What is written of outcomes, by the name of the pod."""

    def __init__(self):
        self.seen = {}

    async def write(self, body, outcome, *, event_id, unique):
        self.seen.setdefault(outcome.target.partition("/")[2], []).append(outcome)


def looked_at(*pods):
    """What the worker's looks find after each of the pods was isolated, and its metrics."""
    kept, metrics = Kept(), Metrics("isolate")

    async def go():
        found = responder("isolate", ISOLATE_CONFIRM=f"{CONFIRM:g}s")
        looks = FollowUps(Runtime("isolate", found), kept, metrics, None)
        for pod in pods:
            alert = alert_about(pod)
            outcome = await asyncio.to_thread(found.answer, alert)
            assert outcome.reason == "isolated", outcome
            body = json.dumps(alert).encode()
            looks.begin(body, outcome, event_id="x", unique=pod["metadata"]["name"])
        await asyncio.wait(looks._tasks)
        looks.stop()

    with redirect_stderr(StringIO()):
        asyncio.run(go())
    return kept.seen, metrics


with description("The worker's look whether Cilium knows that a pod is isolated") as self:
    with before.all:
        self.namespace = ns = a_namespace()
        names = ("known", "never", "none", "elsewhere")
        made = create(*(a_pod_manifest(n, ns, labels={"app": "web"}, gated=True) for n in names))
        pods = dict(zip(names, made))
        elsewhere, _ = looked_at(pods["elsewhere"])
        with PolicyDefinitions("ciliumendpoints"):
            create(an_endpoint(pods["known"]), an_endpoint(pods["never"]))
            stand_in = threading.Thread(target=agent, args=(pods["known"],))
            stand_in.start()
            self.seen, self.metrics = looked_at(*(pods[n] for n in names[:3]))
            stand_in.join()
        self.seen.update(elsewhere)

    with after.all:
        delete_namespace(self.namespace)

    def found(self, name):
        (outcome,) = self.seen[name]
        return outcome

    with it("confirms the identity once the agent has the label, and says after how long"):
        found = self.found("known")

        expect(found.reason).to(equal("identity-confirmed"))
        expect(found.details["seconds"]).to(be_above(1.0))
        expect(found.details["seconds"]).to(be_below(CONFIRM))
        expect(found.details["follows"]).to(equal("isolated"))

    with it("is unconfirmed where the agent does not take the label in that time"):
        expect(self.found("never").reason).to(equal("unconfirmed"))
        expect(self.found("never").message).to(contain("identity-max-jitter"))

    with it("does not know it of a pod without an endpoint, nor without Cilium"):
        expect([self.found(n).reason for n in ("none", "elsewhere")]).to(equal(["not-known"] * 2))

    with it("counts what it found"):
        labels = {"playbook": "isolate", "reason": "identity-confirmed"}
        count = self.metrics.registry.get_sample_value("playbook_follow_ups_total", labels)

        expect(count).to(equal(1))


not_run_unless(POLICY_DEFINITIONS, globals())
