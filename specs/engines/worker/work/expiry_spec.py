import asyncio
import io
import json
from contextlib import redirect_stderr
from unittest import mock

from expects import contain, equal, expect, have_len
from mamba import description, it

from playbooks.core.errors import ClusterUnavailable
from playbooks.core.outcome import Outcome
from playbooks.engines.worker.work import expiry


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
        task = asyncio.get_running_loop().create_task(expiry.keep_ending("isolate", sweep))
        while sweep.looks < looks and not task.done():
            await asyncio.sleep(0.001)
        task.cancel()

    quick = mock.patch.multiple(expiry, EVERY=0.001, FIRST=0.001)
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
