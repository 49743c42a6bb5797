from dataclasses import replace
from functools import partial

from expects import be_above, be_below, be_below_or_equal, be_empty, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import (
    ClusterUnavailable,
    ContainerIdPending,
    NotPermitted,
    Throttled,
)
from playbooks.core.outcome import Outcome, Status
from playbooks.core.responder import Responder
from playbooks.engines import retrying
from playbooks.testing import FakeReaction, FixedClock, a_document

DONE = Outcome.acted("pod shop/web-0", "done", "done")


class FakeTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self):
        self.now = 0.0
        self.sleeps = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds


def answer(time, *answers, seconds=60):
    responder = Responder(FakeReaction(*answers), [], FixedClock(), dry_run=False)
    ask = partial(responder.answer, a_document())
    return retrying.answer(ask, seconds=seconds, clock=time.clock, sleep=time.sleep)


with description("Trying again") as self:
    with before.each:
        self.time = FakeTime()

    with it("does not, where the first answer is final"):
        expect(answer(self.time, DONE)).to(equal(replace(DONE, why=("done",))))
        expect(self.time.sleeps).to(be_empty)

    with it("does not, where the failure will stay"):
        expect(answer(self.time, NotPermitted("no"), DONE).reason).to(equal("not-permitted"))

    with it("ends with the answer, and says how many attempts it took"):
        outcome = answer(self.time, ClusterUnavailable("away"), ClusterUnavailable("away"), DONE)

        expect(outcome.status).to(equal(Status.ACTED))
        expect(outcome.details["attempts"]).to(equal(3))

    with it("waits for the window of a limit where there is time, as long as the limit says"):
        over = Outcome.skipped("owner-limit", "1 of 1", held=True, waits=30.0)

        expect(answer(self.time, over, DONE).status).to(equal(Status.ACTED))
        expect(self.time.sleeps).to(equal([30.0]))

    with it("does not wait where the window is longer than there is time"):
        over = Outcome.skipped("owner-limit", "1 of 1", held=True, waits=61.0)

        expect(answer(self.time, over, DONE).reason).to(equal("owner-limit"))
        expect(self.time.sleeps).to(be_empty)

    with it("waits longer each time, up to five seconds"):
        answer(self.time, ClusterUnavailable("away"))

        expect(self.time.sleeps[0]).to(be_below_or_equal(0.2))
        expect(max(self.time.sleeps)).to(be_below_or_equal(5.0))
        expect(sum(self.time.sleeps[:3])).to(be_below(sum(self.time.sleeps[-3:])))

    with it("waits as long as the other side asks"):
        answer(self.time, Throttled("slow down", retry_after=7.0), DONE)

        expect(self.time.sleeps).to(equal([7.0]))

    with it("does not wait longer than there is time"):
        outcome = answer(self.time, Throttled("slow down", retry_after=61.0), DONE)

        expect(outcome.reason).to(equal("throttled"))
        expect(self.time.sleeps).to(be_empty)

    with it("fails with the last error when the time is over"):
        outcome = answer(self.time, ClusterUnavailable("away"), seconds=30)

        expect(outcome.reason).to(equal("cluster-unavailable"))
        expect(self.time.now).to(be_below_or_equal(30 + 1e-6))

    with it("tries once more at the end of the time, however long the next pause would have been"):
        answer(self.time, ClusterUnavailable("away"), seconds=30)

        expect(self.time.now).to(be_above(30 - 1e-6))

    with it("waits no more than five seconds for a container's id"):
        outcome = answer(self.time, ContainerIdPending("not yet"), seconds=60)

        expect(outcome.reason).to(equal("container-id-pending"))
        expect(self.time.now).to(be_below_or_equal(5 + 1e-6))
        expect(self.time.sleeps).not_to(have_len(0))
