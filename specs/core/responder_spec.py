from dataclasses import replace

from expects import be, be_a, be_empty, be_none, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.action import Action, Answer
from playbooks.core.alert import Arrival
from playbooks.core.errors import NotPermitted, Throttled, Unexpected
from playbooks.core.guards.filters import MinimumPriority
from playbooks.core.guards.guard import Guard
from playbooks.core.instant import after
from playbooks.core.outcome import Outcome, Status, TargetRef
from playbooks.core.reaction import Verified
from playbooks.core.responder import Responder
from playbooks.core.subjects import Priority
from playbooks.infrastructure.ledger import StoredLedger, read
from playbooks.testing import (
    NOW,
    UID,
    FakeReaction,
    FixedClock,
    InMemoryLedger,
    a_document,
    a_pod,
    an_action,
)

DONE = Outcome.acted("pod shop/web-0", "done", "done")


class Told(Guard):
    """Writes down what it is asked; ``answers`` are what it then says or raises."""

    def __init__(self, log, name, of_alert=None, of_action=None):
        self._log, self._name = log, name
        self._answers = {"alert": of_alert, "action": of_action}
        self.cases = []

    @classmethod
    def of(cls, context):
        raise NotImplementedError

    def of_alert(self, case):
        return self._say("alert", case)

    def of_action(self, case, action):
        return self._say("action", case)

    def _say(self, what, case):
        self._log.append(f"{self._name} of the {what}")
        self.cases.append(case)
        answer = self._answers[what]
        if isinstance(answer, Exception):
            raise answer
        return answer or Answer(f"{self._name} passed the {what}")


def a_responder(reaction, *guards, dry_run=False):
    return Responder(reaction, guards, FixedClock(), dry_run=dry_run)


