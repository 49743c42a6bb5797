import asyncio
import gc
import threading
import time
import weakref
from unittest.mock import patch

from expects import be_none, equal, expect
from mamba import description, it

from playbooks.engines.worker.threads import Threads


def alive(name):
    return [t for t in threading.enumerate() if t.name.startswith(f"{name}_")]


with description("Threads") as self:
    with it("answer what they are called for, and raise what that raises, in the loop"):

        async def go():
            threads = Threads(2, "spec-answer")
            answers = await asyncio.gather(*(threads.call(lambda n=n: n * n) for n in range(50)))
            failed = threads.call(lambda: 1 / 0)
            try:
                await failed
                raised = None
            except ZeroDivisionError as error:
                raised = error
            threads.stop()
            return answers, raised

        answers, raised = asyncio.run(go())
        expect(answers).to(equal([n * n for n in range(50)]))
        expect(str(raised)).to(equal("division by zero"))

    with it("are as many at a time as they may be, and no more of them than calls"):

        async def go(most, calls):
            threads, together, now, lock = Threads(most, "spec-most"), [], [0], threading.Lock()

            def call():
                with lock:
                    now[0] += 1
                    together.append(now[0])
                time.sleep(0.02)
                with lock:
                    now[0] -= 1

            await asyncio.gather(*(threads.call(call) for _ in range(calls)))
            there = len(alive("spec-most"))
            threads.stop()
            return max(together), there

        expect(asyncio.run(go(3, 12))).to(equal((3, 3)))
        until = time.monotonic() + 5
        while alive("spec-most") and time.monotonic() < until:
            time.sleep(0.01)
        expect(asyncio.run(go(8, 2))[1]).to(equal(2))

    with it("do not call what was cancelled before its turn, nor what had not begun at the end"):

        async def go():
            threads, called = Threads(1, "spec-cancel"), []
            begun, held = threading.Event(), threading.Event()

            def hold():
                begun.set()
                held.wait(5)

            first = threads.call(hold)
            cancelled = threads.call(lambda: called.append("cancelled"))
            second = threads.call(lambda: called.append("second"))
            cancelled.cancel()
            held.set()
            await asyncio.wait_for(asyncio.gather(first, second), 5)
            begun.clear()
            held.clear()
            last = threads.call(hold)
            late = threads.call(lambda: called.append("late"))
            await asyncio.get_running_loop().run_in_executor(None, begun.wait, 5)
            threads.stop()
            held.set()
            await asyncio.wait_for(asyncio.wait([last, late]), 5)
            try:
                threads.call(lambda: called.append("after"))
                refused = None
            except RuntimeError as error:
                refused = str(error)
            return called, late.cancelled(), refused

        called, late, refused = asyncio.run(go())
        expect((called, late)).to(equal((["second"], True)))
        expect(refused).to(equal("the worker ends"))

    with it("count none that the system lets not begin"):

        async def go():
            threads, answers = Threads(1, "spec-start"), []
            refused = RuntimeError("can't start new thread")
            with patch.object(threading.Thread, "start", side_effect=refused):
                try:
                    threads.call(lambda: 1)
                except RuntimeError as error:
                    answers.append(str(error))
            answers.append(await asyncio.wait_for(threads.call(lambda: 2), 5))
            threads.stop()
            return answers

        expect(asyncio.run(go())).to(equal(["can't start new thread", 2]))

    with it("keep nothing of a call while they wait for the next"):

        class Large:
            pass

        async def go():
            threads, large = Threads(1, "spec-keep"), Large()
            seen = weakref.ref(large)
            await threads.call(lambda given=large: given)
            del large
            until = time.monotonic() + 5
            while seen() is not None and time.monotonic() < until:
                await asyncio.sleep(0.01)
                gc.collect()
            threads.stop()
            return seen()

        # Garbage is looked for in what comes from now on, not in all that specs loaded.
        gc.freeze()
        try:
            kept = asyncio.run(go())
        finally:
            gc.unfreeze()

        expect(kept).to(be_none)
