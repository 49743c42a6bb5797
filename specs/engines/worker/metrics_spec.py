import asyncio

from expects import contain, equal, expect
from mamba import before, description, it

from playbooks.core import VERSION
from playbooks.core.ledger.book import Book
from playbooks.core.ports import Standing
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.work import standing
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.testing import NOW, InMemoryLedger

with description("What a worker exposes") as self:
    with before.each:
        self.metrics = Metrics("delete")

    def page(self):
        return self.metrics.page().decode()

    with it("says that a person has paused it, and not that the API server is away"):
        self.metrics.stands(Standing("paused by alice"))

        expect(self.page()).to(contain('playbook_paused{playbook="delete"} 1.0'))
        expect(self.page()).to(contain('playbook_api_unavailable{playbook="delete"} 0.0'))

    with it("says that the API server is away, and not that somebody paused it"):
        self.metrics.unavailable.set(True)

        expect(self.page()).to(contain('playbook_paused{playbook="delete"} 0.0'))
        expect(self.page()).to(contain('playbook_api_unavailable{playbook="delete"} 1.0'))

    with it("names the namespaces whose budget is used up, until they are reset"):
        self.metrics.stands(Standing(tripped=("shop", "ops")))
        self.metrics.stands(Standing(tripped=("ops",)))

        expect(self.page()).to(
            contain('playbook_budget_tripped{namespace="ops",playbook="delete"} 1.0')
        )
        expect(self.page()).not_to(contain('namespace="shop"'))

    with it("counts held alerts apart from those that were given up"):
        self.metrics.gave_up("paused", 2, held=True)
        self.metrics.gave_up("not-permitted")

        held = 'playbook_dead_letters_total{held="true",playbook="delete",reason="paused"} 2.0'
        dead = (
            'playbook_dead_letters_total{held="false",playbook="delete",reason="not-permitted"} 1.0'
        )
        expect(self.page()).to(contain(held, dead))

    with it("names its Function and the version that runs"):
        self.metrics.info("ops", "falco-delete", VERSION).set(1)

        expect(self.page()).to(
            contain(
                'playbook_info{function="falco-delete",namespace="ops",playbook="delete",'
                f'version="{VERSION}"}} 1.0'
            )
        )


with description("Reading the ledger for it") as self:

    def told(self, *texts, failure=None):
        """What is told of a ledger of these texts in turn, and once more after a failure."""
        store, found = InMemoryLedger(), []

        async def read():
            reading = asyncio.ensure_future(
                standing.keep_reading(StoredLedger(store), found.append)
            )
            for text in texts:
                store.text = text
                seen = len(found)
                while len(found) == seen:
                    await asyncio.sleep(0.01)
            if failure:
                store.failures.append(failure)
                seen = len(found)
                while store.failures or len(found) == seen:
                    await asyncio.sleep(0.01)
            reading.cancel()

        was = standing.EVERY, standing.FIRST
        standing.EVERY = standing.FIRST = 0.01
        try:
            asyncio.run(asyncio.wait_for(read(), 30))
        finally:
            standing.EVERY, standing.FIRST = was
        return found

    with it("tells who paused the playbook, and which budgets are used up"):
        book = Book()
        book.pause("alice", NOW)
        book.tripped = {"shop": {"at": str(NOW), "limit": "3 of 3"}}

        expect(self.told("", book.text())[-1]).to(
            equal(Standing(f"paused by alice at {NOW}", ("shop",)))
        )

    with it("goes on after it could not be read, and tells nothing meanwhile"):
        expect(set(self.told("", failure=OSError("no answer")))).to(equal({Standing()}))