with description("A responder") as self:
    with before.each:
        self.reaction = FakeReaction(DONE)
        self.responder = a_responder(self.reaction, MinimumPriority(Priority.ERROR))

    with it("answers with what the reaction did"):
        outcome = self.responder.answer(a_document(priority="Error"))

        expect(outcome).to(equal(replace(DONE, why=("priority Error is not below Error", "done"))))

    with it("gives what it did a look at what became of it"):

        class Looking(FakeReaction):
            settles = 3.0

            def verify(self, action):
                return Verified(self.holds, f"{action.target} is as it is said")

        reaction = Looking(an_action(a_pod(), carry_out=lambda: DONE))
        (look,) = a_responder(reaction).answer(a_document()).follow_ups
        reaction.holds = True
        so = look.look(True)
        reaction.holds = False
        other = look.look(True)

        expect((look.after, look.every)).to(equal((3.0, None)))
        expect((so.status, so.reason)).to(equal((Status.LOOKED, "verified")))
        expect(so.message).to(equal("pod shop/web-0 is as it is said"))
        expect(so.details).to(equal({"follows": "done", "uid": UID, "holds": True}))
        expect((other.reason, other.details["holds"])).to(equal(("not-verified", False)))
        expect(other.target_ref.name).to(equal("web-0"))

    with it("says nothing of what an operator undid before the look"):

        class Gone(FakeReaction):
            def verify(self, action):
                return Verified(False, f"{action.target} is as it was")

        stored = InMemoryLedger()
        reaction = Gone(an_action(a_pod(), carry_out=lambda: DONE))
        responder = Responder(
            reaction, (), FixedClock(), dry_run=False, ledger=StoredLedger(stored)
        )
        (look,) = responder.answer(a_document()).follow_ups
        (of_released,) = responder.answer(a_document(), Arrival(released_by="bob")).follow_ups
        before = look.look(True)
        book = read("")
        book.leave_alone(UID, "pod shop/web-0", "alice", after(NOW, 3600))
        stored.write(book.text(), version=stored.read()[1])

        expect(before.reason).to(equal("not-verified"))
        expect(look.look(True)).to(be_none)
        expect(of_released.look(True).reason).to(equal("not-verified"))

    with it("says of what it did what its guards remark"):

        class Remarking(Told):
            def of_action(self, case, action):
                return Answer("passed", facts={"again": 2}, remark="again: 2")

        reaction = FakeReaction(an_action(a_pod(), carry_out=lambda: DONE))
        for dry_run, said in (
            (False, "done; again: 2"),
            (True, "would act on pod shop/web-0; again: 2"),
        ):
            guard = Remarking([], "guard")
            outcome = a_responder(reaction, guard, dry_run=dry_run).answer(a_document())

            expect((outcome.message, outcome.details)).to(equal((said, {"again": 2})))

    with it("gives no look to what it did not do"):
        for said in (Outcome.skipped("pod-gone", "gone"), Outcome.would_act("pod", "x", "would")):
            reaction = FakeReaction(an_action(carry_out=lambda said=said: said))

            expect(a_responder(reaction).answer(a_document()).follow_ups).to(be_empty)

    with it("does not run the reaction when a guard refuses"):
        outcome = self.responder.answer(a_document(priority="Notice"))

        expect(outcome.reason).to(equal("below-minimum-priority"))
        expect(self.reaction.alerts).to(be_empty)

    with it("runs the reaction once"):
        self.responder.answer(a_document(priority="Error"))

        expect(self.reaction.alerts).to(have_len(1))

    with it("turns what is no alert into a failed outcome"):
        expect(self.responder.answer(b"").reason).to(equal("invalid-alert"))

    with it("turns an error of ours into a failed outcome that keeps it"):
        error = NotPermitted("may not")
        outcome = a_responder(FakeReaction(error)).answer(a_document())

        expect(outcome.reason).to(equal("not-permitted"))
        expect(outcome.error).to(be(error))

    with it("says on what an action failed that was planned"):

        def fail():
            raise NotPermitted("may not")

        action = Action("delete", "pod shop/web-0", "delete it", fail, pod=a_pod(), facts={"a": 1})
        outcome = a_responder(FakeReaction(action)).answer(a_document())

        expect(outcome.target).to(equal("pod shop/web-0"))
        expect(outcome.details).to(equal({"a": 1, "error": "NotPermitted", "retryable": False}))
        expect(outcome.target_ref).to(equal(TargetRef("delete", "Pod", "web-0", "shop", UID)))

    with it("says on what an action failed that raised another error"):
        bug = KeyError("x")

        def fail():
            raise bug

        action = Action("delete", "pod shop/web-0", "delete it", fail, pod=a_pod(), facts={"a": 1})
        outcome = a_responder(FakeReaction(action)).answer(a_document())

        expect((outcome.reason, outcome.target)).to(equal(("unexpected", "pod shop/web-0")))
        expect(outcome.details).to(equal({"a": 1, "error": "Unexpected", "retryable": False}))
        expect(outcome.target_ref).to(equal(TargetRef("delete", "Pod", "web-0", "shop", UID)))
        expect(outcome.error.__cause__).to(be(bug))

    with it("says what a reaction gave that is no outcome"):
        planned = a_responder(FakeReaction(None)).answer(a_document())
        action = Action("delete", "pod shop/web-0", "delete it", lambda: None, pod=a_pod())
        done = a_responder(FakeReaction(action)).answer(a_document())

        expect(planned.message).to(
            equal("TypeError: FakeReaction.plan gave None, expected an Action or an Outcome")
        )
        expect((done.target, done.message)).to(
            equal(("pod shop/web-0", "TypeError: the action delete gave None, expected an Outcome"))
        )

    with it("takes out of an error what must not leave"):
        outcome = a_responder(FakeReaction(NotPermitted("token=S3cret"))).answer(a_document())

        expect(str(outcome.error)).to(equal("token=***"))

    with it("takes out of an outcome what must not leave"):
        done = Outcome.acted("pod a/b", "done", "token=S3cret", command="mysql -pS3cret")
        outcome = a_responder(FakeReaction(done)).answer(a_document())

        expect(str(outcome.to_dict())).not_to(contain("S3cret"))

    with it("turns any other error into one of ours that keeps its cause"):
        bug = KeyError("x")
        outcome = a_responder(FakeReaction(bug)).answer(a_document())

        expect(outcome.error).to(be_a(Unexpected))
        expect(outcome.error.__cause__).to(be(bug))

    with description("with several guards"):
        with before.each:
            self.log = []
            self.action = an_action(
                a_pod(), why=("proven",), carry_out=lambda: self.log.append("carried out") or DONE
            )

        def guarded(self, *guards, dry_run=False):
            return a_responder(FakeReaction(self.action), *guards, dry_run=dry_run)

        with it("asks all of them of the alert, then all of the action, and then acts"):
            outcome = self.guarded(Told(self.log, "one"), Told(self.log, "two")).answer(
                a_document()
            )

            expect(self.log).to(
                equal(
                    [
                        "one of the alert",
                        "two of the alert",
                        "one of the action",
                        "two of the action",
                        "carried out",
                    ]
                )
            )
            expect(outcome.why).to(
                equal(
                    (
                        "one passed the alert",
                        "two passed the alert",
                        "proven",
                        "one passed the action",
                        "two passed the action",
                        "done",
                    )
                )
            )

        with it("stops at the first refusal, which ends the reasons why"):
            refusal = Answer.refused("no", "not this one", held=True, first=True)
            outcome = self.guarded(
                Told(self.log, "one", of_action=refusal), Told(self.log, "two")
            ).answer(a_document())

            expect(self.log[-1]).to(equal("one of the action"))
            expect((outcome.status, outcome.reason, outcome.held)).to(
                equal((Status.SKIPPED, "no", True))
            )
            expect(outcome.target).to(equal("pod shop/web-0"))
            expect(outcome.details).to(equal({"first": True}))
            expect(outcome.why[-2:]).to(equal(("proven", "not this one")))

        with it("holds a proven target for a person, whichever guard refuses, but in a dry run"):
            refused = Told(self.log, "one", of_action=Answer.refused("exempt", "until noon"))
            held = self.guarded(refused).answer(a_document())
            dry = self.guarded(refused, dry_run=True).answer(a_document())

            expect((held.held, dry.held)).to(equal((True, False)))
            expect(held.target_ref).to(equal(TargetRef("act", "Pod", "web-0", "shop", UID)))

        with it("lets an alert go whose target is not proven"):
            refused = Told(self.log, "one", of_alert=Answer.refused("stale-alert", "an hour old"))

            expect(self.guarded(refused).answer(a_document()).held).to(equal(False))

        with it("has failed and may try again where one cannot be asked, of alert or action"):
            for error in (NotPermitted("may not"), KeyError("bug")):
                for when in ("of_alert", "of_action"):
                    outcome = self.guarded(Told(self.log, "one", **{when: error})).answer(
                        a_document()
                    )

                    expect(outcome.reason).to(equal("guard-unanswered"))
                    expect(outcome.error.retryable).to(equal(True))
                    expect(outcome.error.__cause__).to(be(error))
            expect(self.log).not_to(contain("carried out"))

        with it("leaves an error that is worth retrying as it is"):
            error = Throttled("slower", retry_after=7.0)
            outcome = self.guarded(Told(self.log, "one", of_action=error)).answer(a_document())

            expect(outcome.error).to(be(error))
            expect(self.log).not_to(contain("carried out"))

        with it("asks them in a dry run too, tells them so, and does not act"):
            guard = Told(self.log, "one")
            outcome = self.guarded(guard, dry_run=True).answer(a_document())

            expect((outcome.status, outcome.reason)).to(equal((Status.WOULD_ACT, "act")))
            expect(outcome.message).to(equal("would act on pod shop/web-0"))
            expect([case.dry_run for case in guard.cases]).to(equal([True, True]))
            expect(self.log).not_to(contain("carried out"))

        with it("tells them the time, which for a recorded alert is its own"):
            guard = Told(self.log, "one")
            self.guarded(guard).answer(a_document(time="2020-01-01T00:00:00Z"))
            self.guarded(guard).answer(
                a_document(time="2020-01-01T00:00:00Z"), Arrival(recorded=True)
            )

            expect([str(case.now) for case in guard.cases[::2]]).to(
                equal([str(NOW), "2020-01-01T00:00:00.000000000Z"])
            )

        with it("tells them, and the outcome, who released the alert"):
            guard = Told(self.log, "one")
            outcome = self.guarded(guard).answer(a_document(), Arrival(released_by="ada"))

            expect(guard.cases[0].released_by).to(equal("ada"))
            expect(outcome.why[0]).to(equal("released by ada"))
