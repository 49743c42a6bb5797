import asyncio
import time
from unittest import mock

from expects import equal, expect, start_with
from mamba import before, description, it

from playbooks.engines.worker.nats import reader
from playbooks.engines.worker.nats.jetstream import ApiError


class Streams:
    """``free``: after so many refusals. ``made``: the consumers' names and seconds to stay."""

    readers = ("reader-0", "reader-1")

    def __init__(self, free):
        self.free, self.made = free, []

    async def add_consumer(self, stream, config):
        if config.name in self.readers and self.free:
            self.free -= 1
            raise ApiError({"code": 500, "err_code": 10012, "description": "cannot be updated"})
        self.made.append((config.name, config.inactive_threshold))

    async def delete_consumer(self, stream, name):
        pass


class Nothing:
    """A connection to a stream without a message."""

    max_payload = 1024

    def new_inbox(self):
        return "_INBOX.1"

    async def subscribe(self, inbox):
        return self

    async def publish(self, subject, body, reply):
        pass

    async def next_msg(self, timeout):
        return mock.Mock(reply="")

    async def unsubscribe(self):
        pass


changed = mock.patch.object


def read(streams, *, remove):
    async def all_of_it():
        start, end = {"deliver_policy": "all"}, time.monotonic() + 5
        found = reader.batches(Nothing(), streams, "S", start, end, remove=remove)
        return [batch async for batch in found]

    with changed(reader, "PAUSE", 0):
        asyncio.run(all_of_it())
    return streams.made


with description("Reading a stream") as self:
    with before.each:
        self.all_taken = 10**6

    with it("waits until a consumer of before is gone that its user may not remove"):
        ((name, seconds),) = read(Streams(5), remove=False)

        expect(name).to(start_with("reader-"))
        expect(seconds).to(equal(reader.STAYS))

    with it("takes a name of its own where none gets free"):
        for remove in (True, False):
            ((name, _),) = read(Streams(self.all_taken), remove=remove)

            expect(name).to(start_with("falco-reader-"))
