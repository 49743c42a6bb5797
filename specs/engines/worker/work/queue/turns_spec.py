import asyncio

from expects import equal, expect
from mamba import description, it

from playbooks.core.subjects import Priority
from playbooks.engines.worker.work.queue.turns import FairTurns


def order(*asked, places=1, raised=None):
    """The turns as they come, by their index in ``asked``: namespace and priority."""

    async def use():
        turns, came = FairTurns(places), []
        first = turns.ask("first", Priority.DEBUG)

        async def wait(index, turn):
            await turn.come
            came.append(index)
            turns.end(turn)

        waiting = [turns.ask(namespace, priority) for namespace, priority in asked]
        if raised is not None:
            turns.raise_to(waiting[raised], Priority.EMERGENCY)
        tasks = [asyncio.create_task(wait(*each)) for each in enumerate(waiting)]
        await asyncio.sleep(0)
        turns.end(first)
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        return came

    return asyncio.run(use())


NOTICE, CRITICAL = Priority.NOTICE, Priority.CRITICAL

with description("FairTurns") as self:
    with it("go round the namespaces, however many wait in one of them"):
        asked = [("loud", NOTICE)] * 1500 + [("quiet", NOTICE)]

        expect(order(*asked).index(1500)).to(equal(1))

    with it("are the most urgent's first within a namespace, then the one's that came first"):
        asked = [("a", NOTICE), ("a", NOTICE), ("a", CRITICAL)]

        expect(order(*asked)).to(equal([2, 0, 1]))

    with it("do not come sooner for what another namespace calls urgent"):
        asked = [("a", NOTICE), ("b", CRITICAL), ("b", CRITICAL)]

        expect(order(*asked)).to(equal([0, 1, 2]))

    with it("come sooner where a more urgent alert joins"):
        expect(order(("a", NOTICE), ("a", NOTICE), raised=1)).to(equal([1, 0]))

    with it("are given back by one that does not wait any longer"):

        async def use():
            turns = FairTurns(1)
            first, second, third = (turns.ask("a", NOTICE) for _ in range(3))
            turns.end(second)
            turns.end(first)
            await asyncio.wait_for(third.come, 1)
            turns.end(third)
            await asyncio.wait_for(turns.ask("b", NOTICE).come, 1)
            return True

        expect(asyncio.run(use())).to(equal(True))
