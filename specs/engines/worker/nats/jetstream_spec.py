import asyncio

from expects import equal, expect
from mamba import description, it
from nats.js.api import StreamInfo, StreamState

from playbooks.engines.worker.function import ALERTS, DEAD_LETTERS, INBOXES, OUTCOMES
from playbooks.engines.worker.nats.jetstream import JetStream


class FakeApi:
    """A server without streams. ``made``: the configurations of those that are created."""

    def __init__(self):
        self.made = []

    def jetstream(self, timeout):
        return self

    async def streams_info(self, offset):
        return [StreamInfo(config, StreamState(0, 0, 0, 0, 0)) for config in self.made]

    async def add_stream(self, config):
        self.made.append(config)


def made(*streams):
    """What is created of these, by one that keeps alerts for an hour."""
    api = FakeApi()
    jetstream = JetStream(api, max_age_hours=1, max_megabytes=2, replicas=1)

    async def create():
        for stream in streams:
            await jetstream.stream(stream)

    asyncio.run(create())
    return api.made


with description("A stream that a worker creates") as self:
    with it("keeps what is to be answered as its settings say"):
        found = [(each.name, each.max_age, each.max_bytes) for each in made(ALERTS, INBOXES)]

        expect(found).to(equal([("FALCO", 3600, 2 << 20), ("FALCO_INBOX", 3600, 2 << 20)]))

    with it("keeps for 30 days what people look back at, whoever asks for it"):
        ages = [each.max_age for each in made(DEAD_LETTERS, OUTCOMES)]

        expect(ages).to(equal([30 * 24 * 3600] * 2))
