import asyncio
import json
import tracemalloc

from expects import be_below, be_none, equal, expect
from mamba import before, description, it

from playbooks.core.outcome import Outcome
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats.replies import Replies

FUNCTION = Function("shop", "falco-delete", "uid-1")
DONE = Outcome.acted("pod shop/web-0", "deletion-accepted", "accepted")


class Message:
    def __init__(self, number, document):
        self.subject = FUNCTION.outcome(number)
        self.data = json.dumps(document).encode()


class FakeConnection:
    async def subscribe(self, subject, cb):
        self.receive = cb


with description("Outcomes that another replica sends") as self:
    with before.each:
        self.connection = FakeConnection()
        self.replies = Replies(self.connection, FUNCTION)
        asyncio.run(self.replies.start())

    def received(self, *messages, number=7):
        async def use():
            for message in messages:
                await self.connection.receive(message)
            return await self.replies.of(number, 0.01)

        return asyncio.run(use())

    with it("are known also where they came before somebody waited for them, once"):
        expect(self.received(Message(7, DONE.to_dict()))).to(equal(DONE))
        expect(self.received()).to(be_none)

    with it("are heard by who waits for them, beside what is none"):

        async def use():
            waiting = asyncio.ensure_future(self.replies.of(7, 5.0))
            await asyncio.sleep(0)
            for document in ([], {**DONE.to_dict(), "status": "odd"}, DONE.to_dict()):
                await self.connection.receive(Message(7, document))
            return await waiting

        expect(asyncio.run(use())).to(equal(DONE))

    with it("are unknown where what came is none"):
        expect(self.received(Message(7, ["x"]))).to(be_none)

    with it("take little memory, whatever a stranger publishes there"):
        tracemalloc.start()
        long = {**DONE.to_dict(), "message": "x" * 1_000_000}
        wide = {**DONE.to_dict(), "details": {"x": [[]] * 4000}}
        self.received(*(Message(number, long) for number in range(100)))
        self.received(*(Message(number, wide) for number in range(100, 300)))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        expect(held).to(be_below(10_000_000))
