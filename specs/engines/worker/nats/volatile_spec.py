import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, List
from unittest.mock import patch

from expects import equal, expect
from mamba import before, description, it
from nats.errors import ConnectionClosedError

from playbooks.core.instant import Instant
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats import volatile
from playbooks.engines.worker.nats.volatile import VolatileIntake
from playbooks.engines.worker.topics import Subscription

FUNCTION = Function("falco", "isolate", "uid")


@dataclass
class Connection:
    """Like nats-py's once ``closed``: whoever unsubscribes gets an error."""

    closed: bool = False
    receivers: List[Any] = field(default_factory=list)

    async def subscribe(self, topic, queue, cb):
        self.receivers.append(cb)
        return self

    async def unsubscribe(self):
        if self.closed:
            raise ConnectionClosedError

    async def flush(self): ...


with description("Alerts that only this worker has") as self:
    with before.each:
        self.connection, self.metrics, self.taken = Connection(), Metrics("isolate"), []

    async def listening(self):
        def take(delivery, freed):
            self.taken.append((delivery, freed))

        intake = VolatileIntake(self.connection, FUNCTION, take, self.metrics)
        await intake.apply([Subscription("falco.>", Instant(0))])
        return intake

    async def comes(self, data=b"{}"):
        message = SimpleNamespace(subject="falco.error", data=data)
        await self.connection.receivers[0](message)

    async def given_back(self):
        delivery, freed = self.taken.pop()
        await delivery.channel.give_back(60.0)
        freed()

    def losses(self, use):
        """What is logged of alerts that are lost."""
        with patch.object(volatile, "log") as log:
            asyncio.run(use())
        return [call.args[0] for call in log.error.call_args_list]

    with it("are lost in so many words, where the worker ends, also once NATS closed for good"):

        async def use():
            intake = await self.listening()
            await self.comes()
            await self.given_back()
            self.connection.closed = True
            await intake.stop()

        why = "it was waiting for another try when the worker was told to end"
        expect(self.losses(use)).to(equal([f"an alert is lost: {why}"]))

    with it("are so many at most, those among them that wait for another try"):

        async def use():
            await self.listening()
            for _ in range(3):
                await self.comes()
                await self.given_back()
            await self.comes()

        with patch.object(volatile, "MOST_WAITING", 3):
            expect(self.losses(use)).to(equal(["an alert is lost: 3 are waiting"]))

    with it(
        "are so many bytes at most, whoever sends long ones, and some again once those are done"
    ):

        async def use():
            await self.listening()
            for _ in range(4):
                await self.comes(b"x" * 1000)
            await self.given_back()
            await self.comes(b"x" * 1000)
            self.taken.pop()[1]()
            await self.comes(b"x" * 1000)

        with patch.object(volatile, "MOST_BYTES", 3000):
            lost = self.losses(use)

        expect(lost).to(equal(["an alert is lost: 3000 bytes of them are waiting"] * 2))
