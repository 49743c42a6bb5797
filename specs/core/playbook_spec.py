from dataclasses import replace

from expects import be, be_a, be_empty, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import NotPermitted, Unexpected
from playbooks.core.guards.filters import MinimumPriority
from playbooks.core.outcome import Outcome
from playbooks.core.playbook import Responder
from playbooks.core.priority import Priority
from specs.support.fakes import FakeReaction, FixedClock
from specs.support.mothers import a_document

DONE = Outcome.acted("pod shop/web-0", "done", "done")


def a_responder(reaction, *guards, dry_run=False):
    return Responder(reaction, guards, FixedClock(), dry_run=dry_run)


with description("A responder") as self:
    with before.each:
        self.reaction = FakeReaction(DONE)
        self.responder = a_responder(self.reaction, MinimumPriority(Priority.ERROR))

    with it("answers with what the reaction did"):
        outcome = self.responder.answer(a_document(priority="Error"))

        expect(outcome).to(equal(replace(DONE, why=("priority Error is not below Error", "done"))))

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

    with it("turns any other error into one of ours that keeps its cause"):
        bug = KeyError("x")
        outcome = a_responder(FakeReaction(bug)).answer(a_document())

        expect(outcome.error).to(be_a(Unexpected))
        expect(outcome.error.__cause__).to(be(bug))
