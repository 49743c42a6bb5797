"""The caps hold under any interleaving of eight writers, with conflicts, lost answers, crashes, and
somebody who resets and pauses in between."""

import json
from dataclasses import replace
from itertools import cycle
from typing import NamedTuple

from expects import be_below, be_below_or_equal, be_empty, be_true, equal, expect
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mamba import description, it

from playbooks.core.errors import PlaybookError
from playbooks.core.ledger.book import ALL, TAINTING, Request, after
from playbooks.core.ledger.limits import Limits
from playbooks.infrastructure.ledger import FRESH, change
from specs.infrastructure.ledger.limited import Limited
from specs.support.fakes import InMemoryLedger
from specs.support.mothers import NOW
from specs.support.stepped_writers import Fate, SteppedStore, Writer

WRITERS = 8
WINDOW = 60.0
LIMITS = Limits(in_namespace=3, in_all=5, per_owner=0.5, nodes=2, window=WINDOW)
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

# Bytes: of each pair, the first says whose turn it is (a writer's, or a person's), the second what
# becomes of the call and how much time has passed.
SCHEDULES = st.binary(min_size=300, max_size=400)
WORK = st.lists(st.integers(0, 59), min_size=8, max_size=30)

QUICKLY = settings(
    max_examples=25,
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


class Run:
    """One schedule. ``grants`` in order, ``resets`` by place, each with the number of grants before
    it; ``firsts`` and ``trips`` count by place what was said and what is written."""

    def __init__(self, work, schedule, *, fates=FATES, limits=LIMITS):
        self.seconds, self.limits = 0.0, limits
        self.store = InMemoryLedger()
        self._work = cycle(work)
        self.grants, self.resets, self.late = [], [(0, ALL)], []
        self.firsts, self.trips, self.stored, self.paused_at = [], set(), set(), None
        self.acted = []
        self.writers = [self._writer() for _ in range(WRITERS)]
        for turn, chance in zip(schedule[::2], schedule[1::2]):
            self._turn(turn, fates[chance % 16 % len(fates)], TICKS[chance // 16 % 8])
        self._to_the_end()

    @property
    def now(self):
        return after(NOW, self.seconds)

    def _turn(self, turn, fate, tick):
        self.seconds += tick
        if turn >= 240:
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
                self._granted(request)
                writer.meet(lambda: self.acted.append(request))
        except PlaybookError:
            return False
        if answer.facts.get("first"):
            self.firsts.append((answer.facts["tripped"], len(self.resets)))
        return True

    def _granted(self, request):
        self.grants.append(Grant(self.seconds, request, len(self.grants)))
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


def exceeded(run):
    """The caps that did not hold."""
    for epoch in run.between_resets(ALL):
        if most_at_once(epoch) > LIMITS.in_all:
            yield "in all"
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
                tainted=tainted,
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
            expect(list(exceeded(run))).to(be_empty)

        hold()

    with it("hold for nodes, and leave one that takes pods"):

        @QUICKLY
        @given(WORK, SCHEDULES, st.sampled_from((1, 2, None)))
        def hold(work, schedule, most):
            limits = Limits(None, None, None, most, WINDOW)
            # A step takes less time than a node counts as being tainted.
            expect(max(TICKS) * 3).to(be_below(TAINTING))
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
