import io
import json
from contextlib import redirect_stderr
from types import SimpleNamespace

from expects import be_a, be_none, contain, equal, expect, have_len
from mamba import before, description, it

from playbooks.core.errors import ClusterUnavailable, NotPermitted, Throttled, Unexpected
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Recorder
from playbooks.core.redaction.redaction import Redaction
from playbooks.engines import recorders as recording
from playbooks.engines.runtime import Event, Runtime
from playbooks.testing import a_document

DONE = Outcome.acted("pod shop/web-0", "done", "done")


class FakeRecorder(Recorder):
    """Raises each of the errors in turn, then records."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.alerts = []

    def record(self, alert, outcome):
        if self.errors:
            raise self.errors.pop(0)
        self.alerts.append(alert)


with description("Recording an outcome") as self:
    with before.each:
        self.now = 0.0

    def put(self, recorder, body=None, seconds=10.0):
        def sleep(pause):
            self.now += pause

        return recording.put(
            recorder,
            body or a_document(),
            DONE,
            redaction=Redaction(),
            seconds=seconds,
            clock=lambda: self.now,
            sleep=sleep,
        )

    with it("tells the recorder once"):
        recorder = FakeRecorder()

        expect(self.put(recorder)).to(be_none)
        expect(recorder.alerts).to(have_len(1))

    with it("tries again what may succeed later, when it was asked to"):
        recorder = FakeRecorder(ClusterUnavailable("away"), Throttled("no", retry_after=7.0))

        expect(self.put(recorder)).to(be_none)
        expect(self.now).to(equal(8.0))

    with it("gives up in time"):
        error = self.put(FakeRecorder(*[ClusterUnavailable("away")] * 99))

        expect(error).to(be_a(ClusterUnavailable))
        expect(self.now).to(equal(10.0))

    with it("does not try again what will fail again, nor falls over a bug"):
        expect(self.put(FakeRecorder(NotPermitted("no")))).to(be_a(NotPermitted))
        expect(self.put(FakeRecorder(KeyError("bug")))).to(be_a(Unexpected))
        expect(self.now).to(equal(0.0))

    with it("has nothing to record of what is no alert"):
        recorder = FakeRecorder()

        expect(self.put(recorder, b"{")).to(be_none)
        expect(recorder.alerts).to(have_len(0))

    with it("tells no recorder what must not leave"):
        recorder = FakeRecorder()
        self.put(recorder, a_document(output="mysql -pS3cret"))

        expect(recorder.alerts[0].output).to(equal("mysql -p***"))

    with it("has a line of its own for each recorder that could not, and asks the others"):
        log, other = io.StringIO(), FakeRecorder()
        recorders = [FakeRecorder(NotPermitted("may not create events")), other]
        with redirect_stderr(log):
            responder = SimpleNamespace(recorders=recorders, redaction=Redaction())
            Runtime("delete", responder).record(Event(a_document()), DONE)
        line = json.loads(log.getvalue())

        expect(line["level"]).to(equal("error"))
        expect(line["message"]).to(contain("FakeRecorder: may not create events"))
        expect(other.alerts).to(have_len(1))
