import io
import json

from expects import be_a, be_empty, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import InvalidAlert
from playbooks.core.outcome import Outcome
from playbooks.engines.local.engine import Dispatch, subscriptions
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.report import Report
from specs.support.mothers import a_document, an_alert

DONE = Outcome.acted("pod shop/web-0", "done", "done")
BODY = json.dumps(a_document()).encode()


with description("Dispatching an alert") as self:
    with before.each:
        self.bodies, self.arrived = [], []
        self.report = Report(io.StringIO(), 120)

    def a_dispatch(self, *topics):
        def call(body, origin):
            self.bodies.append((body, origin))
            return DONE

        interruption = Interruption(give_up=lambda: None)
        return Dispatch(call, topics, self.report, interruption, self.arrived.extend)

    with it("calls the playbook where a topic matches"):
        expect(self.a_dispatch("falco.notice.*").publish(BODY, "a:1")).to(equal(DONE))
        expect(self.bodies).to(equal([(BODY, "a:1")]))

    with it("calls it once for each topic that matches, as Kubeless does"):
        self.a_dispatch("falco.notice.*", "falco.>", "falco.error.*").publish(BODY, "a:1")

        expect(self.bodies).to(have_len(2))

    with it("does not call it where none matches, and says so"):
        outcome = self.a_dispatch("falco.error.*").publish(BODY, "a:1")

        expect(outcome.reason).to(equal("not-subscribed"))
        expect(self.bodies).to(be_empty)
        expect(self.report.counts["not subscribed"]).to(equal(1))

    with it("does not call it for what is no alert"):
        outcome = self.a_dispatch("falco.>").publish(b"{}", "a:1")

        expect(outcome.error).to(be_a(InvalidAlert))
        expect(self.bodies).to(be_empty)
        expect(self.report.invalid).to(equal(1))

    with it("calls it for whatever a NATS server delivers"):
        self.a_dispatch("falco.>").deliver(b"nonsense", "falco.notice.x")

        expect(self.bodies).to(equal([(b"nonsense", "falco.notice.x")]))
        expect(self.arrived).to(be_empty)

    with it("hands on the alert before it calls the playbook"):
        self.a_dispatch("falco.>").deliver(BODY, "falco.notice.x")

        expect(self.arrived[0].rule).to(equal("Terminal shell in container"))

    with it("reaches no topic with a rule of which NATS can make no token"):
        expect(subscriptions(an_alert(rule="検出"), ["falco.>"])).to(equal(0))
