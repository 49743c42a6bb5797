"""The caps hold under any interleaving of eight writers, with conflicts, lost answers, crashes, and
somebody who resets and pauses in between."""

import json
from dataclasses import replace
from heapq import heappop, heappush
from itertools import cycle
from typing import NamedTuple

from expects import be_below, be_below_or_equal, be_empty, be_true, equal, expect
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mamba import description, it

from playbooks.core.errors import PlaybookError
from playbooks.core.instant import after
from playbooks.core.ledger.book import ALL, CONTAINING, Book, Request
from playbooks.core.ledger.counts import GRAIN
from playbooks.core.ledger.limits import Limits
from playbooks.infrastructure.ledger import FRESH, change
from playbooks.testing import NOW, InMemoryLedger
from specs.infrastructure.ledger.limited import Limited
from specs.support.contracts.stepped_writers import Fate, SteppedStore, Writer

WRITERS = 8
WINDOW = 60.0
LIMITS = Limits(in_namespace=3, in_all=5, per_owner=0.5, nodes=2, window=WINDOW)
# By MAX_ACTIONS_ALL: what lower priorities share, two thirds of it.
BELOW_CRITICAL = {4: 3, 5: 4}
SPACES = ("shop", "billing", "web")
REPLICAS = 4
MOST_OF_OWNER = 2
NODES = tuple(f"node-{number}" for number in range(5))

FATES = (
    *[Fate.GOES_WELL] * 10,
    *(Fate.FAILS, Fate.ANSWER_LOST, Fate.CRASH_BEFORE, Fate.CRASH_AFTER),
    *[Fate.GOES_WELL] * 2,
)
# Seconds that pass before a step.
TICKS = (0, 0, 0, 0, 0, 1, 3, 13)
QUICK_TICKS = (0, 0, 0, 0, 0, 0, 1, 3)

# Bytes: of each pair, the first says whose turn it is (a writer's, or a person's), the second what
# becomes of the call and how much time has passed.
SCHEDULES = st.binary(min_size=300, max_size=400)
WORK = st.lists(st.integers(0, 59), min_size=8, max_size=30)

QUICKLY = settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Grant(NamedTuple):
    at: float
    request: Request
    place: int
    # It was counted already, and is let be acted upon once more.
    again: bool


