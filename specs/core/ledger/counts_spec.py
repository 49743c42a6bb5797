"""What was acted upon, and its sums."""

import random

from expects import be_empty, be_false, be_true, equal, expect
from mamba import before, description, it

from playbooks.core.instant import after
from playbooks.core.ledger.counts import Counts
from playbooks.testing import NOW

SPACES, WORKLOADS = ("shop", "billing", ""), ("Deployment web", "")
UIDS = tuple(f"uid-{number}" for number in range(5))

DONE = ("add", "add", "add", "renew", "forget", "begin anew")
PLACES = ((), *((s,) for s in SPACES), *((s, w) for s in SPACES for w in WORKLOADS))


def steps(dice):
    """What is done, on what, and how many seconds later."""
    for _ in range(dice.randrange(40)):
        yield (*map(dice.choice, (DONE, UIDS, SPACES, WORKLOADS)), dice.randrange(41))


def done(steps):
    counts, seconds = Counts({}), 0
    for what, uid, space, workload, later in steps:
        seconds += later
        now = after(NOW, seconds)
        if what == "add":
            counts.add(uid, space, workload, now)
        elif what == "renew" and counts.has(uid, space):
            counts.renew(uid, space, workload, now)
        elif what == "forget":
            counts.forget(60.0, now)
        elif what == "begin anew":
            counts.begin_anew(space)
    return counts


def said(counts):
    objects = [(uid, space) for uid in UIDS for space in SPACES]
    return (
        [counts.number(*place) for place in PLACES],
        [counts.has(*each) for each in objects],
        counts.sums,
    )


with description("What was acted upon") as self:
    with before.each:
        self.counts = Counts({})

    with it("is counted in all, in a namespace, and of a workload in it"):
        for number, (space, workload) in enumerate((("a", "x"), ("a", "y"), ("b", "x"))):
            self.counts.add(f"uid-{number}", space, workload, NOW)

        expect(self.counts.number()).to(equal(3))
        expect(self.counts.number("a")).to(equal(2))
        expect(self.counts.number("a", "x")).to(equal(1))
        expect(self.counts.number("c")).to(equal(0))

    with it("is shared but for the first in each namespace, also after a reset"):
        for number, space in enumerate("aaab"):
            self.counts.add(f"uid-{number}", space, "x", NOW)

        expect(self.counts.sums.shared).to(equal(2))
        self.counts.begin_anew("a")
        expect(self.counts.sums.shared).to(equal(3))

    with it("is over after its window and the grain, as far as asked"):
        for seconds in (0, 30, 60):
            self.counts.add(f"uid-{seconds}", "a", "x", after(NOW, seconds))
        begun = NOW.seconds // 10 * 10 - NOW.nanoseconds / 1e9
        now = after(NOW, 100)

        for left, seconds in ((2, 0), (1, 30), (0, 60)):
            wait = self.counts.until(lambda sums, n=left: sums.number("a") <= n, 600.0, now)
            expect(abs(wait - (begun + seconds + 610 - 100)) < 10).to(be_true)
            self.counts.forget(600.0, after(now, wait + 1))
            expect(self.counts.number("a")).to(equal(left))

    with it("is known by its uid and namespace"):
        self.counts.add("uid-1", "a", "x", NOW)

        expect(self.counts.has("uid-1", "a")).to(be_true)
        expect(self.counts.has("uid-1", "b")).to(be_false)
        expect(self.counts.has("", "a")).to(be_false)

    with it("is forgotten from the oldest on, in whatever order it came"):
        for seconds in (300, 0, 600):
            self.counts.add(f"uid-{seconds}", "a", "", after(NOW, seconds))
        self.counts.forget(200.0, after(NOW, 450))

        expect(self.counts.number()).to(equal(2))
        expect(self.counts.has("uid-0", "a")).to(be_false)

    with it("leaves nothing behind when it is forgotten"):
        self.counts.add("uid-1", "a", "x", NOW)
        self.counts.forget(60.0, after(NOW, 600))

        expect(vars(self.counts)).to(equal(vars(Counts({}))))
        expect(self.counts.content).to(be_empty)

    with it("has the sums that its content has, whatever was done to it"):
        for seed in range(100):
            made = list(steps(random.Random(seed)))
            counts = done(made)

            expect((made, said(counts))).to(equal((made, said(Counts(counts.content)))))
