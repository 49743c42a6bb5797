import asyncio
import io
from contextlib import redirect_stderr

from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.work.api_outage import Gate


def a_gate(*answers, interval=0.001):
    """``answers``: what the API server says of itself, in turn, the last one for ever."""
    said, left, changes = [], list(answers), []

    async def healthy():
        said.append(left.pop(0) if len(left) > 1 else left[0])
        return said[-1]

    return Gate(healthy, changes.append, interval), said, changes


with description("The gate") as self:
    with it("stays open where the API server answers"):

        async def use():
            gate, _, changes = a_gate(True)
            return await gate.away(), gate.is_open, changes

        expect(asyncio.run(use())).to(equal((False, True, [])))

    with it("closes where it does not, and opens when it does again"):

        async def use():
            gate, _, changes = a_gate(False, False, False, True)
            away = await gate.away()
            closed = not gate.is_open
            await asyncio.wait_for(gate.passed(), 5)
            return away, closed, changes

        expect(asyncio.run(use())).to(equal((True, True, [True, False])))

    with it("asks once for all that ask at the same time"):

        async def use():
            gate, said, _ = a_gate(False, True, interval=5)
            found = await asyncio.gather(*(gate.away() for _ in range(20)))
            await gate.close()
            return set(found), said.count(False)

        expect(asyncio.run(use())).to(equal(({True}, 1)))

    with it("asks anew after an outage"):

        async def use():
            gate, _, _ = a_gate(False, True, False)
            await gate.away()
            await asyncio.wait_for(gate.passed(), 5)
            away = await gate.away()
            await gate.close()
            return away

        expect(asyncio.run(use())).to(equal(True))

    with it("opens again also when the question itself failed"):

        async def use():
            answers = [OSError("no thread"), OSError("no thread"), True]

            async def healthy():
                answer = answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer

            gate = Gate(healthy, lambda away: None, 0.001)
            away = await gate.away()
            await asyncio.wait_for(gate.passed(), 5)
            return away

        with redirect_stderr(io.StringIO()):
            expect(asyncio.run(use())).to(equal(True))
