import asyncio
import contextlib
import gc

from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.worker import _cancelled


async def _deaf(times):
    """Loses so many cancellations."""
    for _ in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
    await asyncio.sleep(60)


with description("The work of a worker that is told to end") as self:
    with it("ends, also where a cancellation is lost on the way"):

        async def use():
            for times in (0, 1, 2):
                task = asyncio.get_running_loop().create_task(_deaf(times))
                await asyncio.sleep(0)
                await asyncio.wait_for(_cancelled(task, every=0.01), 10)
                expect(task.cancelled()).to(equal(True))

        asyncio.run(use())

    with it("ends at once where it has ended before, and keeps its error"):
        told, kept = [], []

        async def use():
            asyncio.get_running_loop().set_exception_handler(lambda _, said: told.append(said))

            async def fail():
                raise KeyError("why")

            task = asyncio.get_running_loop().create_task(fail())
            await asyncio.sleep(0)
            await _cancelled(task)
            kept.append(task._exception)
            del task
            gc.collect()

        asyncio.run(use())
        expect(([str(error) for error in kept], told)).to(equal((["'why'"], [])))
