import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.worker import _cancelled
from specs.support.processes import ROOT, ahead, eventually, free_port


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

        # Garbage is looked for in what comes from now on, not in all that specs loaded.
        gc.freeze()
        try:
            asyncio.run(use())
        finally:
            gc.unfreeze()
        expect(([str(error) for error in kept], told)).to(equal((["'why'"], [])))


def blocked(pid):
    """The signals that a process holds back."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigBlk:")[2].split()[0], 16)
    return {number for number in signal.Signals if mask >> (number - 1) & 1}


def told_early(path):
    """The exit code of a worker that was told to end as soon as it holds that back, and what it
    said."""
    environment = {
        "PATH": path,
        "PLAYBOOK": "delete",
        "FUNCTION_NAME": "falco-delete",
        "FUNCTION_NAMESPACE": "specs",
        "NATS_URL": f"nats://127.0.0.1:{free_port()}",
        "HTTP": "off",
        "HTTP_HOST": "127.0.0.1",
        **{name: str(free_port()) for name in ("HTTP_PORT", "PROBE_PORT", "METRICS_PORT")},
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "playbooks.engines.worker"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: signal.SIGTERM in blocked(worker.pid), every=0.002)
        worker.terminate()
        _, said = worker.communicate(timeout=20)
    finally:
        worker.kill()
    return worker.returncode, said


TOLD_EARLY = ahead(told_early, os.environ["PATH"])

with description("A worker that is told to end before it listens") as self:
    with it("ends once it does: of process 1, the kernel drops what nobody listens to"):
        code, said = TOLD_EARLY.result()

        expect((code, '"ending: ' in said, '"ended"' in said)).to(equal((0, True, True)))
