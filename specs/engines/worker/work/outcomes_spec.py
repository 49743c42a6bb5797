import asyncio
import io
import json
import threading
import time
from contextlib import redirect_stderr
from unittest.mock import patch

from expects import be_below, contain, equal, expect, have_keys, have_len
from mamba import before, description, it

from playbooks.core.errors import NotPermitted
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Recorder
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines.worker.function import Function
from playbooks.engines.worker.metrics import Metrics
from playbooks.engines.worker.nats.delivery import size_of
from playbooks.engines.worker.work import outcomes as written
from playbooks.engines.worker.work.outcomes import NotStored, OutcomeStream, OutcomeWriter
from playbooks.testing import a_document, an_alert

DONE = Outcome.acted("pod shop/web-0", "done", "done")
SKIPPED = Outcome.skipped("finished", "it has succeeded")
BODY = json.dumps(a_document()).encode()
MOST = 100_000
FUNCTION = Function("shop", "falco-delete", "uid-1")


class FakeStream:
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
    def __init__(self, error=None, held=None):
        self.error, self.held = error, held
        self.seen = []

    def record(self, alert, outcome):
        if self.held:
            self.held.wait(5)
        if self.error:
            raise self.error
        self.seen.append(outcome.reason)


class FakeJetStream:
    def __init__(self):
        self.errors = []
        self.asked, self.stored = [], []

    async def stream(self, wanted):
        self.asked.append((wanted.subjects, wanted.name, wanted.hours))
        if self.errors:
            raise self.errors.pop(0)
        return wanted.name

    async def store(self, subject, body, headers):
        if self.errors:
            raise self.errors.pop(0)
        self.stored.append((subject, json.loads(body), headers))


with description("The outcomes that a worker records") as self:
    with before.each:
        self.metrics = Metrics("delete")
        self.log = io.StringIO()

    def write(
        self, *outcomes, recorders=(), stream=None, most=10, meanwhile=None, body=BODY, **given
    ):
        async def go():
            writer = OutcomeWriter(
                "delete", recorders, Redaction(), self.metrics, most=most, **given
            )
            if stream:
                await writer.write_to(stream)
            for outcome in outcomes:
                await writer.write(body, outcome, event_id="FALCO:1", unique="FALCO-1-1")
            if meanwhile:
                meanwhile()
            await writer.stop(5)

        with redirect_stderr(self.log):
            asyncio.run(go())

    def failed(self, recorder):
        labels = {"playbook": "delete", "recorder": recorder}
        found = self.metrics.registry.get_sample_value("playbook_records_failed_total", labels)
        return found or 0

    with it("are a JSON line of every outcome in the stream, and with the recorders what matters"):
        stream, recorder = FakeStream(), FakeRecorder()
        self.write(DONE, SKIPPED, stream=stream, recorders=[recorder])

        expect([document["status"] for document, _ in stream.written]).to(
            equal(["acted", "skipped"])
        )
        expect(stream.written[0][0]["alert"]["rule"]).to(equal("Terminal shell in container"))
        expect(recorder.seen).to(equal(["done"]))

    with it("are all with a recorder that wants every one"):
        recorder = FakeRecorder()
        recorder.EVERY = True
        self.write(DONE, SKIPPED, recorders=[recorder])

        expect(recorder.seen).to(equal(["done", "finished"]))

    with it("are counted and logged where they fail, and change nothing"):
        stream, recorder = FakeStream(OSError("no stream")), FakeRecorder(NotPermitted("may not"))
        other = FakeRecorder()
        self.write(DONE, stream=stream, recorders=[recorder])
        self.write(DONE, recorders=[other])

        expect([self.failed("Stream"), self.failed("FakeRecorder")]).to(equal([1, 1]))
        expect(self.log.getvalue()).to(contain("by FakeRecorder: may not", "by Stream: no stream"))
        expect(other.seen).to(equal(["done"]))

    with it("hold no alert up while a recorder is slow"):
        held = threading.Event()
        slow, other = FakeRecorder(held=held), FakeRecorder()
        self.write(DONE, DONE, recorders=[slow, other], meanwhile=held.set)

        expect([slow.seen, other.seen]).to(equal([["done", "done"], ["done", "done"]]))

    with it("let alerts that are being answered go first"):
        recorder, answering = FakeRecorder(), [True]
        seen = []

        def answered():
            time.sleep(0.1)
            seen.append(list(recorder.seen))
            answering.clear()

        self.write(DONE, recorders=[recorder], busy=lambda: bool(answering), meanwhile=answered)

        expect([*seen, recorder.seen]).to(equal([[], ["done"]]))

    with it("do not wait for long where there is no end of alerts"):
        recorder = FakeRecorder()
        with patch.object(written, "YIELDS", 0.05):
            self.write(DONE, DONE, recorders=[recorder], busy=lambda: True)

        expect(recorder.seen).to(equal(["done", "done"]))

    with it("are given up where too many wait"):
        held = threading.Event()
        self.write(
            DONE, DONE, DONE, recorders=[FakeRecorder(held=held)], most=2, meanwhile=held.set
        )

        expect(self.failed("FakeRecorder")).to(equal(1))

    with it("are given up where the alerts of those that wait are too long together"):
        for body in (an_alert(output="x" * 40_000), b"x" * 40_000, an_alert()):
            held, before = threading.Event(), self.failed("FakeRecorder")
            slow = [FakeRecorder(held=held)]
            with patch.object(written, "MOST_BYTES", 170_000):
                self.write(*[DONE] * 7, body=body, recorders=slow, meanwhile=held.set)

            lost = self.failed("FakeRecorder") - before
            expect(lost).to(equal(3 if body != an_alert() else 0))