class Run:
    """One schedule. ``grants`` in order, ``resets`` by place, each with the number of grants before
    it; ``firsts`` and ``trips`` count by place what was said and what is written."""

    def __init__(self, work, schedule, *, fates=FATES, limits=LIMITS, alone=False, ticks=TICKS):
        """``alone``: no person resets or pauses anything."""
        self.seconds, self.limits, self._alone = 0.0, limits, alone
        self.store = InMemoryLedger()
        self._work = cycle(work)
        self.grants, self.resets, self.late = [], [(0, ALL)], []
        self.firsts, self.trips, self.stored, self.paused_at = [], set(), set(), None
        self.acted = []
        self.writers = [self._writer() for _ in range(WRITERS)]
        for turn, chance in zip(schedule[::2], schedule[1::2]):
            self._turn(turn, fates[chance % 16 % len(fates)], ticks[chance // 16 % 8])
        self._to_the_end()

    @property
    def now(self):
        return after(NOW, self.seconds)

    def _turn(self, turn, fate, tick):
        self.seconds += tick
        if turn >= 240 and not self._alone:
            self._person(turn - 240)
            return
        number = turn % WRITERS
        if self.writers[number].over:
            self.writers[number] = self._writer()
        self.writers[number].step(fate)
        self._look()

    def _person(self, turn):
        if turn == 0:
            change(self.store, lambda book: book.pause("ada", self.now))
            self.paused_at = self.seconds
        elif turn < 4:
            change(self.store, lambda book: book.resume())
            self.paused_at = None
        else:
            place = (*SPACES, ALL)[turn % 4]
            change(self.store, lambda book: book.reset(place, "ada", self.now))
            self.resets.append((len(self.grants), place))
        self._look()

    def _to_the_end(self):
        for writer in self.writers:
            while not writer.over:
                writer.step(Fate.CRASH_BEFORE)
        self.errors = [error for writer in self.writers for error in writer.errors]

    def _look(self):
        """Which budgets have tripped, by what is stored."""
        tripped = json.loads(self.store.text).get("tripped", {}) if self.store.text else {}
        self.trips |= {(place, len(self.resets)) for place in tripped if place not in self.stored}
        self.stored = set(tripped)

    def _writer(self):
        return Writer(self._answer_all)

    def _answer_all(self, writer):
        """A process: it takes one alert after the other, and each again that failed."""
        ledger = Limited(
            SteppedStore(self.store, writer),
            self.limits,
            clock=lambda: self.seconds,
            sleep=lambda _: None,
        )
        for number in self._work:
            request = self._request(number)
            answered = False
            while not answered:
                writer.fate()
                answered = self._answer(writer, ledger, request)

    def _answer(self, writer, ledger, request):
        try:
            answer = ledger.ask(request, self.now)
            if not answer.reason:
                self._granted(request, again="counted already" in answer.words)
                writer.meet(lambda: self.acted.append(request))
        except PlaybookError:
            return False
        if answer.facts.get("first"):
            self.firsts.append((answer.facts["tripped"], len(self.resets)))
        return True

    def _granted(self, request, again):
        self.grants.append(Grant(self.seconds, request, len(self.grants), again))
        if self.paused_at is not None and self.seconds > self.paused_at + FRESH:
            self.late.append(request)

    def _request(self, number):
        space = SPACES[number % 3]
        owned = number % 2 == 0
        return Request(
            uid=f"uid-{number}",
            namespace=space,
            alert_time=self.now,
            workload="Deployment web" if owned else "",
            replicas=REPLICAS if owned else None,
            urgent=number // 3 % 2 == 0,
        )

    def between_resets(self, *places):
        """The grants in order, cut where one of the places was reset."""
        cuts = [at for at, place in self.resets if place in places]
        return [self.grants[a:b] for a, b in zip(cuts, [*cuts[1:], len(self.grants)])]


def most_at_once(grants):
    """How many objects at most were let be acted upon within any window."""
    return max(
        (
            len({g.request.uid for g in grants if last.at - WINDOW < g.at <= last.at})
            for last in grants
        ),
        default=0,
    )


def shared(grants):
    """Each with how many objects were let be acted upon within the window up to it, but for the
    first of each namespace; those that were the first are left out."""
    for last in grants:
        within = [g for g in grants if last.at - WINDOW < g.at <= last.at and g.place <= last.place]
        objects = {(g.request.namespace, g.request.uid) for g in within}
        spaces = {space for space, _ in objects}
        first = not any(
            g.request.namespace == last.request.namespace for g in within if g is not last
        )
        if not first:
            yield last, len(objects) - len(spaces)


def exceeded(run):
    """The caps in all that did not hold."""
    for epoch in run.between_resets(ALL):
        for grant, count in shared(epoch):
            if count > run.limits.in_all:
                yield "in all"
            most = BELOW_CRITICAL[run.limits.in_all]
            if not grant.request.urgent and count > most and not grant.again:
                yield "what is kept for Critical"


def exceeded_in_one(run):
    """The caps of a namespace and an owner that did not hold."""
    for space in SPACES:
        for epoch in run.between_resets(ALL, space):
            here = [g for g in epoch if g.request.namespace == space]
            if most_at_once(here) > LIMITS.in_namespace:
                yield f"in {space}"
            if most_at_once([g for g in here if g.request.workload]) > MOST_OF_OWNER:
                yield f"of the Deployment in {space}"


class Tainting(Run):
    """What is granted is tainted a step later, unless its writer dies before."""

    def _answer(self, writer, ledger, request):
        """It looks at the nodes before every attempt."""
        tainted = tuple(dict.fromkeys(done.node for done in self.acted))
        return super()._answer(
            writer,
            ledger,
            replace(
                request,
                contained=tainted,
                spare=tuple(n for n in NODES if n not in (*tainted, request.node)),
            ),
        )

    def _request(self, number):
        node = NODES[number % len(NODES)]
        return Request(uid=f"uid-of-{node}", namespace="shop", alert_time=self.now, node=node)


with description("The caps") as self:
    with it("hold in any window: in a namespace, in all and of an owner"):

        @QUICKLY
        @given(WORK, SCHEDULES)
        def hold(work, schedule):
            run = Run(work, schedule)

            expect(run.errors).to(be_empty)
            expect([*exceeded(run), *exceeded_in_one(run)]).to(be_empty)

        hold()

    with it("hold in any window in all, and keep what is kept for Critical"):

        @QUICKLY
        @given(st.permutations(range(60)), SCHEDULES)
        def hold(work, schedule):
            limits = Limits(None, 4, None, None, WINDOW)
            run = Run(work, schedule, limits=limits, alone=True, ticks=QUICK_TICKS)

            expect(run.errors).to(be_empty)
            expect(list(exceeded(run))).to(be_empty)

        hold()

    with it("starve nobody: whoever waits as long as it is told is let be acted upon"):

        @QUICKLY
        @given(
            st.lists(
                st.tuples(st.sampled_from("abcdef"), st.booleans(), st.integers(0, 90)),
                min_size=1,
                max_size=40,
            )
        )
        def starve(arrivals):
            limits = Limits(None, 3, 0.5, None, WINDOW)
            book, seconds, steps = Book(), 0.0, 0
            queue = []
            for number, (space, urgent, later) in enumerate(arrivals):
                seconds += later
                request = Request(f"uid-{number}", space, NOW, "Deployment web", 4, urgent=urgent)
                heappush(queue, (seconds, number, request))
            while queue and steps < 5000:
                seconds, number, request = heappop(queue)
                steps += 1
                answer = book.ask(request, limits, after(NOW, seconds))
                book = Book(book.text())
                if answer.reason:
                    expect(answer.waits <= WINDOW + 2 * GRAIN).to(be_true)
                    heappush(queue, (seconds + max(0.01, answer.waits), number, request))

            expect(queue).to(be_empty)

        starve()

    with it("hold for nodes, and leave one that takes pods"):

        @QUICKLY
        @given(WORK, SCHEDULES, st.sampled_from((1, 2, None)))
        def hold(work, schedule, most):
            limits = Limits(None, None, None, most, WINDOW)
            # A step takes less time than a node counts as being tainted.
            expect(max(TICKS) * 3).to(be_below(CONTAINING))
            run = Tainting(work, schedule, limits=limits)
            tainted = {request.node for request in run.acted}

            expect(run.errors).to(be_empty)
            expect(len(tainted)).to(be_below_or_equal(most or len(NODES)))
            expect(len(tainted)).to(be_below(len(NODES)))

        hold()

    with it("trip once: at most one says so, and exactly one where no answer is lost"):

        @QUICKLY
        @given(WORK, SCHEDULES, st.booleans())
        def trip(work, schedule, faults):
            run = Run(work, schedule, fates=FATES if faults else (Fate.GOES_WELL,))

            expect(len(set(run.firsts))).to(equal(len(run.firsts)))
            expect(len(run.firsts)).to(be_below_or_equal(len(run.trips)))
            expect(faults or len(run.firsts) == len(run.trips)).to(be_true)

        trip()

    with it("obey a pause from outside at the latest when the book is read again"):

        @QUICKLY
        @given(WORK, SCHEDULES)
        def obey(work, schedule):
            expect(Run(work, schedule).late).to(be_empty)

        obey()
