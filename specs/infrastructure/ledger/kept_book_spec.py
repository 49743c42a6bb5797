"""The book that a ledger keeps: read from its text where somebody else may have written it."""

from unittest.mock import patch

from expects import equal, expect, raise_error
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable
from playbooks.core.ledger.book import Request
from playbooks.core.ledger.limits import Limits
from playbooks.infrastructure import ledger as module
from playbooks.infrastructure.ledger import FRESH, change
from playbooks.testing import NOW, InMemoryLedger
from specs.infrastructure.ledger.limited import Limited

LIMITS = Limits(2, None, None, None, 600.0)


def a_request(number):
    return Request(f"uid-{number}", "shop", NOW)


with description("The book that a ledger keeps") as self:
    with before.each:
        self.store, self.seconds = InMemoryLedger(), 0.0
        self.ledger = Limited(self.store, LIMITS, clock=lambda: self.seconds, sleep=lambda _: None)

    def ask(self, number):
        return self.ledger.ask(a_request(number), NOW).reason

    def times_read(self, *numbers, later=0.0):
        """How often the text was read for these requests, so many seconds apart."""
        with patch.object(module, "read", wraps=module.read) as read:
            for number in numbers:
                self.ask(number)
                self.seconds += later
        return read.call_count

    with it("is read from its text once, while nobody else writes"):
        expect(self.times_read(1, 2, 3, 4)).to(equal(1))

    with it("is not read again where the store still has what was written"):
        expect(self.times_read(1, 2, 3, later=FRESH + 1)).to(equal(1))

    with it("is read again where somebody else wrote"):
        self.ask(1)
        change(self.store, lambda book: book.pause("ada", NOW))

        self.seconds = FRESH + 1
        expect(self.times_read(2)).to(equal(1))
        expect(self.ask(2)).to(equal("paused"))

    with it("has nothing of what another's write prevented"):
        self.ask(1)
        change(self.store, lambda book: book.reset("shop", "ada", NOW))

        expect([self.ask(n) for n in (2, 3, 4)]).to(equal(["", "", "budget-used-up"]))

    with it("has nothing of what could not be written"):
        self.ask(1)
        self.store.failures = [ClusterUnavailable("away")]
        expect(lambda: self.ask(2)).to(raise_error(ClusterUnavailable))

        expect([self.ask(n) for n in (3, 4)]).to(equal(["", "budget-used-up"]))

    with it("has nothing of what was only looked at"):
        self.ask(1)
        looked = [self.ledger.look(a_request(n), NOW).reason for n in (2, 3)]

        expect(looked).to(equal(["", ""]))
        expect([self.ask(n) for n in (4, 5)]).to(equal(["", "budget-used-up"]))
