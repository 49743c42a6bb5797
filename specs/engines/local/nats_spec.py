import asyncio
import threading
from unittest import mock

from expects import be_above, be_below, equal, expect
from mamba import description, it

from playbooks.engines.local import nats
from playbooks.engines.local.interruption import Interruption
from playbooks.engines.local.settings import nats_settings

changed = mock.patch.object


class FakeClient:
    """Has so many messages of a megabyte. ``taken``: those that were taken from it."""

    def __init__(self, messages):
        self.left, self.taken = messages, 0

    async def connect(self, **_):
        pass

    async def subscribe(self, topic, cb):
        self.pushing = asyncio.ensure_future(self._push(cb))

    async def _push(self, cb):
        while self.left:
            self.left -= 1
            await cb(mock.Mock(data=b"x" * 1_000_000, subject="falco.error.x"))
            self.taken += 1

    async def flush(self):
        pass

    async def close(self):
        self.pushing.cancel()


with description("Alerts that the local engine has of NATS") as self:
    with it("wait with so many bytes for the one under way, and are all answered in the end"):
        client, first = FakeClient(300), threading.Event()
        interruption = Interruption(give_up=lambda: None)
        answered, taken = [], []

        def deliver(body, subject):
            if not answered:
                first.wait(1)
                taken.append(client.taken)
            answered.append(subject)
            interruption.requested = len(answered) == 300

        with changed(nats.nats_connection, "client", lambda _: client):
            settings = nats_settings({"NATS_URL": "nats://127.0.0.1:9"})
            nats.subscribe(
                settings, ["falco.>"], deliver, note=lambda _: None, interruption=interruption
            )

        expect(len(answered)).to(equal(300))
        expect(taken[0]).to(be_above(50))
        expect(taken[0]).to(be_below(70))
