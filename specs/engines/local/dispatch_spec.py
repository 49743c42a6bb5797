import io
import json

from doublex import ANY_ARG, Spy, Stub, assert_that, called, never
from expects import be_a, equal, expect
from mamba import before, description, it

from playbooks.core.errors import InvalidAlert
from playbooks.core.outcome import Outcome
from playbooks.engines.local.calls import Calls, Dispatch
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.report import Report
from playbooks.engines.local.target import Target
from playbooks.engines.pushed import subscriptions
from playbooks.testing import a_document, an_alert

DONE = Outcome.acted("pod shop/web-0", "done", "done")
BODY = json.dumps(a_document()).encode()


with description("Dispatching an alert") as self:
    with before.each:
        with Spy(Calls) as self.calls:
            self.calls.call(ANY_ARG).returns(DONE)
        self.target = Spy(Target)
        self.report = Report(io.StringIO(), 120)

    def a_dispatch(self, *topics):
        interruption = Interruption(give_up=self.calls.give_up)
        return Dispatch(self.calls, topics, self.report, interruption, self.target.expect)

    with it("calls the playbook where a topic matches"):
        expect(self.a_dispatch("falco.notice.*").publish(BODY, "a:1")).to(equal(DONE))
        assert_that(self.calls.call, called().with_args(BODY, "a:1").times(1))

    with it("calls it once for each topic that matches, as Kubeless does"):
        self.a_dispatch("falco.notice.*", "falco.>", "falco.error.*").publish(BODY, "a:1")

        assert_that(self.calls.call, called().times(2))

    with it("does not call it where none matches, and says so"):
        outcome = self.a_dispatch("falco.error.*").publish(BODY, "a:1")

        expect(outcome.reason).to(equal("not-subscribed"))
        expect(self.report.counts["not subscribed"]).to(equal(1))
        assert_that(self.calls.call, never(called()))
        assert_that(self.calls.log, called().with_args(BODY, "a:1", outcome).times(1))

    with it("does not call it for what is no alert"):
        outcome = self.a_dispatch("falco.>").publish(b"{}", "a:1")

        expect(outcome.error).to(be_a(InvalidAlert))
        expect(self.report.invalid).to(equal(1))
        assert_that(self.calls.call, never(called()))
        assert_that(self.calls.log, called().with_args(b"{}", "a:1", outcome).times(1))

    with it("calls it for whatever a NATS server delivers"):
        self.a_dispatch("falco.>").deliver(b"nonsense", "falco.notice.x")

        assert_that(self.calls.call, called().with_args(b"nonsense", "falco.notice.x"))
        assert_that(self.target.expect, never(called()))

    with it("hands on the alert before it calls the playbook"):
        order = []
        with Stub(Calls) as calls:
            calls.call(ANY_ARG).delegates(lambda *_: order.append("call") or DONE)
        Dispatch(
            calls,
            ["falco.>"],
            self.report,
            Interruption(give_up=calls.give_up),
            lambda alerts: order.append(alerts[0].rule),
        ).deliver(BODY, "falco.notice.x")

        expect(order).to(equal(["Terminal shell in container", "call"]))

    with it("reaches no topic with a rule of which NATS can make no token"):
        expect(subscriptions(an_alert(rule="検出"), ["falco.>"])).to(equal(0))
