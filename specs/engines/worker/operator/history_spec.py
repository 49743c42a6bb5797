import argparse
import asyncio
import json
from types import SimpleNamespace
from unittest.mock import patch

from expects import equal, expect
from mamba import description, it

from playbooks.engines.worker.function import Function
from playbooks.engines.worker.nats.delivery import Origin
from playbooks.engines.worker.operator import history
from playbooks.testing import NOW

OURS = {"Falco-Function": "specs/falco-fake"}


class FakeJetStream:
    async def stream(self, wanted):
        return wanted.name


def a_message(body, headers=OURS):
    return Origin("FALCO_OUTCOMES", 1, NOW, 1), SimpleNamespace(data=body, headers=headers)


def read(*messages):
    """What is listed of a stream with these messages."""

    async def connected(*_):
        return None, FakeJetStream(), Function("specs", "falco-fake", "some-uid", NOW, {})

    async def batches(*_, **__):
        yield list(messages)

    async def listed():
        asked = argparse.Namespace(since=3600, uid="some-uid")
        return [line async for line in history.outcomes(asked, {})]

    with patch.object(history, "_connected", connected), patch.object(history, "batches", batches):
        return asyncio.run(listed())


with description("The past outcomes of a function") as self:
    with it("are those that are some, whatever else is written on their subject"):
        good = a_message(json.dumps({"status": "acted"}).encode())
        others = [a_message(body) for body in (b"no JSON", b"[]", b"[" * 100_000, b"\xff")]
        of_another = a_message(good[1].data, {"Falco-Function": "other/falco-fake"})

        expect(read(*others, of_another, good)).to(
            equal([{"status": "acted", "recorded": str(NOW)}])
        )
