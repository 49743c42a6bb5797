from expects import be_a, contain, equal, expect
from mamba import description, it

from playbooks.core.errors import (
    ClusterUnavailable,
    ContainerIdPending,
    InvalidAlert,
    NotPermitted,
    SlackUnavailable,
    Throttled,
)
from playbooks.core.outcome import Outcome
from playbooks.engines.worker.work.verdict import (
    Again,
    Dead,
    Done,
    Hold,
    Wait,
    exhausted,
    verdict,
)


def decided(outcome, delivery=1, most=5, outage=False):
    found = Outcome.failed(outcome) if isinstance(outcome, Exception) else outcome
    return verdict(found, delivery=delivery, most=most, outage=outage)


with description("The verdict on an outcome") as self:
    with it("is done for what was acted, skipped or only tried out"):
        expect(decided(Outcome.acted("pod a", "done", "done"))).to(equal(Done()))
        expect(decided(Outcome.skipped("pod-gone", "gone"))).to(equal(Done()))
        expect(decided(Outcome.would_act("pod a", "delete", "would"))).to(equal(Done()))

    with it("is to keep at once what a guard holds, for a person"):
        held = Outcome.skipped("budget-used-up", "10 actions in 10m", held=True)

        expect(decided(held)).to(equal(Dead("budget-used-up", "10 actions in 10m", True)))

    with it("is to wait where the window of a limit ends that, whichever delivery it is"):
        over = Outcome.skipped("owner-limit", "1 of 1", held=True, waits=70.0)

        expect(decided(over, delivery=5)).to(
            equal(Wait(70.0, instead=Dead("owner-limit", "1 of 1", True)))
        )

    with it("is again, later each time, for what may succeed"):
        delays = [decided(SlackUnavailable("no"), delivery=n).delay for n in (1, 2, 3, 4)]

        expect(delays).to(equal([1.0, 4.0, 16.0, 64.0]))

    with it("is again after five minutes at most"):
        expect(decided(SlackUnavailable("no"), delivery=9, most=100)).to(equal(Again(300.0)))

    with it("is again not sooner than the other side asked for"):
        expect(decided(Throttled("slow", retry_after=30.0))).to(equal(Again(30.0)))
        expect(decided(Throttled("slow", retry_after=0.1))).to(equal(Again(1.0)))

    with it("is again soon for a container without an id"):
        expect(decided(ContainerIdPending("not yet"))).to(equal(Again(0.5)))

    with it("is dead at the last delivery, and says of how many"):
        found = decided(SlackUnavailable("no"), delivery=5)

        expect(found).to(be_a(Dead))
        expect(found.reason).to(equal("slack-unavailable"))
        expect(found.message).to(contain("delivery 5 of 5"))

    with it("is dead at once for what is no alert"):
        expect(decided(InvalidAlert("rule is missing"))).to(
            equal(Dead("invalid-alert", "no alert: rule is missing"))
        )

    with it("is dead at once for what will fail again"):
        expect(decided(NotPermitted("no"))).to(equal(Dead("not-permitted", "no")))

    with it("is hold while the API server is away, whichever delivery it is"):
        expect(decided(ClusterUnavailable("no"), delivery=5, outage=True)).to(equal(Hold()))

    with it("is again where the API server is there and one call failed"):
        expect(decided(ClusterUnavailable("504"))).to(equal(Again(1.0)))

    with it("holds nothing else while the API server is away"):
        expect(decided(SlackUnavailable("no"), outage=True)).to(equal(Again(1.0)))

with description("A message that comes once more than it may") as self:
    with it("is not tried again"):
        expect(exhausted(5, 5)).to(equal(False))
        expect(exhausted(6, 5)).to(equal(True))
