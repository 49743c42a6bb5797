import json
import os
import sys

from expects import be_empty, contain, equal, expect, have_len
from mamba import description, it

from specs.support.processes import ROOT, process

# What says something on its own, as libraries and Python do.
NOISE = """
import asyncio, gc, logging, threading, warnings
from playbooks.engines import log

class Ignored:
    def __del__(self):
        raise KeyError("ignored")

async def go():
    asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0)

async def fail():
    raise KeyError("task password=hunter2")

log.take_over()
logging.getLogger("urllib3").warning("retry %d of %d", 1)
logging.getLogger("playbooks.any").warning("ours")
logging.getLogger("urllib3").info("nobody wants this")
warnings.warn("old")
thread = threading.Thread(target=lambda: {}["thread"])
thread.start()
thread.join()
Ignored()
gc.collect()
asyncio.run(go())
gc.collect()
raise RuntimeError("two\\nlines")
"""


def started(*words, **environ):
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return process(sys.executable, *words, env={**path, **environ})


def objects(done):
    """Each line of standard error as JSON; fails where one is none."""
    found = [json.loads(line) for line in done.result().stderr.splitlines()]
    expect([line for line in found if not isinstance(line, dict)]).to(be_empty)
    return found


NAMED = {"FUNCTION_NAME": "f", "FUNCTION_NAMESPACE": "n", "HTTP_TOKEN": "t"}
NOISY = started("-c", NOISE)
REFUSED = [
    started("-m", "playbooks.engines.worker", HOME="/nonexistent", **environ)
    for environ in ({}, {**NAMED, "PLAYBOOK": "delete", "NATS_URL": "nats://localhost:1"})
]


with description("The log of a worker") as self:
    with it("is one JSON object a line, also where Python or a library speaks"):
        lines = objects(NOISY)
        messages = "\n".join(line["message"] for line in lines)

        expect(messages).to(contain("retry %d of %d", "ours", "UserWarning: old"))
        expect(messages).not_to(contain("nobody wants this"))
        expect([line["message"] for line in lines[-1:]]).to(equal(["ended: RuntimeError"]))
        tracebacks = "\n".join(line.get("traceback", "") for line in lines)
        expect(tracebacks).to(contain("'thread'", "'ignored'", "KeyError: 'task", "two\nlines"))
        expect(tracebacks).not_to(contain("hunter2"))

    with it("is so where it cannot begin"):
        for refused in REFUSED:
            lines = objects(refused)

            expect(lines).to(have_len(1))
            expect(lines[0]["level"]).to(equal("error"))
