import asyncio
import io
from contextlib import redirect_stderr

from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.work.queue.outage import Outage


def an_outage(*answers, interval=0.001):
    """``answers``: whether alerts can be answered, in turn, the last one for ever."""
    said, left, changes = [], list(answers), []

    async def missing():
        said.append(left.pop(0) if len(left) > 1 else left[0])
        return "" if said[-1] is True else said[-1] or "away"

    return Outage(missing, lambda *change: changes.append(change), interval), said, changes


with description("An outage of the API server") as self:
    with it("does not begin where it answers"):

        async def use():
            outage, _, changes = an_outage(True)
            return await outage.found(), outage.ongoing, changes

        expect(asyncio.run(use())).to(equal((False, False, [])))

    with it("begins where it does not, and ends when it does again"):

        async def use():
            outage, _, changes = an_outage(False, False, False, True)
            away = await outage.found()
            closed = outage.ongoing
            await asyncio.wait_for(outage.ended(), 5)
            return away, closed, changes

        expect(asyncio.run(use())).to(equal((True, True, [("away", ""), ("", "away")])))

    with it("asks once for all that ask at the same time"):

        async def use():
            outage, said, _ = an_outage(False, True, interval=5)
            found = await asyncio.gather(*(outage.found() for _ in range(20)))
            await outage.close()
            return set(found), said.count(False)

        expect(asyncio.run(use())).to(equal(({True}, 1)))

    with it("goes on with another cause, and says so"):

        async def use():
            outage, _, changes = an_outage("away", "no ledger", True)
            await outage.found()
            await asyncio.wait_for(outage.ended(), 5)
            return changes

        expect(asyncio.run(use())).to(
            equal([("away", ""), ("no ledger", "away"), ("", "no ledger")])
        )

    with it("asks anew after an outage"):

        async def use():
            outage, _, _ = an_outage(False, True, False)
            await outage.found()
            await asyncio.wait_for(outage.ended(), 5)
            away = await outage.found()
            await outage.close()
            return away

        expect(asyncio.run(use())).to(equal(True))

    with it("ends also when the question itself failed"):

        async def use():
            answers = [OSError("no thread"), OSError("no thread"), ""]

            async def missing():
                answer = answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer

            outage = Outage(missing, lambda why, before: None, 0.001)
            away = await outage.found()
            await asyncio.wait_for(outage.ended(), 5)
            return away

        with redirect_stderr(io.StringIO()):
            expect(asyncio.run(use())).to(equal(True))
