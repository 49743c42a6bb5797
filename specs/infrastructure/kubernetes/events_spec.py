from dataclasses import replace

from expects import be_empty, equal, expect, have_key
from mamba import before, description, it

from playbooks.core.errors import NotFound
from playbooks.core.outcome import Outcome, TargetRef
from playbooks.infrastructure.kubernetes.events import SERIES, KubernetesEvents
from playbooks.testing import FakeOwnPod, an_alert
from specs.support.wired import MovingClock

POD = TargetRef("delete", "Pod", "web-0", "shop", "uid-1")
DONE = replace(Outcome.acted("pod shop/web-0", "done", "done"), target_ref=POD)


class FakeApi:
    """``calls``: verb, path and body in turn. ``gone``: what is patched is not there."""

    def __init__(self):
        self.calls = []
        self.gone = False

    @property
    def verbs(self):
        return [verb for verb, _, _ in self.calls]

    def tell(self, method, *path, body):
        self.calls.append(("post", path, body))

    def patch(self, *path, body):
        self.calls.append(("patch", path, body))
        if self.gone:
            raise NotFound("no such Event")


with description("The recorder of Events") as self:
    with before.each:
        self.api, self.clock = FakeApi(), MovingClock()
        self.events = KubernetesEvents(self.api, "delete", FakeOwnPod(), self.clock)

    def record(self, outcome=DONE, alert=None):
        self.events.record(alert or an_alert(), outcome)
        self.clock.seconds += 1

    with it("makes one in the namespace of the object, with the function's name and pod"):
        self.record()
        _, path, body = self.api.calls[0]

        expect(path).to(equal(("apis", "events.k8s.io", "v1", "namespaces", "shop", "events")))
        expect(body["metadata"]["labels"]["falco/function"]).to(equal("falco-delete"))
        expect(body["metadata"]["labels"]["falco/function-namespace"]).to(equal("playbooks"))
        expect(body["reportingInstance"]).to(equal("system:serviceaccount:playbooks:falco-delete"))
        expect(body["metadata"]["annotations"]["falco/instance"]).to(
            equal("falco-delete-6d5f-abcde")
        )

    with it("counts the same again in a series"):
        self.record()
        self.record()
        self.record()
        made = self.api.calls[0][2]["metadata"]["name"]

        expect(self.api.verbs).to(equal(["post", "patch", "patch"]))
        expect(self.api.calls[2][1][-1]).to(equal(made))
        expect(self.api.calls[2][2]).to(
            equal({"series": {"count": 3, "lastObservedTime": "2026-01-02T03:04:07.000000Z"}})
        )

    with it("makes another one of another object, reason or rule"):
        self.record()
        self.record(replace(DONE, target_ref=replace(POD, uid="uid-2")))
        self.record(replace(DONE, reason="other"))
        self.record(alert=an_alert(rule="Other rule"))

        expect(self.api.verbs).to(equal(["post"] * 4))

    with it("begins anew after some minutes without one"):
        self.record()
        self.clock.seconds += SERIES
        self.record()

        expect(self.api.verbs).to(equal(["post", "post"]))

    with it("begins anew where the first one is gone"):
        self.record()
        self.api.gone = True
        self.record()

        expect(self.api.verbs).to(equal(["post", "patch", "post"]))

    with it("asks nothing for what nobody needs to hear of"):
        self.record(Outcome.skipped("finished", "it has succeeded"))

        expect(self.api.calls).to(be_empty)

    with it("knows no function outside of a cluster, and names the machine"):
        own_pod = FakeOwnPod(pod="", in_cluster=False)
        KubernetesEvents(self.api, "delete", own_pod, self.clock).record(an_alert(), DONE)
        body = self.api.calls[0][2]

        expect(body["metadata"]["labels"]).not_to(have_key("falco/function"))
        expect(bool(body["reportingInstance"])).to(equal(True))
