import asyncio
import io
import json
import threading
from contextlib import redirect_stderr

from expects import contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.instant import Instant
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Recorder
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.records.stream import KeptOutcomes, NotKept
from playbooks.engines.worker.records.writer import Scribe
from specs.support.mothers import a_document

DONE = Outcome.acted("pod shop/web-0", "done", "done")
SKIPPED = Outcome.skipped("finished", "it has succeeded")
BODY = json.dumps(a_document()).encode()
FUNCTION = Function("shop", "falco-delete", "uid-1", Instant(0), {})


class FakeKept:
    def __init__(self, error=None):
        self.error = error
        self.written = []

    async def prepare(self):
        if self.error:
            raise self.error

    async def write(self, document, *, unique):
        if self.error:
            raise self.error
        self.written.append((document, unique))


class FakeRecorder(Recorder):
    def __init__(self, error=None, gate=None):
        self.error, self.gate = error, gate
        self.seen = []

    def record(self, alert, outcome):
        if self.gate:
            self.gate.wait(5)
        if self.error:
            raise self.error
        self.seen.append(outcome.reason)


class FakeJetStream:
    def __init__(self):
        self.errors = []
        self.asked, self.stored = [], []

    async def stream(self, subjects, name, hours):
        self.asked.append((subjects, name, hours))
        if self.errors:
            raise self.errors.pop(0)
        return name

    async def store(self, subject, body, headers):
        if self.errors:
            raise self.errors.pop(0)
        self.stored.append((subject, json.loads(body), headers))


with description("The worker's records") as self:
    with before.each:
        self.metrics = Metrics("delete")
        self.log = io.StringIO()

    def write(self, *outcomes, recorders=(), kept=None, most=10, meanwhile=None):
        async def go():
            scribe = Scribe("delete", recorders, Redaction(), self.metrics, most=most)
            if kept:
                await scribe.keep_in(kept)
            for outcome in outcomes:
                await scribe.write(BODY, outcome, event_id="FALCO:1", unique="FALCO-1-1")
            if meanwhile:
                meanwhile()
            await scribe.stop(5)

        with redirect_stderr(self.log):
            asyncio.run(go())

    def failed(self, recorder):
        labels = {"playbook": "delete", "recorder": recorder}
        found = self.metrics.registry.get_sample_value("playbook_records_failed_total", labels)
        return found or 0

    with it("are a JSON line of every outcome in the stream, and with the recorders what matters"):
        kept, recorder = FakeKept(), FakeRecorder()
        self.write(DONE, SKIPPED, kept=kept, recorders=[recorder])

        expect([document["status"] for document, _ in kept.written]).to(equal(["acted", "skipped"]))
        expect(kept.written[0][0]["alert"]["rule"]).to(equal("Terminal shell in container"))
        expect(recorder.seen).to(equal(["done"]))

    with it("are counted and told where they fail, and change nothing"):
        kept, recorder = FakeKept(OSError("no stream")), FakeRecorder(NotPermitted("may not"))
        other = FakeRecorder()
        self.write(DONE, kept=kept, recorders=[recorder])
        self.write(DONE, recorders=[other])

        expect([self.failed("Stream"), self.failed("FakeRecorder")]).to(equal([1, 1]))
        expect(self.log.getvalue()).to(contain("by FakeRecorder: may not", "by Stream: no stream"))
        expect(other.seen).to(equal(["done"]))

    with it("hold no alert up while a recorder is slow"):
        gate = threading.Event()
        slow, other = FakeRecorder(gate=gate), FakeRecorder()
        self.write(DONE, DONE, recorders=[slow, other], meanwhile=gate.set)

        expect([slow.seen, other.seen]).to(equal([["done", "done"], ["done", "done"]]))

    with it("are given up where too many wait"):
        gate = threading.Event()
        self.write(
            DONE, DONE, DONE, recorders=[FakeRecorder(gate=gate)], most=2, meanwhile=gate.set
        )

        expect(self.failed("FakeRecorder")).to(equal(1))


with description("The outcomes kept in a stream") as self:
    with before.each:
        self.jetstream = FakeJetStream()
        self.now = 0.0

    def run(self, use):
        async def go():
            return await use(KeptOutcomes(self.jetstream, FUNCTION, clock=lambda: self.now))

        return asyncio.run(go())

    with it("have a stream of their own, made once"):

        async def use(kept):
            await kept.write({"a": 1}, unique="1")
            await kept.write({"a": 2}, unique="2")

        self.run(use)

        expect(self.jetstream.asked).to(equal([("falco-outcomes.>", "FALCO_OUTCOMES", 720)]))
        expect([subject for subject, _, _ in self.jetstream.stored]).to(
            equal(["falco-outcomes.falco-delete"] * 2)
        )

    with it("say whose they are, and are one for each alert"):
        self.run(lambda kept: kept.write({"playbook": "delete"}, unique="FALCO-1-1"))
        _, _, headers = self.jetstream.stored[0]

        expect(headers).to(
            equal(
                {
                    "Falco-Function": "shop/falco-delete",
                    "Falco-Function-Uid": "uid-1",
                    "Falco-Playbook": "delete",
                    "Nats-Msg-Id": "uid-1-FALCO-1-1",
                }
            )
        )

    with it("are not tried for a while once one could not be stored"):
        self.jetstream.errors = [OSError("away")]

        async def use(kept):
            said = []
            for second in (0, 1, 31):
                self.now = float(second)
                try:
                    await kept.write({}, unique="")
                except (OSError, NotKept) as error:
                    said.append(type(error).__name__)
            return said

        expect(self.run(use)).to(equal(["OSError", "NotKept"]))
        expect(self.jetstream.stored).to(have_len(1))
