import asyncio
import io
import json
from contextlib import redirect_stderr
from unittest import mock

from expects import contain, equal, expect, have_len
from mamba import description, it

from playbooks.core.errors import ClusterUnavailable
from playbooks.core.ledger.book import Book
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Standing
from playbooks.engines.worker.work import periodic
from playbooks.infrastructure.ledger import StoredLedger
from playbooks.testing import NOW, InMemoryLedger


class FakeSweep:
    """Answers each look in turn, the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.looks = 0

    def once(self):
        self.looks += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


RELEASED = Outcome.acted("pod shop/web-0", "released", "its isolation ended")


def lines(*answers, looks=1):
    """What the worker logs in so many looks."""
    sweep, said = FakeSweep(*answers), io.StringIO()

    async def run():
        task = asyncio.get_running_loop().create_task(periodic.keep_ending("isolate", sweep))
        while sweep.looks < looks and not task.done():
            await asyncio.sleep(0.001)
        task.cancel()

    quick = mock.patch.object(periodic, "EXPIRY", (0.001, 0.001))
    with redirect_stderr(said), quick:
        asyncio.run(run())
    return [json.loads(line) for line in said.getvalue().splitlines()]


with description("A worker that ends containments") as self:
    with it("logs what it did as any other outcome, with no alert"):
        (line,) = lines([RELEASED], [], looks=2)

        expect([line[key] for key in ("playbook", "reason", "target", "alert")]).to(
            equal(["isolate", "released", "pod shop/web-0", None])
        )

    with it("goes on after what it could not look at"):
        found = lines(ClusterUnavailable("away"), KeyError("a bug"), [RELEASED], [], looks=4)

        expect(found).to(have_len(3))
        expect(found[0]["reason"]).to(equal("cluster-unavailable"))
        expect(found[1]["message"]).to(contain("trying again", "a bug"))
        expect(found[2]["reason"]).to(equal("released"))


with description("A worker that reads its ledger for the metrics") as self:

    def told(self, *texts, failure=None):
        """What is told of a ledger of these texts in turn, and once more after a failure."""
        store, found = InMemoryLedger(), []

        async def read():
            reading = asyncio.ensure_future(
                periodic.keep_reading(StoredLedger(store), found.append)
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

        quick = mock.patch.object(periodic, "STANDING", (0.01, 0.01))
        with quick:
            asyncio.run(asyncio.wait_for(read(), 30))
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