with description("The stream of outcomes") as self:
    with before.each:
        self.jetstream = FakeJetStream()
        self.now = 0.0

    def run(self, use):
        async def go():
            stream = OutcomeStream(self.jetstream, FUNCTION, MOST, clock=lambda: self.now)
            return await use(stream)

        return asyncio.run(go())

    with it("have a stream of their own, made once"):

        async def use(stream):
            await stream.write({"a": 1}, unique="1")
            await stream.write({"a": 2}, unique="2")

        self.run(use)

        expect(self.jetstream.asked).to(equal([("falco-outcomes.>", "FALCO_OUTCOMES", 720)]))
        expect([subject for subject, _, _ in self.jetstream.stored]).to(
            equal(["falco-outcomes.falco-delete"] * 2)
        )

    with it("say whose they are, and are one for each alert"):
        self.run(lambda stream: stream.write({"playbook": "delete"}, unique="FALCO-1-1"))
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

    with it("fit into a message, whatever is long in one: the next are stored, too"):
        policies = [f"policy-{number}" for number in range(20_000)]
        message = ", ".join(policies)
        details = {"uid": "u1", "still_allowing": policies}
        outcome = Outcome.acted("pod shop/web-0", "isolated-in-part", message, **details)
        document = {"playbook": "isolate", **outcome.to_dict(), "why": [message]}
        self.run(lambda stream: stream.write(document, unique="1"))
        _, body, headers = self.jetstream.stored[0]
        found = Outcome.of_dict(body)

        expect(len(json.dumps(body)) + size_of(headers)).to(be_below(MOST))
        expect(found.details).to(have_keys({"uid": "u1", "cut": len(json.dumps(document))}))
        expect(found.message).to(equal(f"{message[:1000]}\u2026"))

    with it("are not tried for a while once one could not be stored"):
        self.jetstream.errors = [OSError("away")]

        async def use(stream):
            said = []
            for second in (0, 1, 31):
                self.now = float(second)
                try:
                    await stream.write({}, unique="")
                except (OSError, NotStored) as error:
                    said.append(type(error).__name__)
            return said

        expect(self.run(use)).to(equal(["OSError", "NotStored"]))
        expect(self.jetstream.stored).to(have_len(1))
